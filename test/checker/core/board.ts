/**
 * What of a history is placed so far, and what may come next: an entry that was called before
 * everything not yet placed had to be done. Whatever is placed is lifted again in reverse order.
 */
import { Chain } from "./chain.js";
import { type Entry, isRequired } from "./entries.js";
import type { Model } from "./model.js";
import { Optionals } from "./optionals.js";
import { PlacedSet } from "./placed-set.js";
import { Ranks } from "./ranks.js";
import { Wanted } from "./wanted.js";

export class Board {
  readonly wanted: Wanted;
  readonly #entries: readonly Entry[];
  /** Equal entries have one number. */
  readonly #likeness: readonly number[];
  readonly #requiredCount: number;
  /** By place: which one of the required or of the others it is. */
  readonly #ordinal: readonly number[];
  /** Required entries not yet placed: the earliest due first, the earliest called first. */
  readonly #byDue: Chain;
  readonly #byCall: Chain;
  readonly #requiredPlaced: PlacedSet;
  readonly #optionalPlaced: PlacedSet;
  readonly #optionals: Optionals;
  readonly #ranks: Ranks;

  constructor(entries: readonly Entry[], model: Model) {
    this.#entries = entries;
    this.#likeness = likenesses(entries);
    const required: number[] = [];
    const optional: number[] = [];
    this.#ordinal = entries.map((one, at) => (isRequired(one) ? required : optional).push(at) - 1);
    this.#requiredCount = required.length;
    this.#byCall = new Chain(entries.length, required);
    this.#byDue = new Chain(entries.length, required.toSorted(this.#sooner));
    this.#requiredPlaced = new PlacedSet(required.length);
    this.#optionalPlaced = new PlacedSet(optional.length);
    this.#optionals = new Optionals(entries, optional, this.#likeness, model.sight);
    this.#ranks = new Ranks(entries, model);
    this.wanted = new Wanted(entries, model);
  }

  at(place: number): Entry {
    const entry = this.#entries[place];
    if (entry === undefined) throw new RangeError(`no entry ${place}`);
    return entry;
  }

  isRequired(place: number): boolean {
    return isRequired(this.at(place));
  }

  /** How many of those that must be placed are. */
  get progress(): number {
    return this.#requiredPlaced.size;
  }

  get isDone(): boolean {
    return this.progress === this.#requiredCount;
  }

  /** The latest moment at which the next one can take place. */
  get latestMs(): number {
    const first = this.#byDue.first;
    return first < 0 ? Number.POSITIVE_INFINITY : this.at(first).dueMs;
  }

  /** Those that must be placed and may come next, the earliest due first; of equal ones one. */
  candidates(): number[] {
    const { latestMs } = this;
    const found: number[] = [];
    for (let at = this.#byCall.first; at >= 0; at = this.#byCall.after(at)) {
      if (this.at(at).callMs > latestMs) break;
      if (this.#ranks.allows(at)) found.push(at);
    }
    const seen = new Set<number>();
    return found.sort(this.#sooner).filter(at => {
      const likeness = this.#likeness[at] ?? 0;
      return !seen.has(likeness) && seen.add(likeness);
    });
  }

  /** Those that need not be placed and may help one that waits in vain. */
  helpful(state: unknown, waiting: readonly number[]): number[] {
    const entries = waiting.map(at => this.at(at));
    return this.#optionals.helpful(state, entries, this.latestMs);
  }

  place(place: number): void {
    const ordinal = this.#ordinal[place] ?? 0;
    this.#ranks.place(place);
    this.wanted.place(place);
    if (this.isRequired(place)) {
      this.#byCall.take(place);
      this.#byDue.take(place);
      this.#requiredPlaced.add(ordinal);
    } else {
      this.#optionals.use(place);
      this.#optionalPlaced.add(ordinal);
    }
  }

  lift(place: number): void {
    const ordinal = this.#ordinal[place] ?? 0;
    this.#ranks.lift(place);
    this.wanted.lift(place);
    if (this.isRequired(place)) {
      this.#byDue.putBack(place);
      this.#byCall.putBack(place);
      this.#requiredPlaced.remove(ordinal);
    } else {
      this.#optionals.putBack(place);
      this.#optionalPlaced.remove(ordinal);
    }
  }

  /** The name of the set of required entries that are placed. */
  get requiredName(): string {
    return this.#requiredPlaced.name;
  }

  /** The set of the others that are placed, in words of bits. */
  get optionalWords(): string {
    return this.#optionalPlaced.words;
  }

  readonly #sooner = (a: number, b: number): number => this.at(a).dueMs - this.at(b).dueMs || a - b;
}

function likenesses(entries: readonly Entry[]): number[] {
  const numbers = new Map<string, number>();
  return entries.map(({ move }) => {
    const text = JSON.stringify(move);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
}
