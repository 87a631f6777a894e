/**
 * A stream of events as an async iterable: watches and observations. It starts when it is first
 * read, goes on after a lost connection where it left off, and stops the node when the reader is
 * slow: nothing is dropped, nothing comes twice, and no more than a bounded number waits here.
 */
import type { OperationName } from "holdfast-protocol";
import { invalid, isSignal } from "./arguments.js";
import { type Answer, Call } from "./call.js";
import { errorFrom, type HoldfastError, TRANSIENT } from "./errors.js";
import { Fifo } from "./fifo.js";
import { fieldsOf } from "./incoming.js";
import type { Cancel, Platform } from "./platform.js";
import type { Requests, StreamSink } from "./requests.js";

/** Past so many unread items the stream is stopped at the node; below the lesser it goes on. */
const MOST_UNREAD = 4096;
const FEW_UNREAD = 512;
const RESTART_AFTER_MS = 200;

export interface StreamPlan<Item> {
  readonly op: OperationName;
  /** The parameters but `from`. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The first revision wanted; absent: from when it stands. */
  readonly from?: number;
  /** Whether, once the stream stands, what comes after that moment must not be missed. */
  readonly resumesFromStart: boolean;
  items(event: Answer): readonly Item[];
}

/** Where a stream is to begin, as a plan has it. Throws `INVALID_PARAMETER`. */
export function beginning(from: number | undefined): { readonly from?: number } {
  if (from === undefined) return {};
  if (Number.isSafeInteger(from) && from >= 0) return { from };
  throw invalid("from", "an integer from 0 on, or absent");
}

interface Reader<Item> {
  resolve(result: IteratorResult<Item>): void;
  reject(error: unknown): void;
}

export class Stream<Item> implements AsyncIterableIterator<Item>, StreamSink {
  readonly #platform: Platform;
  readonly #requests: Requests;
  readonly #plan: StreamPlan<Item>;
  readonly #signal: AbortSignal | undefined;
  readonly #items = new Fifo<Item>();
  readonly #readers = new Fifo<Reader<Item>>();
  readonly #onAbort = (): void => this.#fail(this.#signal?.reason);
  #state: "new" | "live" | "over" = "new";
  #isConnected = false;
  #error: { readonly reason: unknown } | null = null;
  /** The first revision that was not told yet; 0: whatever comes. */
  #next: number;
  #call: Call | null = null;
  #restart: Cancel | null = null;

  constructor(
    platform: Platform,
    requests: Requests,
    plan: StreamPlan<Item>,
    signal: AbortSignal | undefined,
  ) {
    if (signal !== undefined && !isSignal(signal)) throw invalid("signal", "an AbortSignal");
    this.#platform = platform;
    this.#requests = requests;
    this.#plan = plan;
    this.#signal = signal;
    this.#next = plan.from ?? 0;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item>> {
    this.#begin();
    const item = this.#items.shift();
    if (item !== undefined) {
      if (this.#items.length < FEW_UNREAD) this.#start();
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#error !== null) {
      const { reason } = this.#error;
      this.#error = null;
      return Promise.reject(reason);
    }
    if (this.#state === "over") return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Ends it; what was not read is dropped. */
  return(): Promise<IteratorResult<Item>> {
    this.#items.clear();
    this.#error = null;
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  onConnection(isOpen: boolean): void {
    this.#isConnected = isOpen;
    this.#call = null;
    if (isOpen) this.#start();
  }

  onClosed(error: HoldfastError): void {
    this.#call = null;
    this.#fail(error);
  }

  onEvent(event: Answer): void {
    if (this.#state !== "live" || event.id !== this.#call?.id) return;
    if (event.event === "end") {
      const { error } = event;
      this.#broken(error === undefined ? undefined : errorFrom(fieldsOf(error, "an error")));
      return;
    }
    // Before anything is noted: what cannot be read comes again on another connection.
    const items = this.#plan.items(event);
    const revision = event.revision;
    if (typeof revision === "number") {
      // A node that repeats itself is not told on.
      if (this.#plan.resumesFromStart && revision < this.#next) return;
      this.#next = revision + 1;
    }
    for (const item of items) this.#deliver(item);
    if (this.#items.length > MOST_UNREAD) this.#stop();
  }

  #begin(): void {
    if (this.#state !== "new") return;
    if (this.#signal?.aborted === true) {
      this.#state = "over";
      this.#error = { reason: this.#signal.reason };
      return;
    }
    this.#state = "live";
    this.#signal?.addEventListener("abort", this.#onAbort);
    this.#isConnected = this.#requests.isConnected;
    this.#requests.addSink(this);
    this.#start();
  }

  #start(): void {
    if (this.#state !== "live" || !this.#isConnected || this.#call !== null) return;
    this.#restart?.();
    this.#restart = null;
    const { op, params } = this.#plan;
    const from = this.#next > 0 ? { from: this.#next } : {};
    const call = new Call(op, { ...params, ...from }, ok => this.#stands(ok));
    this.#call = call;
    this.#requests.startStream(call, this).catch(error => {
      if (this.#call === call) this.#broken(error as HoldfastError);
    });
  }

  #stands(ok: Answer): void {
    const revision = ok.revision;
    if (!this.#plan.resumesFromStart || typeof revision !== "number") return;
    // From here on the start is fixed, even if the first event never came.
    if (this.#next === 0) this.#next = revision + 1;
  }

  /** The node ended it, or would not start it. */
  #broken(error: HoldfastError | undefined): void {
    const { code } = error ?? {};
    const id = this.#call?.id ?? 0;
    this.#call = null;
    this.#requests.endStream(id, false);
    if (error !== undefined && !(TRANSIENT.has(code ?? "") || code === "SLOW_READER")) {
      this.#fail(error);
      return;
    }
    this.#restart ??= this.#platform.after(RESTART_AFTER_MS, () => {
      this.#restart = null;
      this.#start();
    });
  }

  #deliver(item: Item): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else reader.resolve({ done: false, value: item });
  }

  #fail(reason: unknown): void {
    if (this.#state === "over") return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#error = { reason };
    else reader.reject(reason);
    this.#end();
  }

  /** The reader is slow: the node tells no more until there is room. */
  #stop(): void {
    const call = this.#call;
    this.#call = null;
    if (call !== null) this.#requests.endStream(call.id, true);
  }

  #end(): void {
    if (this.#state === "over") return;
    this.#stop();
    this.#state = "over";
    this.#restart?.();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#requests.removeSink(this);
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift())
      reader.resolve({ done: true, value: undefined });
  }
}
