/**
 * One simulated process: a clock with a rate and an origin of its own, an event loop that can stand
 * still, and an end. Everything that reaches the process, be it a timer, a byte or a disk's
 * completion, goes through `enter`. Knows nothing of what runs in it.
 */
import type { Cancel, Clock, EndOfTurn } from "../../src/base/ports.js";
import type { TurnedLoop } from "../../src/testing/turned-loop.js";

/** Clock rates of two processes differ by so much at most, in parts of a million. */
export const MOST_DRIFT_PPM = 4_000;

export interface ProcessOptions {
  readonly loop: TurnedLoop;
  readonly name: string;
  /** Where its monotonic clock starts, and how much faster than true time it runs. */
  readonly originMs: number;
  readonly driftPpm: number;
  /** How far its wall clock is ahead of the true one. */
  readonly wallAheadMs?: number;
  /** Called before anything runs in it. */
  readonly onRun: () => void;
}

export const drawDrift = (random: { below(bound: number): number }): number =>
  random.below(2 * MOST_DRIFT_PPM + 1) - MOST_DRIFT_PPM;

const rateOf = (driftPpm: number): number => 1 + driftPpm / 1_000_000;

export class Process implements Clock, EndOfTurn {
  readonly name: string;
  readonly #loop: TurnedLoop;
  /** What its monotonic clock showed at `#sinceMs` of true time; from there it runs at `#rate`. */
  #shownMs: number;
  #sinceMs = 0;
  #rate: number;
  #wallAheadMs: number;
  readonly #onRun: () => void;
  #alive = true;
  #pauses = 0;
  /** How many of those it makes itself, by waiting. */
  #waits = 0;
  #waitsUntilMs = 0;
  #held: (() => void)[] = [];
  #ends: (() => void)[] = [];
  #endScheduled = false;
  #setBack = false;
  /** Its machine has slept: there was time that its monotonic clock does not know of. */
  hasSlept = false;
  /** Its clocks did what no promise covers: what it believes from them is not held against it. */
  clocksLie = false;

  constructor(options: ProcessOptions) {
    this.#loop = options.loop;
    this.name = options.name;
    this.#shownMs = options.originMs;
    this.#rate = rateOf(options.driftPpm);
    this.#wallAheadMs = options.wallAheadMs ?? 0;
    this.#onRun = options.onRun;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  /** It runs now: alive and not stopped. */
  get isRunning(): boolean {
    return this.#alive && this.#pauses === 0;
  }

  /** Somebody stopped it; that it waits for its own disk does not count. */
  get isHalted(): boolean {
    return this.#pauses > this.#waits;
  }

  /** True time, or what that will be when what it waits for has come. */
  #atMs(): number {
    return Math.max(this.#loop.monotonicMs(), this.#waitsUntilMs);
  }

  monotonicMs(): number {
    return this.#shownMs + (this.#atMs() - this.#sinceMs) * this.#rate;
  }

  wallMs(): number {
    return this.#loop.wallMs() + this.#atMs() - this.#loop.monotonicMs() + this.#wallAheadMs;
  }

  /** Its clock runs at another rate from now on. Timers that are set may come late by it. */
  setDrift(driftPpm: number): void {
    this.#shownMs = this.monotonicMs();
    this.#sinceMs = this.#atMs();
    this.#rate = rateOf(driftPpm);
    if (Math.abs(driftPpm) > MOST_DRIFT_PPM) this.clocksLie = true;
  }

  /** Its wall clock is set: by hand, or by a daemon that does not slew. */
  shiftWall(byMs: number): void {
    this.#wallAheadMs += byMs;
    if (byMs < 0) this.#setBack = true;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const dueMs = this.monotonicMs() + delayMs;
    let cancelled = false;
    let cancelTimer: Cancel = () => {};
    const fire = (): void => {
      if (cancelled) return;
      const leftMs = dueMs - this.monotonicMs();
      if (leftMs > 1e-6) arm(leftMs);
      else callback();
    };
    const arm = (leftMs: number): void => {
      cancelTimer = this.#loop.after(leftMs / this.#rate, () => this.enter(fire));
    };
    arm(delayMs);
    return () => {
      cancelled = true;
      cancelTimer();
    };
  }

  schedule(callback: () => void): void {
    if (!this.#alive) return;
    this.#ends.push(callback);
    if (this.#endScheduled) return;
    this.#endScheduled = true;
    // What is ready at this instant belongs to the same turn.
    this.#loop.defer(() => this.enter(this.#endTurn));
  }

  /** Runs `callback` in the process: now, after its pause, or never, if it has ended by then. */
  enter(callback: () => void): void {
    if (!this.#alive) return;
    if (this.#pauses > 0) this.#held.push(callback);
    else {
      this.#onRun();
      callback();
    }
  }

  /** Its event loop stands still; what comes in is handled afterwards, in the order it came. */
  pause(): void {
    this.#pauses += 1;
  }

  /**
   * Its one thread waits within this turn, and by its own clocks that is over at once. What it does
   * in the rest of the turn leaves too early by so much; nothing comes in until then.
   */
  waitFor(ms: number): void {
    if (ms <= 0) return;
    this.#waitsUntilMs = this.#atMs() + ms;
    this.#waits += 1;
    this.pause();
    this.#loop.after(this.#waitsUntilMs - this.#loop.monotonicMs(), () => {
      this.#waits -= 1;
      this.resume();
    });
  }

  resume(): void {
    if (this.#pauses === 0) return;
    this.#pauses -= 1;
    if (this.#pauses > 0) return;
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.enter(callback);
  }

  /** As `pause`, and its monotonic clock will not know of it; call at the resume. */
  sleptFor(ms: number): void {
    this.#shownMs -= ms * this.#rate;
    this.hasSlept = true;
    // A sleep that the wall clock hides as well can be told from nothing.
    if (this.#setBack) this.clocksLie = true;
  }

  end(): void {
    this.#alive = false;
    this.#held = [];
    this.#ends = [];
  }

  readonly #endTurn = (): void => {
    this.#endScheduled = false;
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
  };
}
