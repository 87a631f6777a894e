/**
 * One timer for a crowd of deadlines: it is set for the earliest that was noted, and then
 * everything is looked at once. Deadlines that are met leave no trace, so nothing is ever taken
 * back.
 */
import type { Cancel, Platform } from "./platform.js";

const MAX_DELAY_MS = 2 ** 31 - 1;

export class Sweep {
  readonly #platform: Platform;
  /** Handles what is due and returns when to look again; Infinity: when something is noted. */
  readonly #look: (nowMs: number) => number;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: Cancel | null = null;

  constructor(platform: Platform, look: (nowMs: number) => number) {
    this.#platform = platform;
    this.#look = look;
  }

  /** Something is due at `atMs`. */
  note(atMs: number, nowMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    const delayMs = Math.min(Math.max(Math.ceil(atMs - nowMs), 0), MAX_DELAY_MS);
    this.#cancel = this.#platform.after(delayMs, this.#fire);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  readonly #fire = (): void => {
    this.#cancel = null;
    this.#atMs = Number.POSITIVE_INFINITY;
    const nextMs = this.#look(this.#platform.monotonicMs());
    if (nextMs < Number.POSITIVE_INFINITY) this.note(nextMs, this.#platform.monotonicMs());
  };
}
