/** A session without its socket, before a fake coordinator: frames go in and come out. */
import type { ServerMessage } from "holdfast-protocol";
import { Border } from "../../src/api/calls/text.js";
import { compileOperations } from "../../src/api/calls/validation.js";
import { FrameSession } from "../../src/api/websocket/session.js";
import { LIMITS, type Limits } from "../../src/base/limits.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { type FakeConnection, FakeCoordinator } from "./fake-coordinator.js";

export const operations = compileOperations();
export const CLIENT = "00112233445566aa";
export const HELLO = { hello: { v: 1, client: CLIENT } };

/** A session over no socket at all: what it sends is kept frame by frame. */
export function makeSession(limits: Partial<Limits> = {}) {
  const coordinator = new FakeCoordinator();
  coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value: "b" });
  const frames: (readonly ServerMessage[])[] = [];
  const turns: (() => void)[] = [];
  const timers: (() => void)[] = [];
  const state = {
    nowMs: 0,
    breaks: false,
    paused: false,
    buffered: 0,
    closed: null as [number, string] | null,
  };
  let requests = 0;
  const session = new FrameSession(
    {
      coordinator,
      operations,
      border: new Border(nodeBytes, "msgpack"),
      clock: {
        monotonicMs: () => state.nowMs,
        wallMs: () => 0,
        after: (_delayMs, callback) => {
          timers.push(callback);
          return () => {
            if (timers.includes(callback)) timers.splice(timers.indexOf(callback), 1);
          };
        },
      },
      endOfTurn: { schedule: callback => void turns.push(callback) },
      limits: { ...LIMITS, ...limits },
      observe: () => {},
      nextRequestId: () => {
        requests += 1;
        return `r-${requests}`;
      },
    },
    {
      send: messages => {
        if (state.breaks) throw new RangeError("Invalid string length");
        frames.push(messages);
      },
      bufferedBytes: () => state.buffered,
      pause: paused => {
        state.paused = paused;
      },
      close: (code, reason) => {
        state.closed = [code, reason];
      },
    },
  );
  const endTurn = (): void => {
    for (const callback of turns.splice(0)) callback();
  };
  /** Lets the coordinator answer, ends the turn, and gives what was sent since the last time. */
  const settle = async (): Promise<readonly ServerMessage[]> => {
    await new Promise(resolve => setImmediate(resolve));
    endTurn();
    return frames.splice(0).flat();
  };
  const connection = coordinator.connections[0] as FakeConnection;
  return { session, coordinator, connection, frames, timers, state, endTurn, settle };
}

/** As {@link makeSession}, with the hello behind it. */
export async function greeted(limits: Partial<Limits> = {}) {
  const made = makeSession(limits);
  made.session.receive([HELLO]);
  await made.settle();
  return made;
}
