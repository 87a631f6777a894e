/**
 * At most once: the tables of answers, by client and number, and by idempotency key. A window is
 * kept while its session's lease lives, or for a time of cluster time after its last use; a key
 * for a time after its last use; both as long as an entry they made stands in line. Who asks again
 * is told the first answer; what an acquire's answer means by now is for the lock room to say.
 */
import { assert } from "../../base/assert.js";
import { DeadlineHeap } from "../../base/deadline-heap.js";
import { type CommandResult, refuse } from "../command/result.js";
import { KeyMap } from "../kv/key-map.js";
import type { StateLimits } from "../limits.js";
import { answerBytes } from "./answer-bytes.js";
import { Answers, KeptAnswer } from "./answers.js";
import { mostKeptBytes, windowCapacity } from "./room.js";
import { ClientWindow } from "./window.js";

const KEY_BYTES = 160;

export class IdempotentAnswer {
  readonly key: string;
  readonly fingerprint: string;
  /** null: it was too large to be kept then. */
  readonly result: CommandResult | null;
  readonly lastUsedMs: number;

  constructor(key: string, fingerprint: string, result: CommandResult | null, lastUsedMs: number) {
    this.key = key;
    this.fingerprint = fingerprint;
    this.result = result;
    this.lastUsedMs = lastUsedMs;
  }

  get bytes(): number {
    return KEY_BYTES + this.key.length + this.fingerprint.length + answerBytes(this.result);
  }
}

/** Tells whether an answer speaks of an entry that stands in line. */
export type IsLive = (result: CommandResult) => boolean;

/** What the tables hold at one moment. */
export interface RequestsView {
  readonly windows: KeyMap<ClientWindow>;
  readonly idempotent: KeyMap<IdempotentAnswer>;
}

export class Requests {
  readonly #windows = new KeyMap<ClientWindow>();
  readonly #idempotent = new KeyMap<IdempotentAnswer>();
  /** Windows by client, for the way of every request. */
  readonly #byClient = new Map<string, ClientWindow>();
  readonly #byLease = new Map<string, Set<string>>();
  /**
   * When to look at a table's row again: never later than it is due, often earlier, since use does
   * not move it. `c` and a client, or `i` and a key.
   */
  readonly #deadlines = new DeadlineHeap<string>();
  /** The window of the last `find` that gave null. */
  #present: ClientWindow | null = null;
  #epoch = 1;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get clients(): number {
    return this.#byClient.size;
  }

  get keys(): number {
    return this.#idempotent.size;
  }

  /**
   * The answer for a request that was seen before, a refusal, or null: execute it, then `keep`.
   * Moves the client's floor and its session.
   */
  find(
    client: string,
    number: number,
    low: number,
    a: number,
    b: number,
    lease: string,
    nowMs: number,
    limits: StateLimits,
  ): CommandResult | null {
    const found = this.#byClient.get(client);
    if (found === undefined && this.#byClient.size >= limits.maxRequestClients) {
      return refuse("REQUESTS_FULL", { limit: limits.maxRequestClients });
    }
    const window = this.#own(found, client, nowMs, limits);
    window.lastUsedMs = nowMs;
    if (lease !== "" && window.lease !== lease) this.#bind(window, lease);
    const before = window.bytes;
    window.raiseFloor(low < number ? low : number);
    this.#bytes += window.bytes - before;
    const kept = window.answers.get(number);
    if (kept === undefined) {
      if (number < window.floor) return refuse("REQUEST_EXPIRED", { low: window.floor });
      this.#present = window;
      return null;
    }
    if (kept.a !== a || kept.b !== b) return refuse("REQUEST_ID_REUSED", {});
    return kept.result ?? refuse("REQUEST_EXPIRED", { low: window.floor });
  }

  /** Keeps the first answer. After a `find` that gave null, within the same command. */
  keep(
    client: string,
    number: number,
    a: number,
    b: number,
    result: CommandResult,
    limits: StateLimits,
    isLive: IsLive,
  ): void {
    const window = this.#present;
    assert(window !== null && window.client === client, "find comes before keep");
    assert(window.epoch === this.#epoch, "no snapshot is taken within a command");
    const before = window.bytes;
    const most = mostKeptBytes(result, this.#bytes, before, limits);
    window.keep(KeptAnswer.of(number, a, b, result, most));
    const capacity = windowCapacity(this.#bytes, limits);
    if (window.isBeyond(capacity)) window.overflow(capacity, isLive);
    this.#bytes += window.bytes - before;
  }

  /** As `find`, for an idempotency key. */
  findKey(
    key: string,
    fingerprint: string,
    nowMs: number,
    limits: StateLimits,
  ): CommandResult | null {
    const kept = this.#idempotent.get(key);
    if (kept === undefined) {
      if (this.#idempotent.size < limits.maxIdempotencyKeys) return null;
      return refuse("IDEMPOTENCY_FULL", { limit: limits.maxIdempotencyKeys });
    }
    if (kept.fingerprint !== fingerprint) return refuse("REQUEST_ID_REUSED", {});
    this.#idempotent.set(key, new IdempotentAnswer(key, fingerprint, kept.result, nowMs));
    return kept.result ?? refuse("REQUEST_EXPIRED", { low: 0 });
  }

  keepKey(
    key: string,
    fingerprint: string,
    result: CommandResult,
    nowMs: number,
    limits: StateLimits,
  ): void {
    const small = answerBytes(result) <= mostKeptBytes(result, this.#bytes, 0, limits);
    this.addKey(new IdempotentAnswer(key, fingerprint, small ? result : null, nowMs), limits);
  }

  /** The session is over: its windows are kept for their time from now on. */
  leaseEnded(lease: string, nowMs: number, limits: StateLimits): void {
    const clients = this.#byLease.get(lease);
    if (clients === undefined) return;
    this.#byLease.delete(lease);
    for (const client of clients) {
      const window = this.#own(this.#byClient.get(client), client, nowMs, limits);
      window.lease = "";
      window.lastUsedMs = nowMs;
      this.#deadlines.set(`c${client}`, nowMs + limits.requestClientKeptMs);
    }
  }

  /**
   * Forgets what is due. In (deadline, id) order, which nobody can see: forgetting tells no one.
   */
  expire(nowMs: number, limits: StateLimits, isLive: IsLive): void {
    while (this.#deadlines.nextDeadline() <= nowMs) {
      const id = this.#deadlines.nextId();
      assert(id !== undefined, "a heap with a deadline has an id");
      if (id.startsWith("c")) this.#expireWindow(id, nowMs, limits, isLive);
      else this.#expireKey(id, nowMs, limits, isLive);
    }
  }

  /** The tables of now; from here on windows are copied before they change. */
  view(): RequestsView {
    this.#epoch++;
    return { windows: this.#windows.clone(), idempotent: this.#idempotent.clone() };
  }

  /** For a loader: a window as it was, built with `newWindow`. */
  addWindow(window: ClientWindow, limits: StateLimits): void {
    this.#windows.set(window.client, window);
    this.#byClient.set(window.client, window);
    this.#bytes += window.bytes;
    if (window.lease !== "") {
      this.#noteLease(window);
    } else {
      this.#deadlines.set(`c${window.client}`, window.lastUsedMs + limits.requestClientKeptMs);
    }
  }

  newWindow(client: string, overflowAt: number): ClientWindow {
    return new ClientWindow(client, this.#epoch, overflowAt, new Answers(null));
  }

  addKey(answer: IdempotentAnswer, limits: StateLimits): void {
    this.#idempotent.set(answer.key, answer);
    this.#bytes += answer.bytes;
    this.#deadlines.set(`i${answer.key}`, answer.lastUsedMs + limits.idempotencyKeptMs);
  }

  /** The client's window, new if need be, as one that may be changed. */
  #own(
    found: ClientWindow | undefined,
    client: string,
    nowMs: number,
    limits: StateLimits,
  ): ClientWindow {
    if (found !== undefined && found.epoch === this.#epoch) return found;
    if (found !== undefined) {
      const copy = found.copy(this.#epoch);
      this.#windows.set(client, copy);
      this.#byClient.set(client, copy);
      return copy;
    }
    const window = this.newWindow(client, limits.requestWindowPerClient);
    window.lastUsedMs = nowMs;
    this.addWindow(window, limits);
    return window;
  }

  #bind(window: ClientWindow, lease: string): void {
    if (window.lease !== "") this.#unnoteLease(window);
    window.lease = lease;
    this.#noteLease(window);
  }

  #noteLease(window: ClientWindow): void {
    const clients = this.#byLease.get(window.lease);
    if (clients === undefined) this.#byLease.set(window.lease, new Set([window.client]));
    else clients.add(window.client);
  }

  #unnoteLease(window: ClientWindow): void {
    const clients = this.#byLease.get(window.lease);
    if (clients === undefined) return;
    clients.delete(window.client);
    if (clients.size === 0) this.#byLease.delete(window.lease);
  }

  #expireWindow(id: string, nowMs: number, limits: StateLimits, isLive: IsLive): void {
    const window = this.#byClient.get(id.slice(1));
    if (window === undefined || window.lease !== "") {
      this.#deadlines.delete(id);
      return;
    }
    const due = window.lastUsedMs + limits.requestClientKeptMs;
    if (due > nowMs) {
      this.#deadlines.set(id, due);
      return;
    }
    if (window.holdsLive(isLive)) {
      // As if used now: so a node that begins with a snapshot looks again at the same time.
      this.#own(window, window.client, nowMs, limits).lastUsedMs = nowMs;
      this.#deadlines.set(id, nowMs + limits.requestClientKeptMs);
      return;
    }
    this.#deadlines.delete(id);
    this.#windows.delete(window.client);
    this.#byClient.delete(window.client);
    this.#bytes -= window.bytes;
  }

  #expireKey(id: string, nowMs: number, limits: StateLimits, isLive: IsLive): void {
    const kept = this.#idempotent.get(id.slice(1));
    if (kept === undefined) {
      this.#deadlines.delete(id);
      return;
    }
    const due = kept.lastUsedMs + limits.idempotencyKeptMs;
    if (due > nowMs) {
      this.#deadlines.set(id, due);
    } else if (kept.result !== null && isLive(kept.result)) {
      const { key, fingerprint, result } = kept;
      this.#idempotent.set(key, new IdempotentAnswer(key, fingerprint, result, nowMs));
      this.#deadlines.set(id, nowMs + limits.idempotencyKeptMs);
    } else {
      this.#deadlines.delete(id);
      this.#idempotent.delete(kept.key);
      this.#bytes -= kept.bytes;
    }
  }
}
