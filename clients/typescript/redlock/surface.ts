/**
 * What users of `holdfast-client/redlock` touch: the types of npm's `redlock` 5, over Holdfast
 * clients. Times are milliseconds. The classes are in `redlock.ts`, `lock.ts` and `errors.ts`.
 */
import type { Client } from "../core/index.js";
import type { Lock } from "./lock.js";

/** The part of a Holdfast client that is used: whatever `connect` of `holdfast-client` returns. */
export type HoldfastClient = Pick<Client, "session" | "close">;

export interface Settings {
  /**
   * What `acquire` keeps off the end of a lease beside the 1 % for clocks' rates: this fraction of
   * the duration, and 2 ms. 0 … just below 0.5; default 0.01.
   */
  readonly driftFactor: number;
  /**
   * With the next two: how long to stand in line, `retryCount × (retryDelay + retryJitter)`. There
   * is no polling, so the three matter only as that product. 0: not at all. -1, or a product past
   * 2,147,483,647 ms: without bound. Default 10.
   */
  readonly retryCount: number;
  /** See `retryCount`. Default 200. */
  readonly retryDelay: number;
  /** See `retryCount`. Default 100. */
  readonly retryJitter: number;
  /**
   * In `using`: the signal fires so long before the lease can run out, or a fifth of the
   * duration before if that is less. At most the duration less 100; default 500.
   */
  readonly automaticExtensionThreshold: number;
}

/** How one attempt was voted on. A Holdfast cluster has its quorum within, and one vote here. */
export interface ExecutionStats {
  readonly membershipSize: number;
  readonly quorumSize: number;
  readonly votesFor: Set<unknown>;
  readonly votesAgainst: Map<unknown, Error>;
}

export type Attempts = readonly Promise<ExecutionStats>[];

export interface ExecutionResult {
  readonly attempts: Attempts;
}

/** Aborted when the lock is lost; `error` and `reason` are the same `ExecutionError` then. */
export type RedlockAbortSignal = AbortSignal & { error?: Error };

export interface UsingContext {
  /** The lock that the routine runs under, for its `token`. */
  readonly lock: Lock;
}

export type Routine<T> = (signal: RedlockAbortSignal, context: UsingContext) => T | Promise<T>;
