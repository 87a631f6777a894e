/** The lock in Redis: what is needed of npm's `redlock`, and the tries to come by a lock of it. */
import { setTimeout as pauseMs } from "node:timers/promises";
import { asError, ExecutionError } from "./errors.js";
import type { Attempts, ExecutionResult, ExecutionStats, Settings } from "./surface.js";

/** npm's `Lock`, as far as it is read. */
export interface RedisLock {
  readonly value: string;
  readonly attempts: Attempts;
  readonly expiration: number;
}

/** npm's `Redlock` 5, as far as it is called. */
export interface RedisRedlock<L extends RedisLock = RedisLock> {
  acquire(resources: string[], duration: number, settings?: Partial<Settings>): Promise<L>;
  extend(lock: L, duration: number, settings?: Partial<Settings>): Promise<L>;
  release(lock: L, settings?: Partial<Settings>): Promise<ExecutionResult>;
  on(event: "error", listener: (error: Error) => void): unknown;
  quit(): Promise<void>;
}

export interface RedisWanted {
  readonly names: readonly string[];
  readonly durationMs: number;
  /** `retryCount` is what is left of it. */
  readonly settings: Settings;
  /** Aborting ends the tries, with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * One call for each try: npm's `acquire` counts the duration from its first try on, so that a lock
 * that was long in coming would be over as it came.
 */
export async function acquireInRedis<L extends RedisLock>(
  redis: RedisRedlock<L>,
  { names, durationMs, settings, signal }: RedisWanted,
): Promise<L> {
  const { retryCount, retryDelay, retryJitter } = settings;
  const once = { ...settings, retryCount: 0 };
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    const failure = await tryOnce(redis, [...names], durationMs, once);
    if (!(failure instanceof Error)) return failure;
    if (retryCount !== -1 && tries >= retryCount) throw failure;
    const delayMs = retryDelay + Math.floor((Math.random() * 2 - 1) * retryJitter);
    await pauseMs(Math.max(delayMs, 0), undefined, { signal }).catch(() => {});
  }
}

async function tryOnce<L extends RedisLock>(
  redis: RedisRedlock<L>,
  names: string[],
  durationMs: number,
  once: Settings,
): Promise<L | Error> {
  try {
    const lock = await redis.acquire(names, durationMs, once);
    if (lock.expiration > Date.now()) return lock;
    await redis.release(lock, once).catch(() => {});
    return new ExecutionError("Redis was so slow that the lock was over as it came", lock.attempts);
  } catch (error) {
    return asError(error);
  }
}

/** The attempts of an error of npm's redlock; of any other none. */
export function attemptsOf(error: unknown): Attempts {
  const { attempts } = error as { readonly attempts?: unknown };
  return Array.isArray(attempts) ? (attempts as Attempts) : [];
}

/** Whether Redis itself said that the lock is gone, and did not just fail to answer. */
export async function saysGone(error: unknown): Promise<boolean> {
  const last = await attemptsOf(error).at(-1);
  if (last === undefined) return false;
  return countGone(last) >= last.quorumSize;
}

const countGone = ({ votesAgainst }: ExecutionStats): number =>
  // By name: the class is that of whichever copy of the package made it.
  [...votesAgainst.values()].filter(({ name }) => name === "ResourceLockedError").length;
