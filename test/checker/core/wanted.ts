/**
 * What entries not yet placed still have to see, and what could still make it be there. What is
 * wanted and cannot come again must not go.
 */
import { type Entry, isRequired } from "./entries.js";
import type { Model } from "./model.js";

export class Wanted {
  readonly #model: Model;
  /** By place. */
  readonly #needs: readonly (string | null)[];
  readonly #gives: readonly (string | null)[];
  readonly #needers = new Map<string, number>();
  readonly #givers = new Map<string, number>();

  constructor(entries: readonly Entry[], model: Model) {
    this.#model = model;
    const { sight } = model;
    this.#needs = entries.map(one => (isRequired(one) ? (sight?.needs(one.move) ?? null) : null));
    this.#gives = entries.map(one => sight?.gives(one.move) ?? null);
    for (const at of entries.keys()) this.lift(at);
  }

  place(place: number): void {
    count(this.#needers, this.#needs[place], -1);
    count(this.#givers, this.#gives[place], -1);
  }

  lift(place: number): void {
    count(this.#needers, this.#needs[place], 1);
    count(this.#givers, this.#gives[place], 1);
  }

  /** May the state change so, by the entry at `place`, which is not yet counted as placed? */
  allows(place: number, before: unknown, after: unknown): boolean {
    const { sight } = this.#model;
    if (sight === undefined) return true;
    const seen = sight.of(before);
    if (seen === null) return true;
    const needers = (this.#needers.get(seen) ?? 0) - (this.#needs[place] === seen ? 1 : 0);
    if (needers === 0 || sight.of(after) === seen) return true;
    return (this.#givers.get(seen) ?? 0) - (this.#gives[place] === seen ? 1 : 0) > 0;
  }
}

function count(counts: Map<string, number>, what: string | null | undefined, by: 1 | -1): void {
  if (what === null || what === undefined) return;
  counts.set(what, (counts.get(what) ?? 0) + by);
}
