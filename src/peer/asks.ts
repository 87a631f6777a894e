/**
 * The questions of one link that wait for their answers, oldest first, each until its last tick.
 * Numbers are given out without gaps, so a ring finds each in constant time.
 */
import { Ring } from "../base/ring.js";

interface Pending {
  /** Null once it has been called. */
  done: ((answer: Uint8Array | null) => void) | null;
  readonly lastTick: number;
}

const TWO_32 = 0x1_0000_0000;

export class Asks {
  /** In the order asked, which is the order in which they run out. The oldest is not settled. */
  readonly #pending = new Ring<Pending>();
  readonly #lifeTicks: number;
  #size = 0;
  #next = 0;
  #tick = 0;

  /** `lifeTicks`: how many ticks a question waits. */
  constructor(lifeTicks: number) {
    this.#lifeTicks = lifeTicks;
  }

  get size(): number {
    return this.#size;
  }

  /** Enters a question; gives its number. */
  add(done: (answer: Uint8Array | null) => void): number {
    const number = this.#next;
    this.#next = (number + 1) % TWO_32;
    this.#pending.push({ done, lastTick: this.#tick + this.#lifeTicks });
    this.#size++;
    return number;
  }

  /** Settles a question; an answer nobody waits for any more is dropped. */
  answered(number: number, answer: Uint8Array): void {
    const oldest = (this.#next - this.#pending.length + TWO_32) % TWO_32;
    const pending = this.#pending.at((number - oldest + TWO_32) % TWO_32);
    if (pending !== undefined) this.#settle(pending, answer);
  }

  /** A tick has passed: those whose time is up get null. */
  tick(): void {
    this.#tick++;
    for (let oldest = this.#pending.peek(); oldest !== undefined; oldest = this.#pending.peek()) {
      if (oldest.lastTick >= this.#tick) return;
      this.#settle(oldest, null);
    }
  }

  /** Takes all out, for whoever will tell them that nothing will come. */
  takeAll(): ((answer: Uint8Array | null) => void)[] {
    const waiting: ((answer: Uint8Array | null) => void)[] = [];
    for (let one = this.#pending.shift(); one !== undefined; one = this.#pending.shift()) {
      if (one.done !== null) waiting.push(one.done);
    }
    this.#size = 0;
    return waiting;
  }

  #settle(pending: Pending, answer: Uint8Array | null): void {
    const { done } = pending;
    if (done === null) return;
    pending.done = null;
    this.#size--;
    while (this.#pending.peek()?.done === null) this.#pending.shift();
    done(answer);
  }
}
