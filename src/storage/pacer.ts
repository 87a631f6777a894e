/**
 * The turn-taking of background writes (zero-fill, snapshots, cutting the log): one at a time over
 * all of them, with a pause between two while the log is in use, so that its sync does not wait
 * behind them. It orders work and writes nothing itself.
 */
import { assert } from "../base/assert.js";
import type { Cancel, Clock } from "../base/ports.js";

/** A log that has begun no batch for so many pauses is idle. */
const IDLE_PAUSES = 10;

export class Pacer {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  readonly #waiting: (() => void)[] = [];
  /** When the log began its last batch. */
  #logUsedMs = Number.NEGATIVE_INFINITY;
  #busy = false;
  #stopped = false;
  #cancelPause: Cancel | null = null;

  constructor(clock: Clock, pauseMs: number) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
  }

  /** Calls `begin` when it is its turn; who was called calls `end` when its write is over. */
  enter(begin: () => void, urgent: boolean): void {
    if (!this.#busy) {
      this.#busy = true;
      begin();
    } else if (urgent) {
      this.#waiting.unshift(begin);
      this.#skipPause();
    } else {
      this.#waiting.push(begin);
    }
  }

  /** `hurried`: the next may begin at once, whatever the log does. */
  end(hurried: boolean): void {
    assert(this.#busy, "a turn that began ends");
    if (hurried || this.#stopped || this.#isIdle()) {
      this.#next();
      return;
    }
    this.#cancelPause = this.#clock.after(this.#pauseMs, () => {
      this.#cancelPause = null;
      this.#next();
    });
  }

  /** The log begins a batch. */
  logUsed(): void {
    this.#logUsedMs = this.#clock.monotonicMs();
  }

  /** The log needs what waits now. */
  hurry(): void {
    this.#skipPause();
  }

  /** No more pauses: whoever waits gets its turn, finds that the storage has stopped, and ends. */
  stop(): void {
    this.#stopped = true;
    this.#skipPause();
  }

  #isIdle(): boolean {
    return this.#clock.monotonicMs() - this.#logUsedMs >= IDLE_PAUSES * this.#pauseMs;
  }

  #skipPause(): void {
    if (this.#cancelPause === null) return;
    this.#cancelPause();
    this.#cancelPause = null;
    this.#next();
  }

  #next(): void {
    const begin = this.#waiting.shift();
    this.#busy = begin !== undefined;
    begin?.();
  }
}
