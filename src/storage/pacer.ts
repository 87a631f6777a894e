/**
 * The turn-taking of background writes (zero-fill, snapshots, cutting the log): one at a time over
 * all of them, with a pause between two, so that the log's sync does not wait behind them. It
 * orders work and writes nothing itself.
 */
import { assert } from "../base/assert.js";
import type { Cancel, Clock } from "../base/ports.js";

export class Pacer {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  readonly #waiting: (() => void)[] = [];
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

  end(): void {
    assert(this.#busy, "a turn that began ends");
    if (this.#pauseMs === 0 || this.#stopped) {
      this.#next();
      return;
    }
    this.#cancelPause = this.#clock.after(this.#pauseMs, () => {
      this.#cancelPause = null;
      this.#next();
    });
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
