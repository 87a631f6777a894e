/**
 * Finds ended entries by name and token. They come and go in one order, so they stand in a ring,
 * each with the number of the one before it whose token falls on the same place. What has left the
 * ring is below `#oldest`, and no chain is followed so far: forgetting costs nothing. A map of
 * their keys was half the cost of a release.
 */
import { assert } from "../../base/assert.js";
import type { EndedEntry } from "./ended.js";

const FIRST_CAPACITY = 64;

export class EndedIndex {
  /** A power of two, at least the number of entries remembered. */
  #capacity = FIRST_CAPACITY;
  /** By number, modulo the capacity. */
  #ring = emptyRing(FIRST_CAPACITY);
  /** By token, modulo the capacity: the number of the newest there. */
  #newest = new Float64Array(FIRST_CAPACITY);
  /** By number: that of the next older one on the same chain. */
  #older = new Float64Array(FIRST_CAPACITY);
  // Numbers begin at 1, so that 0 in a fresh chain is older than all.
  #oldest = 1;
  #next = 1;

  push(ended: EndedEntry): void {
    if (this.#next - this.#oldest === this.#capacity) this.#grow();
    const number = this.#next++;
    const mask = this.#capacity - 1;
    const chain = ended.token & mask;
    this.#ring[number & mask] = ended;
    this.#older[number & mask] = this.#newest[chain] as number;
    this.#newest[chain] = number;
  }

  /** Forgets the oldest. */
  shift(): void {
    assert(this.#oldest < this.#next, "only what is remembered is forgotten");
    this.#ring[this.#oldest & (this.#capacity - 1)] = null;
    this.#oldest++;
  }

  /** The newest one of this name and token. */
  get(name: string, token: number): EndedEntry | undefined {
    const mask = this.#capacity - 1;
    let number = this.#newest[token & mask] as number;
    while (number >= this.#oldest) {
      const ended = this.#ring[number & mask];
      if (ended?.token === token && ended.name === name) return ended;
      number = this.#older[number & mask] as number;
    }
    return undefined;
  }

  #grow(): void {
    const all: EndedEntry[] = [];
    for (let number = this.#oldest; number < this.#next; number++) {
      const ended = this.#ring[number & (this.#capacity - 1)];
      if (ended) all.push(ended);
    }
    this.#capacity *= 2;
    this.#ring = emptyRing(this.#capacity);
    this.#newest = new Float64Array(this.#capacity);
    this.#older = new Float64Array(this.#capacity);
    this.#oldest = 1;
    this.#next = 1;
    for (const ended of all) this.push(ended);
  }
}

function emptyRing(capacity: number): (EndedEntry | null)[] {
  return new Array<EndedEntry | null>(capacity).fill(null);
}
