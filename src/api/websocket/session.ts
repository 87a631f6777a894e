/**
 * One connection's life in messages: hello and welcome, requests, cancels, answers, pushed
 * events. It takes decoded frames and gives messages to a sink, and knows no socket and no
 * encoding, so that tests and a simulator run it as it is. The door (door.ts) makes one for each
 * WebSocket.
 *
 * Requests reach the coordinator in the order in which they came. What is to be sent is gathered
 * and leaves in one piece at the end of the loop's turn.
 */
import type {
  AnswerMessage,
  ErrorMessage,
  EventMessage,
  PushedEvent,
  ServerMessage,
} from "holdfast-protocol";
import { AssertionError } from "../../base/assert.js";
import type { Limits } from "../../base/limits.js";
import { NumberMap } from "../../base/number-map.js";
import type { Cancel, Clock, EndOfTurn } from "../../base/ports.js";
import type {
  Call,
  CallContext,
  Connection,
  Coordinator,
  Failure,
  Outcome,
} from "../../replica/coordinator/index.js";
import { Backlog } from "../backlog.js";
import { plainFailure, tooMuchUnread, wireError } from "../calls/failure.js";
import { type Border, TextError } from "../calls/text.js";
import { type CheckedOperation, type Operations, unknownOperation } from "../calls/validation.js";
import type { ObserveCall } from "../latency.js";
import {
  type Hello,
  isRecord,
  MessageError,
  type Request,
  readCancel,
  readHello,
  readRequest,
} from "./messages.js";
import { answerWeight, eventWeight, failureWeight } from "./weight.js";
import { greet } from "./welcome.js";

/** Where a session's messages go. */
export interface SessionSink {
  /** One frame. Throws if the messages cannot be encoded. */
  send(messages: readonly ServerMessage[]): void;
  /** What was sent and is still waiting for the network, in bytes. */
  bufferedBytes(): number;
  /** Takes no frames off the network until told otherwise. Absent: they keep coming. */
  pause?(paused: boolean): void;
  /** Ends the connection, after what was sent. `closed` of the session still follows. */
  close(code: number, reason: string): void;
}

/** What all sessions of a door share. */
export interface SessionHouse {
  readonly coordinator: Coordinator;
  readonly operations: Operations;
  readonly border: Border;
  readonly clock: Clock;
  readonly endOfTurn: EndOfTurn;
  readonly limits: Limits;
  readonly observe: ObserveCall;
  /** Draws the id by which an error is found in the log. */
  nextRequestId(): string;
}

/** Close codes of RFC 6455 that a session uses. */
export const CLOSE = {
  goingAway: 1001,
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
  tryAgain: 1013,
} as const;

/** Past so many bytes what was gathered is sent before the turn ends. */
const EARLY_FLUSH_BYTES = 1_048_576;
/** A connection that has not said hello by then is ended, as a request that is not whole would be. */
const HELLO_WITHIN_MS = 10_000;
const NO_PARAMS = {};

interface Frame {
  readonly messages: readonly ServerMessage[];
  readonly bytes: number;
}

const POLL_WITHOUT_CLIENT: Failure = {
  code: "INVALID_PARAMETER",
  message: "pollMs needs a client in the hello: the same request of the same client asks on",
  details: { parameter: "pollMs" },
};

export class FrameSession {
  readonly #house: SessionHouse;
  readonly #sink: SessionSink;
  readonly #connection: Connection;
  /** Calls without their answer, and streams that stand. */
  readonly #calls = new NumberMap<Call>();
  readonly #flush = (): void => this.#flushNow();
  readonly #cancelHelloTimer: Cancel;
  #out: ServerMessage[] = [];
  #outBytes = 0;
  #flushScheduled = false;
  #hello: Hello | null = null;
  #low = 1;
  #open = true;
  readonly #backlog: Backlog;
  /** Frames that are encoded and sent when the network has taken what was. */
  #waiting: Frame[] = [];
  #waitingBytes = 0;

  constructor(house: SessionHouse, sink: SessionSink) {
    this.#house = house;
    this.#sink = sink;
    this.#connection = house.coordinator.connect(event => this.#pushed(event));
    this.#backlog = new Backlog(house.clock, house.limits, {
      bufferedBytes: () => sink.bufferedBytes(),
      hold: () => {
        this.#connection.holdStreams();
        sink.pause?.(true);
      },
      resume: () => this.#resumed(),
      cut: () => this.#cut(),
    });
    this.#cancelHelloTimer = house.clock.after(HELLO_WITHIN_MS, () =>
      this.fail({ code: "REQUEST_TIMEOUT", message: "no hello came in time" }, CLOSE.policy),
    );
  }

  /** One decoded frame. Whatever it is, the session answers it or ends the connection by name. */
  receive(frame: unknown): void {
    if (!this.#open) return;
    const { maxMessagesPerFrame } = this.#house.limits;
    try {
      if (!Array.isArray(frame)) throw new MessageError("a frame is an array of messages");
      if (frame.length > maxMessagesPerFrame)
        throw new MessageError(`a frame has at most ${maxMessagesPerFrame} messages`);
      const nowMs = this.#house.clock.monotonicMs();
      for (let at = 0; at < frame.length && this.#open; at += 1) this.#message(frame[at], nowMs);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.fail({ code: "INVALID_FRAME", message: error.message }, CLOSE.policy);
    }
  }

  /** Tells the client why, and ends the connection. */
  fail(failure: Failure, closeCode: number): void {
    if (!this.#open) return;
    this.#out.push(this.#error(0, failure));
    // The last word does not wait for what is still to be read.
    this.#send(this.#out);
    if (!this.#open) return;
    this.#end();
    this.#sink.close(closeCode, failure.code);
  }

  /** The node stops: clients go to another one. */
  stop(): void {
    this.fail(plainFailure("SHUTTING_DOWN"), CLOSE.goingAway);
  }

  /** Some of what was sent has left: the door calls it after each frame. */
  drained(): void {
    this.#backlog.drained();
  }

  /** The connection is gone. Waits stay in line until their leases run out. */
  closed(): void {
    if (this.#open) this.#end();
  }

  #end(): void {
    this.#open = false;
    this.#cancelHelloTimer();
    this.#backlog.end();
    this.#out = [];
    this.#waiting = [];
    this.#calls.clear();
    this.#connection.close(false);
  }

  #message(message: unknown, nowMs: number): void {
    if (!isRecord(message)) throw new MessageError("a message is an object");
    if (this.#hello === null) {
      this.#greeted(readHello(message, this.#house.limits));
      return;
    }
    const { op, cancel, hello } = message;
    if (op !== undefined) {
      this.#request(readRequest(message), nowMs);
      return;
    }
    if (cancel !== undefined) {
      this.#calls.get(readCancel(message))?.cancel();
      return;
    }
    if (hello !== undefined) throw new MessageError("hello is said once, as the first message");
    throw new MessageError("a message is a request (id, op, params) or a cancel");
  }

  #greeted(hello: Hello): void {
    this.#hello = hello;
    this.#cancelHelloTimer();
    if (hello.leases.length > 0) this.#connection.attachLeases(hello.leases);
    greet(this.#house, this.#connection, hello, welcome => {
      if (this.#open) this.#queue({ welcome: this.#house.border.outward(welcome) }, 0);
    });
  }

  #request(request: Request, nowMs: number): void {
    const { id } = request;
    if (this.#calls.has(id)) throw new MessageError(`request ${id} is under way already`);
    if (request.low > this.#low) this.#low = request.low;
    const { maxPendingPerConnection: limit } = this.#house.limits;
    const operation = this.#house.operations.get(request.op);
    if (operation === undefined) {
      this.#refuse(id, unknownOperation(request.op));
      return;
    }
    const params = request.params ?? NO_PARAMS;
    const refusal =
      this.#calls.size >= limit
        ? { ...plainFailure("TOO_MANY_REQUESTS"), details: { limit } }
        : this.#unfit(operation, params);
    if (refusal !== null) {
      this.#house.observe(operation.name, 0, false);
      this.#refuse(id, refusal);
      return;
    }
    const call = this.#connection.call(
      operation.name,
      // Checked against the very schema that the type is made from.
      params as never,
      this.#context(id),
      outcome => this.#settled(operation, id, nowMs, outcome),
    );
    this.#calls.set(id, call);
  }

  #unfit(operation: CheckedOperation, params: Record<string, unknown>): Failure | null {
    try {
      this.#house.border.inward(params);
    } catch (error) {
      if (!(error instanceof TextError)) throw error;
      return {
        code: "INVALID_PARAMETER",
        message: error.message,
        details: { parameter: error.field },
      };
    }
    if (params.pollMs !== undefined && this.#hello?.client === null) return POLL_WITHOUT_CLIENT;
    return operation.check(params);
  }

  #context(id: number): CallContext {
    const client = this.#hello?.client ?? null;
    if (client === null) return { id };
    return { id, request: { client, number: id, low: Math.min(this.#low, id) } };
  }

  #settled(operation: CheckedOperation, id: number, beganMs: number, outcome: Outcome): void {
    if (!this.#open) return;
    const { clock, observe, border } = this.#house;
    const weight = outcome.ok ? answerWeight(operation.name, outcome.result) : 0;
    const told = this.#tooMuch(operation, weight) ?? outcome;
    observe(operation.name, clock.monotonicMs() - beganMs, told.ok);
    if (!told.ok || operation.kind !== "stream") this.#calls.delete(id);
    if (!told.ok) {
      this.#refuse(id, told.failure);
      return;
    }
    const answer: AnswerMessage = {
      id,
      ok: border.outward(told.result) as AnswerMessage["ok"],
    };
    this.#queue(answer, weight);
  }

  get #unsentBytes(): number {
    return this.#waitingBytes + this.#outBytes;
  }

  /** A read may be refused when it is done, since nothing was applied. Null: there is room. */
  #tooMuch(operation: CheckedOperation, weight: number): Outcome | null {
    const { maxConnectionBacklogBytes: limitBytes } = this.#house.limits;
    if (operation.kind !== "read" || !this.#backlog.held) return null;
    if (this.#unsentBytes + weight <= limitBytes) return null;
    return { ok: false, failure: tooMuchUnread(limitBytes) };
  }

  #pushed(event: PushedEvent): void {
    if (!this.#open) return;
    if (event.event === "end") this.#calls.delete(event.id);
    this.#queue(this.#house.border.outward(event) as EventMessage, eventWeight(event));
  }

  #refuse(id: number, failure: Failure): void {
    this.#queue(this.#error(id, failure), failureWeight(failure));
  }

  #error(id: number, failure: Failure): ErrorMessage {
    return { id, error: wireError(failure, this.#house.nextRequestId(), this.#house.border) };
  }

  #queue(message: ServerMessage, weight: number): void {
    this.#out.push(message);
    this.#outBytes += weight;
    if (this.#outBytes > EARLY_FLUSH_BYTES) {
      this.#flushNow();
      return;
    }
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#house.endOfTurn.schedule(this.#flush);
  }

  #flushNow(): void {
    this.#flushScheduled = false;
    if (!this.#open || this.#out.length === 0) return;
    if (!this.#backlog.held) {
      const messages = this.#out;
      this.#out = [];
      this.#outBytes = 0;
      this.#send(messages);
    } else if (this.#outBytes > EARLY_FLUSH_BYTES) {
      // Reads were refused from the limit on: this is what cannot be refused any more.
      if (this.#unsentBytes > 2 * this.#house.limits.maxConnectionBacklogBytes) this.#cut();
      else this.#setAside();
    }
  }

  /** One frame for later. */
  #setAside(): void {
    this.#waiting.push({ messages: this.#out, bytes: this.#outBytes });
    this.#waitingBytes += this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
  }

  #resumed(): void {
    if (this.#out.length > 0) this.#setAside();
    while (this.#open && !this.#backlog.held) {
      const frame = this.#waiting.shift();
      if (frame === undefined) {
        this.#caughtUp();
        return;
      }
      this.#waitingBytes -= frame.bytes;
      this.#send(frame.messages);
    }
  }

  #caughtUp(): void {
    this.#connection.resumeStreams();
    this.#sink.pause?.(false);
  }

  /** What cannot be encoded ends this connection, and must not end the node. */
  #send(messages: readonly ServerMessage[]): void {
    try {
      this.#sink.send(messages);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.#end();
      this.#sink.close(CLOSE.internal, "INTERNAL");
      return;
    }
    this.#backlog.sent();
  }

  #cut(): void {
    this.#end();
    this.#sink.close(CLOSE.tryAgain, "SLOW_READER");
  }
}
