/**
 * A hold of which one part is in Redis and one at the Holdfast cluster. Losing either is losing it:
 * which of the two the others look at, this process cannot know. The part that still stands is kept
 * until the hold is given back, so that whoever looks at that one keeps out while the work stops.
 */
import { asError, ExecutionError } from "./errors.js";
import type { Hold, Wanted } from "./hold.js";
import { Loss } from "./loss.js";
import { attemptsOf, type RedisLock, type RedisRedlock, saysGone } from "./redis.js";
import type { Attempts, RedlockAbortSignal, Settings } from "./surface.js";

export class BothHold<L extends RedisLock> implements Hold {
  readonly #redis: RedisRedlock<L>;
  readonly #ours: Hold;
  readonly #wanted: Wanted;
  readonly #what: string;
  readonly #loss = new Loss();
  #lock: L;
  /** Its end, as `Date.now()` counts. npm's object says 0 as soon as another stands for it. */
  #untilMs: number;
  /** The extensions so far: one at a time, each of the lock that the one before made. */
  #extended: Promise<void> = Promise.resolve();
  #isKept = true;
  #givenBack = false;
  #expiry: NodeJS.Timeout | undefined;
  #extension: NodeJS.Timeout | undefined;

  constructor(redis: RedisRedlock<L>, ours: Hold, lock: L, wanted: Wanted) {
    this.#redis = redis;
    this.#ours = ours;
    this.#lock = lock;
    this.#untilMs = lock.expiration;
    this.#wanted = wanted;
    this.#what = wanted.resources.join(", ");
    const { signal } = ours;
    const lost = (): void => void this.#lost("lost at the Holdfast cluster", signal.reason);
    if (signal.aborted) lost();
    else signal.addEventListener("abort", lost, { once: true });
    this.#plan();
  }

  get value(): string {
    return this.#lock.value;
  }

  get token(): number {
    return this.#ours.token;
  }

  get expiration(): number {
    if (this.#givenBack || this.#over() !== null) return 0;
    return Math.min(this.#untilMs, this.#ours.expiration);
  }

  get signal(): RedlockAbortSignal {
    this.#over();
    return this.#loss.signal;
  }

  lapseAfter(durationMs: number): void {
    this.#isKept = false;
    clearTimeout(this.#extension);
    this.#ours.lapseAfter(durationMs);
  }

  async prolong(durationMs: number, settings: Settings): Promise<Attempts> {
    const over = this.#over();
    if (over !== null) throw new ExecutionError(`${this.#what}: over, not extended`, [], over);
    const inRedisMs = this.#isKept ? this.#wanted.durationMs : durationMs;
    try {
      await this.#extend(inRedisMs, settings);
    } catch (error) {
      const why = asError(error);
      const message = `${this.#what}: not extended in Redis: ${why.message}`;
      throw new ExecutionError(message, attemptsOf(error), error);
    }
    return [...this.#lock.attempts, ...(await this.#ours.prolong(durationMs, settings))];
  }

  async giveBack(settings: Settings): Promise<Attempts> {
    const over = this.#over();
    this.#givenBack = true;
    clearTimeout(this.#expiry);
    clearTimeout(this.#extension);
    // What is known to be lost is not asked for again and again.
    const once = { ...settings, retryCount: over === null ? settings.retryCount : 0 };
    const parts = [
      await settled(this.#redis.release(this.#lock, once).then(({ attempts }) => attempts)),
      await settled(this.#ours.giveBack(settings)),
    ];
    const attempts = parts.flatMap(part => part.attempts);
    const failure = over ?? parts.find(part => part.error !== null)?.error ?? null;
    if (failure === null) return attempts;
    const message = `${this.#what}: not held to the end, or not released: ${failure.message}`;
    throw new ExecutionError(message, attempts, failure);
  }

  /** Why it is not held any more, by the clocks as well. */
  #over(): ExecutionError | null {
    // Fires its signal if it cannot be proven now.
    void this.#ours.expiration;
    if (Date.now() >= this.#untilMs) this.#lost("it ran out in Redis", undefined);
    return this.#loss.error;
  }

  #lost(how: string, cause: unknown): void {
    if (this.#givenBack) return;
    this.#loss.declare(`${this.#what}: ${how}`, cause);
  }

  /** Its end in Redis, and the next extension, in good time before. */
  #plan(): void {
    clearTimeout(this.#expiry);
    clearTimeout(this.#extension);
    if (this.#givenBack) return;
    const leftMs = this.#untilMs - Date.now();
    this.#expireIn(leftMs);
    if (!this.#isKept) return;
    const { durationMs, settings } = this.#wanted;
    const leastMs = Math.max(settings.automaticExtensionThreshold, durationMs / 2);
    this.#extendIn(Math.max(leftMs - leastMs, 0));
  }

  #expireIn(delayMs: number): void {
    this.#expiry = setTimeout(() => {
      // A timer may fire before its time, and the wall clock may be set.
      if (this.#over() === null) this.#expireIn(this.#untilMs - Date.now());
    }, delayMs);
    // A program that ends leaves its lock to run out.
    this.#expiry.unref();
  }

  #extendIn(delayMs: number): void {
    this.#extension = setTimeout(() => void this.#keep(), delayMs);
    this.#extension.unref();
  }

  async #keep(): Promise<void> {
    const { durationMs, settings } = this.#wanted;
    try {
      await this.#extend(durationMs, { ...settings, retryCount: 0 });
    } catch (error) {
      if (this.#givenBack) return;
      if (await saysGone(error)) this.#lost("Redis does not have it any more", error);
      // The next try; `#over` ends them, by the time that Redis gave it.
      else if (this.#untilMs > Date.now()) this.#extendIn(settings.retryDelay);
    }
  }

  #extend(durationMs: number, settings: Settings): Promise<void> {
    const next = this.#extended.then(async () => {
      this.#lock = await this.#redis.extend(this.#lock, durationMs, settings);
      this.#untilMs = this.#lock.expiration;
      this.#plan();
    });
    this.#extended = next.catch(() => {});
    return next;
  }
}

interface Settled {
  readonly attempts: Attempts;
  readonly error: Error | null;
}

async function settled(part: Promise<Attempts>): Promise<Settled> {
  try {
    return { attempts: await part, error: null };
  } catch (error) {
    return { attempts: attemptsOf(error), error: asError(error) };
  }
}
