/**
 * One lease as the client knows it, and the rule by which the client trusts it: a grant on it is
 * held until `newest echoed stamp + ttl × 0.99 − margin` by this process's own monotonic clock, and
 * not past a sleep of the machine. Only the answer to the lease's own grant and answers to
 * keep-alives move that moment. Reads clocks; sets no timer and sends nothing: that is the
 * keeper's.
 */
import type { Answer } from "./call.js";
import type { Linked } from "./chain.js";
import { type HoldfastError, LockLostError, type LossReason } from "./errors.js";
import { Grants } from "./grants.js";
import type { Platform } from "./platform.js";

/** Clocks of two processes may differ in rate by so much. */
const CLOCK_RATE = 0.99;

/**
 * Of the time to live: what may show as a sleep and is none, since a wall clock has whole
 * milliseconds and is slewed. A sleep so short is within what {@link CLOCK_RATE} leaves.
 */
const SLEEP_GRAIN = (1 - CLOCK_RATE) / 2;

/** A grant that hangs on a lease. */
export interface Dependant extends Linked<Dependant> {
  readonly keyId: string;
  readonly isLost: boolean;
  /** The thread that holds it; "": none was named. */
  readonly actor: string;
  /** Its key, or of several names one of its keys. */
  hasKey(keyId: string): boolean;
  /** Somebody wants it; it stands. */
  asked(ask: Answer): void;
  /** What it was last asked, told again: it is news only if it was not heard. */
  standsAsked(ask: Answer): void;
  lose(error: LockLostError): void;
  /** Gives it up at the cluster without the caller's doing. */
  abandon(): void;
}

export interface LeaseTimes {
  readonly ttlMs: number;
  readonly marginMs: number;
}

/** The moment of a first sending: the stamp that travels, and how far the wall clock was ahead. */
export interface Sending {
  readonly stamp: number;
  readonly wallAheadMs: number;
}

export function sendingNow(platform: Platform): Sending {
  const nowMs = platform.monotonicMs();
  return { stamp: Math.floor(nowMs), wallAheadMs: platform.wallMs() - nowMs };
}

export class Lease {
  readonly id: string;
  readonly marginMs: number;
  /** Grants on it that this process holds. */
  readonly grants = new Grants();
  /** Requests that stand in line on it. */
  waits = 0;
  /** Its session has given it up: it goes when the last grant and wait on it are over. */
  isOrphan = false;
  /** When the last keep-alive for it left. */
  keptAliveAtMs: number;
  /** Called once, when grants on it can no longer be trusted: the session is lost. */
  onLost: (error: LockLostError) => void = () => {};
  #ttlMs: number;
  #stamp: number;
  #wallAheadMs: number;
  #state: "proven" | "unproven" | "ended" = "proven";
  #lostAtMs = 0;
  #ended: LockLostError | null = null;
  #whenProven: ((error: HoldfastError | null) => void)[] = [];
  readonly #platform: Platform;

  constructor(platform: Platform, id: string, times: LeaseTimes, sending: Sending) {
    this.#platform = platform;
    this.id = id;
    this.marginMs = times.marginMs;
    this.#ttlMs = times.ttlMs;
    this.#stamp = sending.stamp;
    this.#wallAheadMs = sending.wallAheadMs;
    this.keptAliveAtMs = sending.stamp;
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  /** Until then grants on it are held, unless it is lost before. */
  get deadlineMs(): number {
    return this.#stamp + this.#ttlMs * CLOCK_RATE - this.marginMs;
  }

  /** From then on the cluster may have given its locks to others. */
  get provableEndMs(): number {
    return this.#state === "unproven" ? this.#lostAtMs + this.marginMs : this.deadlineMs;
  }

  /** Until then those who lost it have time to stop, also when it was proven again; or Infinity. */
  get lossEndMs(): number {
    return this.isOrphan ? this.#lostAtMs + this.marginMs : Number.POSITIVE_INFINITY;
  }

  get isProven(): boolean {
    this.check();
    return this.#state === "proven";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Why it ended, if it has. */
  get ended(): LockLostError | null {
    return this.#ended;
  }

  /** Whether this thread holds something on it. */
  carries(actor: string): boolean {
    for (const grant of this.grants) if (grant.actor === actor && !grant.isLost) return true;
    return false;
  }

  get remainingMs(): number {
    if (!this.isProven) return 0;
    return Math.max(this.deadlineMs - this.#platform.monotonicMs(), 0);
  }

  /** Reads the clocks: if they say that it cannot be proven any more, it is lost here and now. */
  check(): void {
    if (this.#state !== "proven") return;
    if (this.#hasSlept()) this.#unproven("the machine slept for longer than the margin");
    else if (this.#platform.monotonicMs() >= this.deadlineMs)
      this.#unproven(
        `no keep-alive was answered for ${Math.round(this.deadlineMs - this.#stamp)} ms`,
      );
  }

  /** A keep-alive that first left at `sending` was answered. */
  prove(sending: Sending, ttlMs: number): void {
    if (this.#state === "ended") return;
    if (this.#state === "proven" && this.#hasSlept()) this.check();
    if (sending.stamp > this.#stamp) {
      this.#stamp = sending.stamp;
      this.#wallAheadMs = sending.wallAheadMs;
      this.#ttlMs = ttlMs;
    }
    if (this.#state === "unproven" && this.#platform.monotonicMs() < this.deadlineMs) {
      this.#state = "proven";
      this.#tell(null);
    }
    this.check();
  }

  /**
   * The cluster says that it is over, or it was given up. `closed`: by a close, and that is what
   * those are told who were granted something and have not heard of it.
   */
  end(reason: LossReason, cause: string, closed?: HoldfastError): void {
    if (this.#state === "ended") return;
    const error = lost(this.id, reason, cause);
    const wasProven = this.#state === "proven";
    this.#state = "ended";
    this.#ended = error;
    this.#tell(closed ?? error);
    if (wasProven) this.#lose(error);
  }

  /** Calls back when it is proven (again), or with the error that ended it. */
  whenProven(callback: (error: HoldfastError | null) => void): void {
    if (this.#ended !== null) callback(this.#ended);
    else if (this.isProven) callback(null);
    else this.#whenProven.push(callback);
  }

  #tell(error: HoldfastError | null): void {
    const waiting = this.#whenProven;
    this.#whenProven = [];
    for (const callback of waiting) callback(error);
  }

  /** The wall clock ran ahead of the monotonic one since the newest proof first left. */
  #hasSlept(): boolean {
    const aheadMs = this.#platform.wallMs() - this.#platform.monotonicMs();
    // A wall clock that was set back must not hide a sleep.
    if (aheadMs < this.#wallAheadMs) this.#wallAheadMs = aheadMs;
    return aheadMs - this.#wallAheadMs > Math.max(this.marginMs, this.#ttlMs * SLEEP_GRAIN);
  }

  #unproven(cause: string): void {
    this.#state = "unproven";
    this.#lostAtMs = this.#platform.monotonicMs();
    this.#lose(lost(this.id, "unproven", cause));
  }

  #lose(error: LockLostError): void {
    this.onLost(error);
    this.onLost = () => {};
    for (const grant of this.grants.all()) grant.lose(error);
  }
}

function lost(lease: string, reason: LossReason, cause: string): LockLostError {
  const message = `the lease ${lease} is lost (${reason}): ${cause}; stop, and acquire again`;
  return new LockLostError(reason, { message, details: { lease, cause } });
}
