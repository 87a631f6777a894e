/**
 * Turns the clock into raft's ticks. A gap counts as one heartbeat interval at most, so that a node
 * which was stopped or whose loop stalled does not wake with an election. The timer only asks for a
 * pass, which collects at the end of the turn: input that was pending has been handled by then.
 */
import type { Cancel, Clock } from "../base/ports.js";

export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #mostAtOnce: number;
  readonly #wake: () => void;
  #cancel: Cancel | null = null;
  #fired = false;
  /** Up to here time has been turned into ticks. */
  #countedMs = 0;

  /** `mostAtOnce`: ticks that one gap counts as at most. `wake` asks the loop for a pass. */
  constructor(clock: Clock, tickMs: number, mostAtOnce: number, wake: () => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#mostAtOnce = mostAtOnce;
    this.#wake = wake;
  }

  start(): void {
    this.#countedMs = this.#clock.monotonicMs();
    this.#schedule(this.#countedMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#fired = false;
  }

  /** How many ticks are due; they count as collected. 0 unless the timer has fired. */
  collect(): number {
    if (!this.#fired) return 0;
    this.#fired = false;
    const nowMs = this.#clock.monotonicMs();
    const due = Math.floor((nowMs - this.#countedMs) / this.#tickMs);
    this.#countedMs = due > this.#mostAtOnce ? nowMs : this.#countedMs + due * this.#tickMs;
    this.#schedule(nowMs);
    return Math.min(due, this.#mostAtOnce);
  }

  #schedule(nowMs: number): void {
    const delayMs = Math.max(1, Math.ceil(this.#countedMs + this.#tickMs - nowMs));
    this.#cancel = this.#clock.after(delayMs, this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#fired = true;
    this.#wake();
  };
}
