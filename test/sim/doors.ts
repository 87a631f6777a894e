/**
 * How clients come in to a simulated node: WebSocket sessions with a simpler framing, and single
 * calls as over HTTP, without what parses those.
 */
import type { OperationName } from "holdfast-protocol";
import { Border } from "../../src/api/calls/text.js";
import { compileOperations, type Operations } from "../../src/api/calls/validation.js";
import { decodeMsgpack, encodeMsgpack } from "../../src/api/websocket/msgpack.js";
import { FrameSession } from "../../src/api/websocket/session.js";
import { LIMITS } from "../../src/base/limits.js";
import type { Connection } from "../../src/base/network.js";
import type { Coordinator, Outcome } from "../../src/replica/coordinator/index.js";
import type { Replica } from "../../src/replica/index.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import type { Process } from "./process.js";
import { FrameWire } from "./wires.js";

export const WEBSOCKET_PORT = 2379;
/** Where one call a connection is served, as HTTP does it: hanging up abandons a wait. */
export const CALL_PORT = 8080;

/** Compiled once for all nodes of all runs: it takes a while. */
let operations: Operations | null = null;
const border = new Border(nodeBytes, "msgpack");

/** One call over CALL_PORT, as JSON. */
export interface PlainCall {
  readonly op: OperationName;
  readonly params: Record<string, unknown>;
  readonly key?: string;
}

/** A session over a connection that was just accepted; `closed` when the connection is. */
export function sessionOver(
  connection: Connection,
  process: Process,
  coordinator: Coordinator,
  closed: (session: FrameSession) => void,
): FrameSession {
  operations ??= compileOperations();
  let requests = 0;
  const wire: FrameWire = new FrameWire(connection, {
    frame: bytes => session.receive(decodeMsgpack(bytes)),
    drained: () => session.drained(),
    closed: () => {
      closed(session);
      session.closed();
    },
  });
  const session: FrameSession = new FrameSession(
    {
      coordinator,
      operations,
      border,
      clock: process,
      endOfTurn: process,
      limits: LIMITS,
      observe: () => {},
      nextRequestId: () => `r${++requests}`,
    },
    {
      send: messages => wire.send(encodeMsgpack(messages)),
      bufferedBytes: () => wire.bufferedBytes,
      close: () => wire.close(),
    },
  );
  return session;
}

/** One call, one answer, as over HTTP. */
export function plainDoor(connection: Connection, replica: Replica): void {
  const calls = replica.coordinator.connect(null);
  let key: string | undefined;
  let answered = false;
  const wire = new FrameWire(connection, {
    frame: bytes => {
      const call = JSON.parse(Buffer.from(bytes).toString()) as PlainCall;
      key = call.key;
      const context = key === undefined ? {} : { idempotencyKey: key };
      calls.call(call.op, call.params as never, context, (outcome: Outcome) => {
        answered = true;
        wire.send(Buffer.from(JSON.stringify(outcome)));
        wire.close();
      });
    },
    drained: () => {},
    closed: () => calls.close(!answered && key === undefined),
  });
}
