/**
 * Things in the order in which they came, each carrying its own links: one that is taken out leaves
 * nothing behind, wherever it stood. A thing is in one chain at most. Why it is no Map stands in
 * call-table.ts.
 */

/** Its links, which the chain alone sets. */
export interface Linked<Item> {
  before: Item | null;
  after: Item | null;
}

export class Chain<Item extends Linked<Item>> {
  #first: Item | null = null;
  #last: Item | null = null;

  get first(): Item | null {
    return this.#first;
  }

  /** Enters one that is in no chain, as the last. */
  add(item: Item): void {
    item.before = this.#last;
    if (this.#last === null) this.#first = item;
    else this.#last.after = item;
    this.#last = item;
  }

  /** Takes it out; nothing happens if it is in no chain. */
  remove(item: Item): void {
    const { before, after } = item;
    if (before === null && this.#first !== item) return;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    item.before = null;
    item.after = null;
  }

  *[Symbol.iterator](): IterableIterator<Item> {
    for (let item = this.#first; item !== null; item = item.after) yield item;
  }
}
