/**
 * redlock's surface over a {@link Taker}: what `Redlock` and `both` have in common. It decides when
 * a hold is to lapse and whose error comes out; taking and keeping holds is the taker's.
 */
import { EventEmitter } from "node:events";
import { ExecutionError } from "./errors.js";
import type { Hold, Taker } from "./hold.js";
import { Lock } from "./lock.js";
import {
  checkDuration,
  checkThreshold,
  DEFAULTS,
  driftMsOf,
  settingsFrom,
  thresholdMsOf,
} from "./settings.js";
import type { ExecutionResult, Routine, Settings } from "./surface.js";

export abstract class Locker extends EventEmitter {
  readonly settings: Settings;
  abstract readonly taker: Taker;

  /** Throws `INVALID_PARAMETER` for settings that cannot be. */
  constructor(settings?: Partial<Settings>) {
    super();
    this.settings = settingsFrom(DEFAULTS, settings);
    // An error that nobody listens to must not end the process.
    this.on("error", () => {});
  }

  /**
   * Stands in line for all `resources` at once, in the order of the requests. The lock ends
   * `duration` ms after it is granted, unless it is extended: by this process's own clock, and if
   * the process dies, when the lease runs out, at most `duration` after its last keep-alive.
   *
   * @param resources names, one or more; one that is given twice counts once
   * @param duration integer, 1,000 … 86,400,000 ms: the lease's time to live
   * @param settings in place of the instance's, for this call
   *
   * Rejects with an `ExecutionError`: not granted in time (its `cause` is a `ResourceLockedError`),
   * or the cluster could not serve it. `outcome` "unknown": it may have been granted, to nobody;
   * that ends within `duration`. Rejects with `INVALID_PARAMETER` for arguments that cannot be,
   * shorter durations among them.
   */
  async acquire(
    resources: readonly string[],
    duration: number,
    settings?: Partial<Settings>,
  ): Promise<Lock> {
    checkDuration(duration);
    const now = settingsFrom(this.settings, settings);
    const marginMs = driftMsOf(duration, now);
    const wanted = { resources, durationMs: duration, settings: now, marginMs };
    const { hold, attempts } = await this.taker.take(wanted);
    hold.lapseAfter(duration);
    return new Lock(this, resources, hold, attempts);
  }

  /**
   * Gives the lock up. Rejects with an `ExecutionError` if it had ended before (lost, lapsed,
   * released), and if no node answered: then it is `outcome` that tells whether it may still stand,
   * the client goes on trying, and the lease bounds it. Any object of the lock will do.
   */
  async release(lock: Lock, settings?: Partial<Settings>): Promise<ExecutionResult> {
    const now = settingsFrom(this.settings, settings);
    return { attempts: await Lock.holdOf(lock).giveBack(now) };
  }

  /**
   * Lets the lock end `duration` ms from now, sooner or later than before, and returns the object
   * that stands for it. Asks the cluster whether it is still held. The lease keeps the time to live
   * that it was acquired with. Rejects with an `ExecutionError` when the lock is over, and when
   * nobody could be asked: then it ends when it would have ended.
   */
  async extend(lock: Lock, duration: number, settings?: Partial<Settings>): Promise<Lock> {
    checkDuration(duration);
    const now = settingsFrom(this.settings, settings);
    const what = lock.resources.join(", ");
    if (Lock.isReplaced(lock))
      throw new ExecutionError(`${what}: this object is over, another stands for the lock`, []);
    const hold = Lock.holdOf(lock);
    const attempts = await hold.prolong(duration, now);
    Lock.replace(lock);
    return new Lock(this, lock.resources, hold, attempts);
  }

  /**
   * Acquires, runs `routine`, releases. The lock is kept for as long as the routine runs. If it is
   * lost meanwhile, the signal fires with an `ExecutionError`, which is both its `error` and its
   * `reason`; if its lease may run out, that is before anybody else can have it, by
   * `automaticExtensionThreshold` or a fifth of the duration, whichever is less.
   *
   * What the routine throws comes out, whatever becomes of the release. What it returns comes out
   * unless the lock was lost by then: then this rejects with the `ExecutionError`. A release that
   * fails after that is told by the event "error". Errors of acquiring are those of `acquire`.
   */
  using<T>(resources: readonly string[], duration: number, routine: Routine<T>): Promise<T>;
  using<T>(
    resources: readonly string[],
    duration: number,
    settings: Partial<Settings>,
    routine: Routine<T>,
  ): Promise<T>;
  async using<T>(
    resources: readonly string[],
    duration: number,
    ...rest: [Routine<T>] | [Partial<Settings>, Routine<T>]
  ): Promise<T> {
    const [settings, routine] = rest.length === 1 ? [undefined, rest[0]] : rest;
    if (typeof routine !== "function") throw new TypeError("using: routine must be a function");
    checkDuration(duration);
    const now = settingsFrom(this.settings, settings);
    checkThreshold(duration, now);
    const marginMs = thresholdMsOf(duration, now);
    const wanted = { resources, durationMs: duration, settings: now, marginMs };
    const { hold, attempts } = await this.taker.take(wanted);
    return this.#run(routine, new Lock(this, resources, hold, attempts), hold, now);
  }

  async #run<T>(routine: Routine<T>, lock: Lock, hold: Hold, settings: Settings): Promise<T> {
    // Who voted against has been told by the event "error".
    const giveBack = (): Promise<unknown> => hold.giveBack(settings).catch(() => {});
    const { signal } = hold;
    let result: T;
    try {
      result = await routine(signal, { lock });
    } catch (error) {
      await giveBack();
      throw error;
    }
    // What the clocks say when the work is done counts, not what they say after the release.
    const lost = hold.signal.error;
    await giveBack();
    if (lost !== undefined) throw lost;
    return result;
  }

  /** Closes the clients that were given, as redlock does. Locks that are held pass on. */
  async quit(): Promise<void> {
    await this.taker.close();
  }
}
