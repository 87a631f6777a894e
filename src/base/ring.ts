/**
 * A queue, first in first out, in an array that doubles as needed. With a bound, a push past it is
 * refused: whoever pushes must say what that means. Not a deque and not for removal in the middle.
 */
import { assert } from "./assert.js";

const SMALLEST = 8;

export class Ring<T> {
  readonly #bound: number;
  /** A power of two long, so that places wrap by a mask. */
  #slots: (T | undefined)[];
  #head = 0;
  #length = 0;

  /** `bound`: the most items it holds; without one, as many as memory allows. */
  constructor(bound: number = Number.POSITIVE_INFINITY) {
    assert(bound >= 1, "a ring's bound must be at least 1");
    this.#bound = bound;
    this.#slots = new Array<T | undefined>(SMALLEST).fill(undefined);
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length >= this.#bound;
  }

  /** Appends. False, and nothing done, when the ring is full. */
  push(item: T): boolean {
    if (this.#length >= this.#bound) return false;
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item;
    this.#length++;
    return true;
  }

  /** Takes the oldest; undefined when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length--;
    return item;
  }

  /** The oldest, left in place; undefined when empty. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  /** The item at `position`, 0 being the oldest; undefined outside. */
  at(position: number): T | undefined {
    if (position < 0 || position >= this.#length) return undefined;
    return this.#slots[(this.#head + position) & (this.#slots.length - 1)];
  }

  /** Forgets all items and the memory they took. */
  clear(): void {
    this.#slots = new Array<T | undefined>(SMALLEST).fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const old = this.#slots;
    const grown = new Array<T | undefined>(old.length * 2).fill(undefined);
    for (let i = 0; i < this.#length; i++) grown[i] = old[(this.#head + i) & (old.length - 1)];
    this.#slots = grown;
    this.#head = 0;
  }
}
