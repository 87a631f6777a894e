/** A lock as users hold it. Its state is the hold's; it adds only which of its objects is current. */
import type { Hold } from "./hold.js";
import type { Locker } from "./locker.js";
import type { Attempts, ExecutionResult, RedlockAbortSignal } from "./surface.js";

export class Lock {
  readonly redlock: Locker;
  readonly resources: readonly string[];
  /** Of the attempt that acquired or extended it. */
  readonly attempts: Attempts;
  readonly #hold: Hold;
  #isReplaced = false;

  constructor(redlock: Locker, resources: readonly string[], hold: Hold, attempts: Attempts) {
    this.redlock = redlock;
    this.resources = resources;
    this.attempts = attempts;
    this.#hold = hold;
  }

  /** Names the grant; differs from lock to lock. */
  get value(): string {
    return this.#hold.value;
  }

  /** The fencing token: greater than that of every holder before. Not in redlock. */
  get token(): number {
    return this.#hold.token;
  }

  /**
   * Until when it is certainly held, as `Date.now()` counts and as of now: what is left of its
   * duration, or of the lease as it was last proven, whichever is less. 0: extended into another
   * object, released, lapsed or lost.
   */
  get expiration(): number {
    return this.#isReplaced ? 0 : this.#hold.expiration;
  }

  /** Fires, with an `ExecutionError`, when the lock is lost or lapses. Not in redlock. */
  get signal(): RedlockAbortSignal {
    return this.#hold.signal;
  }

  /** See `Locker.release`. */
  release(): Promise<ExecutionResult> {
    return this.redlock.release(this);
  }

  /** See `Locker.extend`. */
  extend(duration: number): Promise<Lock> {
    return this.redlock.extend(this, duration);
  }

  /** For the locker: what it is made of, and that another object stands for it from now on. */
  static holdOf(lock: Lock): Hold {
    return lock.#hold;
  }

  static isReplaced(lock: Lock): boolean {
    return lock.#isReplaced;
  }

  static replace(lock: Lock): void {
    lock.#isReplaced = true;
  }
}
