/**
 * The client's end of one WebSocket, which remembers what was asked and judges all that comes: each
 * answer by the registry's schema, each error by the table. Used by the websocket target.
 */
import { ERRORS, isErrorCode, isOperationName, OPERATION_KINDS } from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { Compile } from "typebox/compile";
import { Border, type Spelling } from "../../../src/api/calls/text.js";
import { compileOperations } from "../../../src/api/calls/validation.js";
import { DecodeError, decodeMsgpack, encodeMsgpack } from "../../../src/api/websocket/msgpack.js";
import { CLOSE, FrameSession } from "../../../src/api/websocket/session.js";
import { LIMITS } from "../../../src/base/limits.js";
import type { Replica } from "../../../src/replica/index.js";
import { nodeBytes } from "../../../src/server/ports/index.js";
import type { TurnedLoop } from "../../../src/testing/turned-loop.js";
import { hold } from "../target.js";

const operations = compileOperations();
const borders = { json: new Border(nodeBytes, "json"), msgpack: new Border(nodeBytes, "msgpack") };
const results = new Map(
  [...operations.keys()].map(name => [name, Compile(OPERATIONS[name as "kv.get"].result)]),
);
const EVENTS = ["watch", "observe", "end", "lost", "leaseEnded", "position", "leader"];
const CLOSE_CODES: readonly number[] = Object.values(CLOSE);

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A client's end of one connection: it remembers what was asked, and judges what comes. */
export class SocketClient {
  readonly #spelling: Spelling;
  readonly #session: FrameSession;
  /** Operations asked for that have no answer yet, by number; one that was refused may come again. */
  readonly asked = new Map<number, string[]>();
  readonly streams = new Set<number>();
  closed: string | null = null;
  unreadBytes = 0;
  answers = 0;
  refusals = 0;

  constructor(replica: Replica, loop: TurnedLoop, spelling: Spelling) {
    this.#spelling = spelling;
    let requests = 0;
    const house = {
      coordinator: replica.coordinator,
      operations,
      border: borders[spelling],
      clock: loop,
      endOfTurn: loop,
      limits: { ...LIMITS, maxPendingPerConnection: 20, maxWatchersPerConnection: 4 },
      observe: () => {},
      nextRequestId: () => `r${++requests}`,
    };
    this.#session = new FrameSession(house, {
      send: messages => this.#take(this.#encoded(messages)),
      bufferedBytes: () => this.unreadBytes,
      close: (code, reason) => {
        hold(this.closed === null, "a connection is closed once");
        hold(CLOSE_CODES.includes(code) && isErrorCode(reason), `closed with ${code} ${reason}`);
        this.closed = reason;
      },
    });
  }

  say(messages: readonly unknown[]): void {
    this.frame(
      this.#spelling === "msgpack"
        ? encodeMsgpack(messages)
        : Buffer.from(JSON.stringify(messages) ?? "null"),
    );
  }

  /** As door.ts does it. */
  frame(bytes: Uint8Array): void {
    let frame: unknown;
    try {
      frame = this.#decoded(bytes);
    } catch (error) {
      hold(error instanceof DecodeError, `a frame fails with ${String(error)}`);
      this.#session.fail({ code: "INVALID_FRAME", message: error.message }, CLOSE.policy);
      return;
    }
    if (Array.isArray(frame)) for (const message of frame) this.#remember(message);
    this.#session.receive(frame);
  }

  cancelAll(): void {
    this.say([...this.asked.keys(), ...this.streams].map(cancel => ({ cancel })));
  }

  drained(): void {
    this.unreadBytes = 0;
    this.#session.drained();
  }

  gone(): void {
    this.#session.closed();
    this.closed ??= "gone";
  }

  #decoded(bytes: Uint8Array): unknown {
    if (this.#spelling === "msgpack") return decodeMsgpack(bytes);
    try {
      return JSON.parse(Buffer.from(bytes).toString("utf8"));
    } catch {
      throw new DecodeError("the frame is not JSON");
    }
  }

  #encoded(messages: readonly unknown[]): unknown {
    if (this.#spelling === "json") return JSON.parse(JSON.stringify(messages));
    return decodeMsgpack(encodeMsgpack(messages));
  }

  #remember(message: unknown): void {
    if (!isFields(message)) return;
    const { id, op } = message;
    if (typeof id !== "number" || typeof op !== "string") return;
    const before = this.asked.get(id);
    if (before === undefined) this.asked.set(id, [op]);
    else before.push(op);
  }

  /** Takes out what the first answer to `id` speaks of. */
  #settle(id: number): string | undefined {
    const [first, ...rest] = this.asked.get(id) ?? [];
    if (rest.length > 0) this.asked.set(id, rest);
    else this.asked.delete(id);
    return first;
  }

  #take(messages: unknown): void {
    hold(this.closed === null, "nothing is sent after the end");
    hold(Array.isArray(messages), "a frame is a list");
    for (const message of messages) {
      hold(isFields(message), "a message is an object");
      if (message.welcome !== undefined) continue;
      if (message.event !== undefined) this.#event(message);
      else if (message.ok !== undefined) this.#answered(Number(message.id), message.ok);
      else this.#refused(Number(message.id), message.error);
    }
  }

  #answered(id: number, ok: unknown): void {
    const op = this.#settle(id);
    hold(op !== undefined, `an answer to ${id}, which was not asked`);
    hold(isFields(ok), "a result is an object");
    const inward = structuredClone(ok) as Record<string, unknown>;
    borders[this.#spelling].inward(inward);
    const check = results.get(op);
    hold(check?.Check(inward) === true, `${op} answers ${JSON.stringify(ok)}`);
    if (isOperationName(op) && OPERATION_KINDS[op] === "stream") this.streams.add(id);
    this.answers += 1;
  }

  #refused(id: number, error: unknown): void {
    hold(isFields(error), "an error is an object");
    const { code, message, retryable, outcome, requestId } = error;
    hold(typeof code === "string" && isErrorCode(code), `${String(code)} is no code`);
    const declared = ERRORS[code];
    hold(code !== "INTERNAL", `INTERNAL: ${String(message)}`);
    hold(
      retryable === declared.retryable && outcome === declared.outcome,
      `${code} is as declared`,
    );
    hold(typeof message === "string" && message !== "", `${code} says what is wrong`);
    hold(!/\bat .*:\d+:\d+/.test(message), `${code} shows a stack`);
    hold(typeof requestId === "string", `${code} can be found in the log`);
    hold(id === 0 || this.#settle(id) !== undefined, `an error to ${id}, which was not asked`);
    this.refusals += 1;
  }

  #event(message: Fields): void {
    const { event, id } = message;
    hold(EVENTS.includes(String(event)), `${String(event)} is no event`);
    if (event === "end") this.streams.delete(Number(id));
  }
}
