/**
 * The entries that need not be placed, of which there may be thousands: finds those that could help
 * one that waits. Of equal ones the first called is used first, so what is used up of them is a
 * number.
 */
import type { Entry } from "./entries.js";
import type { Sight } from "./model.js";

interface Alike {
  /** In order of their calls. */
  readonly places: number[];
  readonly needs: string | null;
  readonly gives: string | null;
  used: number;
}

export class Optionals {
  readonly #entries: readonly Entry[];
  readonly #sight: Sight | undefined;
  readonly #all: Alike[] = [];
  readonly #of = new Map<number, Alike>();
  readonly #needing = new Map<string, Alike[]>();
  readonly #giving = new Map<string, Alike[]>();
  /** Need nothing to be seen, and do not tell what then is. */
  readonly #blind: Alike[] = [];

  /** `places`: theirs, in order of their calls. */
  constructor(
    entries: readonly Entry[],
    places: readonly number[],
    likeness: readonly number[],
    sight: Sight | undefined,
  ) {
    this.#entries = entries;
    this.#sight = sight;
    const known = new Map<number, Alike>();
    for (const place of places) {
      const number = likeness[place] ?? 0;
      const alike = known.get(number) ?? this.#add(place);
      known.set(number, alike);
      alike.places.push(place);
      this.#of.set(place, alike);
    }
  }

  use(place: number): void {
    this.#alike(place).used += 1;
  }

  putBack(place: number): void {
    this.#alike(place).used -= 1;
  }

  /** Those that may take place in `state` and help one of the moves that `waiting` cannot. */
  helpful(state: unknown, waiting: readonly Entry[], latestMs: number): number[] {
    if (waiting.length === 0) return [];
    const seen = this.#sight?.of(state) ?? null;
    const needs = waiting.map(({ move }) => this.#sight?.needs(move) ?? null);
    const wanted = needs.includes(null) ? null : this.#wanted(needs);
    const fitting = seen === null ? this.#all : (this.#needing.get(seen) ?? []);
    const found = fitting.filter(({ gives }) => isWanted(gives, wanted));
    if (seen !== null) found.push(...this.#blind, ...this.#givers(wanted));
    return found.flatMap(({ places, used }) => {
      const place = places[used];
      return place !== undefined && this.#callOf(place) <= latestMs ? [place] : [];
    });
  }

  /** Those that need nothing and give what is wanted; null: whatever they give. */
  #givers(wanted: ReadonlySet<string> | null): Alike[] {
    const givers =
      wanted === null ? this.#all : [...wanted].flatMap(what => this.#giving.get(what) ?? []);
    return givers.filter(({ needs, gives }) => needs === null && gives !== null);
  }

  /** What the waiting need, and what those need that could give it. */
  #wanted(needs: readonly (string | null)[]): Set<string> {
    const wanted = new Set(needs.filter(need => need !== null));
    for (const what of wanted) {
      for (const { needs: before } of this.#giving.get(what) ?? []) {
        if (before !== null) wanted.add(before);
      }
    }
    return wanted;
  }

  #add(place: number): Alike {
    const move = this.#entries[place]?.move;
    const needs = move === undefined ? null : (this.#sight?.needs(move) ?? null);
    const gives = move === undefined ? null : (this.#sight?.gives(move) ?? null);
    const alike: Alike = { places: [], needs, gives, used: 0 };
    this.#all.push(alike);
    if (needs !== null) push(this.#needing, needs, alike);
    if (gives !== null) push(this.#giving, gives, alike);
    if (needs === null && gives === null) this.#blind.push(alike);
    return alike;
  }

  #alike(place: number): Alike {
    const alike = this.#of.get(place);
    if (alike === undefined) throw new RangeError(`no optional entry ${place}`);
    return alike;
  }

  #callOf(place: number): number {
    return this.#entries[place]?.callMs ?? Number.POSITIVE_INFINITY;
  }
}

const isWanted = (gives: string | null, wanted: ReadonlySet<string> | null): boolean =>
  gives === null || wanted === null || wanted.has(gives);

function push(lists: Map<string, Alike[]>, name: string, alike: Alike): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [alike]);
  else list.push(alike);
}
