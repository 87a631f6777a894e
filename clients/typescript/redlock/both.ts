/**
 * Two locks as one, for the first step of a migration: held while it is held in Redis *and* at the
 * Holdfast cluster. docs/guides/migrating-from-redlock.md says which fleets may run together.
 *
 * Holdfast first, then Redis: waiting belongs into the line, since what waits or holds there keeps
 * itself alive, while a lock in Redis runs out as it waits for anything else. All who take both do
 * so in this order, so that no two wait for each other. They are given back the other way round:
 * who is granted the line next finds Redis free.
 */
import { BothHold } from "./both-hold.js";
import { asError, ExecutionError } from "./errors.js";
import type { Taken, Taker, Wanted } from "./hold.js";
import { Locker } from "./locker.js";
import { acquireInRedis, attemptsOf, type RedisLock, type RedisRedlock } from "./redis.js";
import type { Redlock } from "./redlock.js";
import { namesOf, withoutSpent } from "./settings.js";

/**
 * A locker with `ours`' settings, whose locks are both a lock of `redis` and one of `ours`, under
 * the same names. `token` is Holdfast's, `value` is Redis's. Losing either is losing the lock. The
 * time in line and the tries at Redis together keep to `retryCount × (retryDelay + retryJitter)`.
 * The event "error" is that of both. `quit` quits both.
 */
export function both<L extends RedisLock>(redis: RedisRedlock<L>, ours: Redlock): Locker {
  return new Both(redis, ours);
}

class Both<L extends RedisLock> extends Locker {
  readonly taker: Taker;

  constructor(redis: RedisRedlock<L>, ours: Redlock) {
    super(ours.settings);
    this.taker = new BothTaker(redis, ours.taker);
    const tell = (error: Error): void => void this.emit("error", error);
    redis.on("error", tell);
    ours.on("error", tell);
  }
}

class BothTaker<L extends RedisLock> implements Taker {
  readonly #redis: RedisRedlock<L>;
  readonly #ours: Taker;

  constructor(redis: RedisRedlock<L>, ours: Taker) {
    this.#redis = redis;
    this.#ours = ours;
  }

  async take(wanted: Wanted): Promise<Taken> {
    const sinceMs = performance.now();
    const { hold, attempts } = await this.#ours.take(wanted);
    const settings = withoutSpent(wanted.settings, performance.now() - sinceMs);
    const names = namesOf(wanted.resources);
    const { durationMs } = wanted;
    const { signal } = hold;
    try {
      const redisWanted = { names, durationMs, settings, signal };
      const lock = await acquireInRedis(this.#redis, redisWanted);
      const taken = new BothHold(this.#redis, hold, lock, wanted);
      if (taken.signal.aborted) await taken.giveBack(settings);
      return { hold: taken, attempts: [...attempts, ...lock.attempts] };
    } catch (error) {
      await hold.giveBack(settings).catch(() => {});
      const message = `${names.join(", ")}: not acquired in Redis: ${asError(error).message}`;
      throw new ExecutionError(message, [...attempts, ...attemptsOf(error)], error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#redis.quit(), this.#ours.close()]);
  }
}
