/** A list of places from which each can be taken and, in reverse order, put back, in no time. */
const END = -1;

export class Chain {
  /** By place; the last element is the head. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;

  /** `order`: the places in it, each below `places`. */
  constructor(places: number, order: readonly number[]) {
    this.#head = places;
    this.#next = new Int32Array(places + 1).fill(END);
    this.#previous = new Int32Array(places + 1).fill(END);
    let before = this.#head;
    for (const place of order) {
      this.#next[before] = place;
      this.#previous[place] = before;
      before = place;
    }
  }

  /** The first place, or -1. */
  get first(): number {
    return this.after(this.#head);
  }

  /** The place after this one, or -1. */
  after(place: number): number {
    return this.#next[place] ?? END;
  }

  take(place: number): void {
    const next = this.after(place);
    const previous = this.#previous[place] ?? this.#head;
    this.#next[previous] = next;
    if (next !== END) this.#previous[next] = previous;
  }

  putBack(place: number): void {
    const next = this.after(place);
    const previous = this.#previous[place] ?? this.#head;
    this.#next[previous] = place;
    if (next !== END) this.#previous[next] = place;
  }
}
