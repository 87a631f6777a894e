/**
 * An event loop that stands still until it is turned: Clock and EndOfTurn for whole clusters in one
 * thread. Everything happens in the order of (time, order of request), so a run repeats exactly.
 * Not a simulator: it knows no faults; it is what a simulator's faults are timed by.
 */
import { assert } from "../base/assert.js";
import { DeadlineHeap } from "../base/deadline-heap.js";
import type { Cancel, Clock, EndOfTurn } from "../base/ports.js";

const FIRST_WALL_MS = 1_700_000_000_000;

export class TurnedLoop implements Clock, EndOfTurn {
  #nowMs = 0;
  #wallOffsetMs = FIRST_WALL_MS;
  #nextNumber = 0;
  readonly #due = new DeadlineHeap<number>();
  readonly #callbacks = new Map<number, () => void>();
  #endOfTurn: (() => void)[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    assert(delayMs >= 0 && delayMs < 2 ** 31, "a delay must be from 0 to 2^31-1 ms");
    const number = this.#nextNumber++;
    this.#callbacks.set(number, callback);
    this.#due.set(number, this.#nowMs + delayMs);
    return () => {
      this.#callbacks.delete(number);
      this.#due.delete(number);
    };
  }

  schedule(callback: () => void): void {
    this.#endOfTurn.push(callback);
  }

  /** A completion: `callback` runs in a turn of its own, without time passing. */
  defer(callback: () => void): void {
    this.after(0, callback);
  }

  /** The wall clock jumps; the monotonic one does not. */
  shiftWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Runs the next turn that is due at or before `untilMs`, with its end. False: there is none. */
  turn(untilMs: number = this.#nowMs): boolean {
    if (this.#endTurn()) return true;
    if (this.#due.nextDeadline() > untilMs) return false;
    this.#nowMs = Math.max(this.#nowMs, this.#due.nextDeadline());
    const number = this.#due.popDue(this.#nowMs);
    assert(number !== undefined, "a turn that is due must be there");
    const callback = this.#callbacks.get(number);
    this.#callbacks.delete(number);
    callback?.();
    this.#endTurn();
    return true;
  }

  /** Runs all that is due now, and what follows from it without time passing. */
  settle(): void {
    while (this.turn()) {
      // until nothing is due
    }
  }

  /** Lets `ms` pass, running what comes due on the way at its own time. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    while (this.turn(until)) {
      // until nothing is due
    }
    this.#nowMs = until;
  }

  /** The process stands still for so long: time passes and nothing runs; what was due is late. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Turns until `condition` holds, at most `limitMs` ahead; says whether it came to hold. */
  runUntil(condition: () => boolean, limitMs = 60_000): boolean {
    const until = this.#nowMs + limitMs;
    while (!condition()) if (!this.turn(until)) return false;
    return true;
  }

  #endTurn(): boolean {
    if (this.#endOfTurn.length === 0) return false;
    const callbacks = this.#endOfTurn;
    this.#endOfTurn = [];
    for (const callback of callbacks) callback();
    return true;
  }
}
