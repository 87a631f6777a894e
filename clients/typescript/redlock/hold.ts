/**
 * What a lock is made of, and how it is come by. There are two makes: a grant of a Holdfast cluster
 * (`grant.ts`), and one together with a lock in Redis (`both.ts`).
 */
import type { Attempts, ExecutionStats, RedlockAbortSignal, Settings } from "./surface.js";

/** Keeps itself, until it is told when to lapse, given back, or lost. */
export interface Hold {
  /** Names it; differs from hold to hold. */
  readonly value: string;
  /** The fencing token of the cluster. */
  readonly token: number;
  /** Until when it is certain, as `Date.now()` counts and as of now; 0 when it is over. */
  readonly expiration: number;
  /** Fires when it is lost or lapses; not when it is given back. */
  readonly signal: RedlockAbortSignal;
  /** From now on it is not kept longer than `durationMs`. */
  lapseAfter(durationMs: number): void;
  /**
   * Asks whether it stands, and if it was to lapse, lets it do so `durationMs` from the asking.
   * Rejects with an `ExecutionError`.
   */
  prolong(durationMs: number, settings: Settings): Promise<Attempts>;
  /** Rejects with an `ExecutionError` unless it was held to the end and is known to be free. */
  giveBack(settings: Settings): Promise<Attempts>;
}

export interface Taken {
  readonly hold: Hold;
  readonly attempts: Attempts;
}

export interface Wanted {
  readonly resources: readonly string[];
  readonly durationMs: number;
  readonly settings: Settings;
  /** So long before the end of its lease a hold counts as lost. */
  readonly marginMs: number;
}

export interface Taker {
  /** Rejects with an `ExecutionError`, or with a `HoldfastError` for what cannot be. */
  take(wanted: Wanted): Promise<Taken>;
  close(): Promise<void>;
}

/** One attempt at a cluster, which has one vote; `error` null: in favour. */
export function attemptAt(cluster: unknown, error: Error | null): Promise<ExecutionStats> {
  return Promise.resolve({
    membershipSize: 1,
    quorumSize: 1,
    votesFor: new Set(error === null ? [cluster] : []),
    votesAgainst: new Map(error === null ? [] : [[cluster, error]]),
  });
}
