/**
 * The order that told revisions or tokens give: what has a rank is placed when nothing of a lower
 * rank is left. Only entries that must be placed have one.
 */
import { type Entry, isRequired } from "./entries.js";
import type { Model } from "./model.js";

export class Ranks {
  /** By place: which rank, counted from the lowest, or -1. */
  readonly #of: Int32Array;
  /** By rank: how many are not yet placed. */
  readonly #left: Int32Array;
  #lowest = 0;

  constructor(entries: readonly Entry[], model: Model) {
    const told = entries.map(entry => (isRequired(entry) ? model.rank(entry.move) : null));
    const distinct = [...new Set(told)].filter(rank => rank !== null).sort((a, b) => a - b);
    const index = new Map(distinct.map((rank, at) => [rank, at]));
    this.#of = Int32Array.from(told, rank => (rank === null ? -1 : (index.get(rank) ?? -1)));
    this.#left = new Int32Array(distinct.length);
    for (const rank of this.#of) if (rank >= 0) this.#left[rank] = this.#leftOf(rank) + 1;
  }

  allows(place: number): boolean {
    return this.#rankOf(place) <= this.#lowest;
  }

  place(place: number): void {
    const rank = this.#rankOf(place);
    if (rank < 0) return;
    this.#left[rank] = this.#leftOf(rank) - 1;
    while (this.#lowest < this.#left.length && this.#leftOf(this.#lowest) === 0) this.#lowest += 1;
  }

  lift(place: number): void {
    const rank = this.#rankOf(place);
    if (rank < 0) return;
    this.#left[rank] = this.#leftOf(rank) + 1;
    this.#lowest = Math.min(this.#lowest, rank);
  }

  #rankOf(place: number): number {
    return this.#of[place] ?? -1;
  }

  #leftOf(rank: number): number {
    return this.#left[rank] ?? 0;
  }
}
