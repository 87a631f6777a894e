/**
 * All requests of a client: numbers them, sends those of one turn in one frame, sends again what a
 * lost connection left open, asks again what a node could not serve, and ends what took too long.
 * Knows no locks and no leases; streams stand in streams.ts and only pass through here.
 *
 * Hot path: one object and one promise a request, no timer and no closure.
 */
import { LIMITS } from "holdfast-protocol";
import type { Answer, Call } from "./call.js";
import { CallTable } from "./call-table.js";
import { packable } from "./codec.js";
import {
  errorFrom,
  type HoldfastError,
  type TakenError,
  TRANSIENT,
  UnavailableError,
} from "./errors.js";
import { outcomeUnknown, outOfTime, tooManyWaits, waitOver } from "./failures.js";
import { fieldsOf, unreadable } from "./incoming.js";
import type { Link } from "./link.js";
import { sendAll } from "./outbox.js";
import type { Platform } from "./platform.js";
import { Room } from "./room.js";
import { Sweep } from "./sweep.js";

/** What hears the events of a stream; see streams.ts. */
export interface StreamSink {
  onEvent(event: Answer): void;
  onConnection(isOpen: boolean): void;
  /** The client was closed; nothing follows. */
  onClosed(error: HoldfastError): void;
}

export interface RequestsWatcher {
  /** A node answered that it cannot serve, or that it can. */
  onService(isServing: boolean): void;
}

/**
 * Room for requests under way. A node keeps at least the last 768 answers to a client's writes, so
 * what is sent again after a lost connection should be among the newest so many. Waits and what is
 * urgent are not counted here, so in a crowd of those it may not be: it is refused then
 * (`REQUEST_EXPIRED`), and its outcome told as unknown.
 */
const CALLS_UNDER_WAY = 700;
/** Waits have their own, below what a connection may have. Only bounded ones are held back. */
const WAITS_UNDER_WAY = LIMITS.outstandingRequests - 2 * CALLS_UNDER_WAY;

const FIRST_RETRY_MS = 20;
/** Short, since an election takes about that long. */
const LONGEST_RETRY_MS = 200;

export class Requests {
  readonly #platform: Platform;
  readonly #link: Link;
  readonly #watcher: RequestsWatcher;
  readonly #sweep: Sweep;
  /** Everything that has a number and no answer, in the order of the numbers. */
  readonly #calls = new CallTable();
  readonly #streams = new Map<number, StreamSink>();
  readonly #sinks = new Set<StreamSink>();
  readonly #roomForCalls = new Room(CALLS_UNDER_WAY);
  readonly #roomForWaits = new Room(WAITS_UNDER_WAY);
  readonly #flush = (): void => this.#flushNow();
  #queue: Call[] = [];
  #cancels: number[] = [];
  #flushScheduled = false;
  #nextId = 1;
  #closed: HoldfastError | null = null;
  /** Hears `lost` and `leaseEnded`. */
  onLost: (event: Answer) => void = () => {};

  constructor(platform: Platform, link: Link, watcher: RequestsWatcher) {
    this.#platform = platform;
    this.#link = link;
    this.#watcher = watcher;
    this.#sweep = new Sweep(platform, nowMs => this.#look(nowMs));
  }

  get isBusy(): boolean {
    return this.#calls.size + this.#sinks.size > 0;
  }

  get isConnected(): boolean {
    return this.#link.isOpen;
  }

  /** Why there is no connection, for people; "" if nothing went wrong yet. */
  get linkFailure(): string {
    return this.#link.lastFailure;
  }

  /**
   * Starts `call`, whose policy fields are set. Its promise gets the answer through `decode`.
   * `timeoutMs` counts from now; Infinity is no bound. What persists leaves even when `signal` has
   * fired.
   */
  run(call: Call, timeoutMs: number, signal: AbortSignal | undefined): Promise<unknown> {
    if (this.#closed !== null) return this.refuse(call, this.#closed);
    const hasGone = signal?.aborted === true;
    if (hasGone && !call.persists) return this.refuse(call, signal.reason);
    const promise = promiseOf(call);
    if (hasGone) {
      call.tellFailure(signal.reason);
    } else if (signal !== undefined) {
      call.signal = signal;
      call.onAbort = () => this.giveUp(call, signal.reason);
      signal.addEventListener("abort", call.onAbort);
    }
    if (!call.settled && timeoutMs < Number.POSITIVE_INFINITY) {
      const nowMs = this.#platform.monotonicMs();
      call.deadlineMs = nowMs + timeoutMs;
      this.#sweep.note(call.deadlineMs, nowMs);
    }
    this.#admit(call);
    return promise;
  }

  /** Ends `call` before it starts: its promise rejects with `error`. */
  refuse(call: Call, error: unknown): Promise<unknown> {
    const promise = promiseOf(call);
    this.fail(call, error);
    return promise;
  }

  /**
   * A call that was taken over asks again, under a new number and with other parameters; the same
   * caller waits on.
   */
  again(call: Call, params: Readonly<Record<string, unknown>>): void {
    if (call.settled) return;
    if (this.#closed !== null) {
      this.fail(call, this.#closed);
      return;
    }
    call.params = params;
    call.id = 0;
    call.doubt = false;
    call.attempts = 0;
    call.state = "idle";
    // Its time went on meanwhile.
    const nowMs = this.#platform.monotonicMs();
    if (nowMs >= call.deadlineMs) {
      this.giveUp(call, outOfTime(call, this.#link.lastFailure));
      return;
    }
    this.#sweep.note(call.deadlineMs, nowMs);
    call.shortenWait(nowMs);
    this.#admit(call);
  }

  /** The end of `call`: nothing more is done for it, and its caller gets `error`. */
  fail(call: Call, error: unknown): void {
    this.#drop(call);
    call.tellFailure(error);
  }

  /** The caller is told `error` and waits no more; what may have been sent is seen to its end. */
  giveUp(call: Call, error: unknown): void {
    if (call.settled) return;
    call.deadlineMs = Number.POSITIVE_INFINITY;
    const mayStand = call.doubt || call.state === "inFlight";
    call.tellFailure(error);
    if (!call.persists && (call.undo === null || !mayStand)) {
      this.#drop(call);
      return;
    }
    if (call.undo === null) return;
    // The truth still comes back: if it was granted meanwhile, `undo` gives it up.
    if (call.state === "inFlight") this.#sendCancel(call.id);
  }

  /** A stream's first request. Its events go to `sink` until `endStream`. */
  startStream(call: Call, sink: StreamSink): Promise<unknown> {
    call.perishable = true;
    call.urgent = true;
    const promise = this.run(call, Number.POSITIVE_INFINITY, undefined);
    if (call.id > 0) this.#streams.set(call.id, sink);
    return promise;
  }

  /** No more events under this number; `tell`: the node still sends them. */
  endStream(id: number, tell: boolean): void {
    this.#streams.delete(id);
    const call = this.#calls.get(id);
    if (call !== undefined) {
      call.settled = true;
      this.#drop(call);
    }
    if (tell && this.#link.isOpen) this.#sendCancel(id);
  }

  /** `sink` wants a connection, and to hear of it. */
  addSink(sink: StreamSink): void {
    if (this.#closed !== null) {
      sink.onClosed(this.#closed);
      return;
    }
    this.#sinks.add(sink);
    this.#link.want();
  }

  removeSink(sink: StreamSink): void {
    this.#sinks.delete(sink);
  }

  /** `lease` has ended: what only tidied up behind it is needless. */
  forgetLease(lease: string): void {
    for (const call of [...this.#everyCall()])
      if (call.settled && call.lease === lease) this.#drop(call);
  }

  /** Those who stand in line on `lease` need not any more. */
  endWaits(lease: string, error: HoldfastError): void {
    for (const call of [...this.#everyCall()]) {
      if (call.waits && call.lease === lease) this.fail(call, error);
    }
  }

  /** Ends everything; `closed` is what later callers get. */
  close(closed: HoldfastError): void {
    this.#closed = closed;
    for (const call of [...this.#everyCall()]) {
      this.fail(call, call.mayHaveTakenEffect ? outcomeUnknown(call, closed.message) : closed);
    }
    for (const sink of [...this.#sinks]) sink.onClosed(closed);
    this.#sweep.stop();
  }

  /**
   * The cluster behind the endpoints is another one: nobody will ever tell what became of these.
   */
  doubtAll(): void {
    const why = "the cluster behind the endpoints is another one now";
    for (const call of [...this.#everyCall()])
      if (call.mayHaveTakenEffect) this.fail(call, outcomeUnknown(call, why));
  }

  // The connection comes and goes.

  connected(): void {
    this.#queue = [];
    for (const call of this.#calls) {
      call.state = "queued";
      this.#queue.push(call);
    }
    this.#flushNow();
    for (const sink of [...this.#sinks]) sink.onConnection(true);
  }

  disconnected(): void {
    this.#queue = [];
    this.#cancels = [];
    this.#streams.clear();
    for (const call of [...this.#everyCall()]) {
      if (call.perishable) {
        this.fail(call, new UnavailableError({ code: "UNAVAILABLE", message: "disconnected" }));
        continue;
      }
      if (call.state === "heldBack" || call.state === "done") continue;
      if (call.state === "inFlight") call.doubt = true;
      call.state = "queued";
      if (call.doubt && call.goesOnce)
        this.fail(call, outcomeUnknown(call, "the connection was lost before the answer"));
    }
    for (const sink of [...this.#sinks]) sink.onConnection(false);
  }

  /** One frame's messages. Throws MessageError for one that is none of the protocol's. */
  receive(messages: readonly unknown[]): void {
    for (const raw of messages) {
      const message = fieldsOf(raw, "a message");
      const { id, ok, error, event } = message;
      if (event !== undefined) this.#event(event, id, message);
      else if (typeof id !== "number") continue;
      else if (ok !== undefined) this.#answered(id, fieldsOf(ok, "an answer"));
      else if (error !== undefined) this.#refused(id, fieldsOf(error, "an error"));
    }
  }

  #event(event: unknown, id: unknown, message: Answer): void {
    if (event === "lost" || event === "leaseEnded" || event === "yield") {
      this.onLost(message);
      return;
    }
    if (typeof id !== "number") return;
    if (event === "position") this.#calls.get(id)?.onPosition?.(message);
    else this.#streams.get(id)?.onEvent(message);
  }

  // Sending.

  #admit(call: Call): void {
    if (call.urgent || this.#roomFor(call).enter(call)) {
      this.#takeUp(call);
      return;
    }
    if (call.waits && call.deadlineMs === Number.POSITIVE_INFINITY) {
      this.fail(call, tooManyWaits(call, WAITS_UNDER_WAY));
      return;
    }
    this.#sweep.note(call.waitEndMs, this.#platform.monotonicMs());
    this.#link.want();
  }

  #roomFor(call: Call): Room {
    return call.waits ? this.#roomForWaits : this.#roomForCalls;
  }

  #takeUp(call: Call): void {
    call.id = this.#nextId++;
    this.#calls.add(call);
    this.#enqueue(call);
  }

  #enqueue(call: Call): void {
    call.state = "queued";
    if (!this.#link.isOpen) {
      this.#link.want();
      return;
    }
    this.#queue.push(call);
    this.#scheduleFlush();
  }

  #sendCancel(id: number): void {
    this.#cancels.push(id);
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#platform.schedule(this.#flush);
  }

  #flushNow(): void {
    this.#flushScheduled = false;
    if (!this.#link.isOpen) return;
    const queue = this.#queue;
    const cancels = this.#cancels;
    if (queue.length + cancels.length === 0) return;
    this.#queue = [];
    this.#cancels = [];
    const nowMs = this.#platform.monotonicMs();
    const low = this.#calls.first?.id ?? this.#nextId;
    const messages: object[] = [];
    let mayNeedMs = Number.POSITIVE_INFINITY;
    for (const call of queue) {
      if (call.state !== "queued") continue;
      call.state = "inFlight";
      call.sentAtMs = nowMs;
      mayNeedMs = Math.min(mayNeedMs, call.answerByMs);
      const { id, op } = call;
      const params = packable(call.params);
      // One `low` a frame is enough.
      messages.push(messages.length === 0 ? { id, op, params, low } : { id, op, params });
      // It asks only for what became of it: nobody wants it to stand in line.
      if (call.settled && call.undo !== null) cancels.push(id);
    }
    for (const cancel of cancels) messages.push({ cancel });
    sendAll(messages, this.#link, (id, failure) => this.#unsendable(id, failure));
    this.#sweep.note(mayNeedMs, nowMs);
  }

  /** A request that no frame can carry. */
  #unsendable(id: number, failure: HoldfastError): void {
    const call = this.#calls.get(id);
    if (call !== undefined) this.fail(call, failure);
  }

  // Answers.

  #answered(id: number, ok: Answer): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#drop(call);
    if (call.settled) {
      this.#undo(call, ok);
      return;
    }
    call.settled = true;
    try {
      call.resolve(call.decode(ok, call));
    } catch (error) {
      call.reject(unreadable(call.op, error));
    }
    // What `decode` still waits for may be ended by the signal as well.
    call.detachSignal();
    if (call.needsQuorum) this.#watcher.onService(true);
  }

  /** What cannot be read cannot be given back either. */
  #undo(call: Call, ok: Answer): void {
    try {
      call.undo?.(ok);
    } catch (error) {
      call.lastFailure = unreadable(call.op, error);
    }
  }

  #refused(id: number, wire: TakenError): void {
    const error = errorFrom(wire);
    const call = this.#calls.get(id);
    if (id === 0) {
      this.#link.rotate(error.message);
      return;
    }
    if (call === undefined) return;
    const unknownWrite = error.code === "OUTCOME_UNKNOWN" && call.isWrite;
    if (unknownWrite) call.doubt = true;
    if ((unknownWrite && !call.goesOnce) || TRANSIENT.has(error.code)) {
      this.#park(call, error);
      return;
    }
    if (error.code === "REQUEST_EXPIRED" && !call.doubt) {
      this.#renumber(call);
      return;
    }
    this.#drop(call);
    if (call.settled || call.recover?.(error, call) === true) return;
    call.tellFailure(error);
  }

  /** It took no effect, and its number is too old by now: nothing is lost with the number. */
  #renumber(call: Call): void {
    this.#calls.remove(call);
    call.id = this.#nextId++;
    this.#calls.add(call);
    this.#enqueue(call);
  }

  #park(call: Call, error: HoldfastError): void {
    this.#watcher.onService(false);
    const longestMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(call.attempts, 10), LONGEST_RETRY_MS);
    const nowMs = this.#platform.monotonicMs();
    call.lastFailure = error;
    call.attempts += 1;
    call.state = "parked";
    call.retryAtMs = nowMs + longestMs / 2 + this.#platform.below(longestMs / 2);
    this.#sweep.note(call.retryAtMs, nowMs);
    if (error.code === "SHUTTING_DOWN") this.#link.rotate(error.message);
  }

  // Ends.

  /** Looks at everything; returns when to look again. */
  #look(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    let isDead = false;
    for (const call of [...this.#everyCall()]) {
      const { answerByMs } = call;
      if (answerByMs <= nowMs) isDead = true;
      else nextMs = Math.min(nextMs, answerByMs);
      if (call.state === "heldBack") {
        if (call.waitEndMs <= nowMs) this.fail(call, waitOver(call));
        else nextMs = Math.min(nextMs, call.waitEndMs);
      }
      if (call.deadlineMs <= nowMs) this.giveUp(call, outOfTime(call, this.#link.lastFailure));
      if (call.state === "done") continue;
      nextMs = Math.min(nextMs, call.deadlineMs);
      if (call.state !== "parked") continue;
      if (call.retryAtMs <= nowMs) this.#enqueue(call);
      else nextMs = Math.min(nextMs, call.retryAtMs);
    }
    if (isDead) this.#link.rotate("a request got no answer");
    return nextMs;
  }

  #drop(call: Call): void {
    const room = this.#roomFor(call);
    room.leave(call);
    call.state = "done";
    this.#calls.remove(call);
    const { onDone } = call;
    call.onDone = null;
    onDone?.(call);
    const next = room.next();
    if (next === null) return;
    next.shortenWait(this.#platform.monotonicMs());
    this.#takeUp(next);
  }

  *#everyCall(): IterableIterator<Call> {
    yield* this.#calls;
    yield* this.#roomForCalls;
    yield* this.#roomForWaits;
  }
}

function promiseOf(call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call.resolve = resolve;
    call.reject = reject;
  });
}
