/**
 * What lives as long as its connection at most, in the order in which it joined. A chain through
 * the members and not a Set, for the reason that stands in base/number-map.ts. Used by
 * connection.ts alone.
 */

/** Something that lives as long as its connection at most. */
export interface Dependent {
  /** Its links among its connection's dependents, which alone set them. */
  before: Dependent | null;
  after: Dependent | null;
  /** The connection is gone; see Connection.close. */
  connectionClosed(abandon: boolean): void;
  /** The outside can take events again, after it could not. */
  resumed?(): void;
}

export class Dependents {
  #first: Dependent | null = null;
  #last: Dependent | null = null;

  /** Nothing happens if it is in already. */
  add(dependent: Dependent): void {
    if (this.#has(dependent)) return;
    dependent.before = this.#last;
    if (this.#last === null) this.#first = dependent;
    else this.#last.after = dependent;
    this.#last = dependent;
  }

  /** Nothing happens if it is not in. */
  remove(dependent: Dependent): void {
    if (!this.#has(dependent)) return;
    const { before, after } = dependent;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    dependent.before = null;
    dependent.after = null;
  }

  /** All there are now, so that whoever goes through them may remove some. */
  all(): Dependent[] {
    const all: Dependent[] = [];
    for (let one = this.#first; one !== null; one = one.after) all.push(one);
    return all;
  }

  /** Takes all out. */
  takeAll(): Dependent[] {
    const all = this.all();
    for (const one of all) {
      one.before = null;
      one.after = null;
    }
    this.#first = null;
    this.#last = null;
    return all;
  }

  #has(dependent: Dependent): boolean {
    return dependent.before !== null || this.#first === dependent;
  }
}
