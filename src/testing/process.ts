/**
 * One process of a cluster in one thread: a node's or a client's. Whatever reaches it, be it a
 * timer, a frame or a disk's completion, comes in through `enter`, so that it can stand still and
 * come back, or end. Its clock is the loop's own. Knows nothing of what runs in it.
 */
import type { Cancel, Clock, EndOfTurn } from "../base/ports.js";
import type { TurnedLoop } from "./turned-loop.js";

export class Process implements Clock, EndOfTurn {
  readonly #loop: TurnedLoop;
  readonly #onRun: () => void;
  #alive = true;
  #paused = false;
  #held: (() => void)[] = [];
  #ends: (() => void)[] = [];

  /** `onRun` is called before anything runs in it. */
  constructor(loop: TurnedLoop, onRun: () => void = () => {}) {
    this.#loop = loop;
    this.#onRun = onRun;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  monotonicMs(): number {
    return this.#loop.monotonicMs();
  }

  wallMs(): number {
    return this.#loop.wallMs();
  }

  after(delayMs: number, callback: () => void): Cancel {
    let cancelled = false;
    // It may be cancelled while the process stands still and the callback waits for it.
    const fire = (): void => {
      if (!cancelled) callback();
    };
    const cancelTimer = this.#loop.after(delayMs, () => this.enter(fire));
    return () => {
      cancelled = true;
      cancelTimer();
    };
  }

  schedule(callback: () => void): void {
    if (!this.#alive) return;
    this.#ends.push(callback);
    // What is ready at this moment belongs to the same turn.
    if (this.#ends.length === 1) this.#loop.defer(() => this.enter(this.#endTurn));
  }

  /** Runs `callback` in the process: now, after its pause, or never, if it has ended by then. */
  enter(callback: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) {
      this.#held.push(callback);
      return;
    }
    this.#onRun();
    callback();
  }

  /** As SIGSTOP: its clocks go on, and nothing runs. */
  pause(): void {
    this.#paused = true;
  }

  /** As SIGCONT: what came in meanwhile is handled first, in its order, each in a turn of its own. */
  resume(): void {
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.#loop.defer(() => this.enter(callback));
  }

  end(): void {
    this.#alive = false;
    this.#held = [];
    this.#ends = [];
  }

  readonly #endTurn = (): void => {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
  };
}
