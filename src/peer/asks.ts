/**
 * The questions of one link that wait for their answers, oldest first, each until its last tick.
 */
interface Pending {
  readonly done: (answer: Uint8Array | null) => void;
  readonly lastTick: number;
}

const TWO_32 = 0x1_0000_0000;

export class Asks {
  /** In the order asked, which is the order in which they run out. */
  readonly #pending = new Map<number, Pending>();
  readonly #lifeTicks: number;
  #next = 0;
  #tick = 0;

  /** `lifeTicks`: how many ticks a question waits. */
  constructor(lifeTicks: number) {
    this.#lifeTicks = lifeTicks;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Enters a question; gives its number. */
  add(done: (answer: Uint8Array | null) => void): number {
    const number = this.#next;
    this.#next = (number + 1) % TWO_32;
    this.#pending.set(number, { done, lastTick: this.#tick + this.#lifeTicks });
    return number;
  }

  /** Settles a question; an answer nobody waits for any more is dropped. */
  answered(number: number, answer: Uint8Array): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#pending.delete(number);
    pending.done(answer);
  }

  /** A tick has passed: those whose time is up get null. */
  tick(): void {
    this.#tick++;
    for (const [number, pending] of this.#pending) {
      if (pending.lastTick >= this.#tick) return;
      this.#pending.delete(number);
      pending.done(null);
    }
  }

  /** Takes all out, for whoever will tell them that nothing will come. */
  takeAll(): ((answer: Uint8Array | null) => void)[] {
    const waiting = [...this.#pending.values()].map(pending => pending.done);
    this.#pending.clear();
    return waiting;
  }
}
