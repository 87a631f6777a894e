/**
 * Values by number, for what comes and goes on the hot path. Not ordered, and not to be iterated.
 * Instead of a Map there, since V8 links a Map's outgrown tables to their successors: once one of
 * them has grown old, everything that ever passes through is kept until the next full collection
 * (measured: ten times the CPU for a small map under churn). Here nothing is linked, and what is
 * deleted is forgotten at once.
 */
import { assert } from "./assert.js";

const SMALLEST = 16;
const EMPTY = -1;

/** Open addressing, at most half full; the places after a deleted one close up. */
export class NumberMap<T> {
  #keys: number[] = new Array<number>(SMALLEST).fill(EMPTY);
  #values: (T | undefined)[] = new Array<T | undefined>(SMALLEST).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: number): boolean {
    return this.#keys[this.#placeOf(key)] === key;
  }

  get(key: number): T | undefined {
    return this.#values[this.#placeOf(key)];
  }

  /** `key`: a safe integer from 0. */
  set(key: number, value: T): void {
    assert(Number.isSafeInteger(key) && key >= 0, "a NumberMap's keys are integers from 0");
    if (this.#size * 2 >= this.#keys.length) this.#grow();
    const at = this.#placeOf(key);
    if (this.#keys[at] === EMPTY) this.#size++;
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  /** False: it was not here. */
  delete(key: number): boolean {
    const at = this.#placeOf(key);
    if (this.#keys[at] !== key) return false;
    this.#size--;
    this.#closeUp(at);
    return true;
  }

  clear(): void {
    this.#keys = new Array<number>(SMALLEST).fill(EMPTY);
    this.#values = new Array<T | undefined>(SMALLEST).fill(undefined);
    this.#size = 0;
  }

  /** Where the key is, or the empty place where it would be. */
  #placeOf(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let at = home(key, mask);
    for (let there = keys[at]; there !== key && there !== EMPTY; there = keys[at]) {
      at = (at + 1) & mask;
    }
    return at;
  }

  /** Moves back what stands further from its home because this place was taken. */
  #closeUp(emptied: number): void {
    const keys = this.#keys;
    const values = this.#values;
    const mask = keys.length - 1;
    let hole = emptied;
    for (let at = (hole + 1) & mask; keys[at] !== EMPTY; at = (at + 1) & mask) {
      const distance = (at - home(keys[at] as number, mask)) & mask;
      if (distance < ((at - hole) & mask)) continue;
      keys[hole] = keys[at] as number;
      values[hole] = values[at];
      hole = at;
    }
    keys[hole] = EMPTY;
    values[hole] = undefined;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Array<number>(keys.length * 2).fill(EMPTY);
    this.#values = new Array<T | undefined>(keys.length * 2).fill(undefined);
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from] as number;
      if (key === EMPTY) continue;
      const at = this.#placeOf(key);
      this.#keys[at] = key;
      this.#values[at] = values[from];
    }
  }
}

/** Numbers given out in turn are neighbours; others are spread by their upper bits as well. */
function home(key: number, mask: number): number {
  const upper = key > 0xffff_ffff ? Math.floor(key / 0x1_0000_0000) : 0;
  return ((key ^ (key >>> 16) ^ Math.imul(upper, 0x9e37_79b1)) >>> 0) & mask;
}
