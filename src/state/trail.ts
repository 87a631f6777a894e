/**
 * First in, first out, in chunks that are only ever appended to: a view of the present content
 * takes constant time and stays as it was while the trail goes on. For what is remembered in
 * order of time: history, ended leases, ended entries.
 */
const CHUNK_ITEMS = 256;

class Chunk<T> {
  /** Made in full, since one that grows is copied again and again. */
  readonly items = new Array<T>(CHUNK_ITEMS);
  length = 0;
  next: Chunk<T> | null = null;
}

/** Walks the items that were there when it was made, the oldest first. */
export class TrailWalk<T> {
  #chunk: Chunk<T> | null;
  #offset: number;
  #left: number;

  constructor(chunk: Chunk<T>, offset: number, left: number) {
    this.#chunk = chunk;
    this.#offset = offset;
    this.#left = left;
  }

  /** Items not visited yet. */
  get left(): number {
    return this.#left;
  }

  next(): T | undefined {
    if (this.#left === 0 || this.#chunk === null) return undefined;
    if (this.#offset === CHUNK_ITEMS) {
      this.#chunk = this.#chunk.next;
      this.#offset = 0;
    }
    this.#left--;
    return this.#chunk?.items[this.#offset++];
  }
}

export class Trail<T> {
  #head = new Chunk<T>();
  #tail: Chunk<T> = this.#head;
  /** Items of the head chunk that are gone. */
  #gone = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    let tail = this.#tail;
    if (tail.length === CHUNK_ITEMS) {
      tail = new Chunk<T>();
      this.#tail.next = tail;
      this.#tail = tail;
    }
    tail.items[tail.length++] = item;
    this.#size++;
  }

  /** The oldest; undefined when empty. */
  first(): T | undefined {
    this.#skipSpentChunk();
    return this.#head.items[this.#gone];
  }

  /** Drops the oldest. */
  shift(): T | undefined {
    const item = this.first();
    if (item === undefined) return undefined;
    this.#gone++;
    this.#size--;
    return item;
  }

  /** All items of now, in O(1). */
  walk(): TrailWalk<T> {
    this.#skipSpentChunk();
    return new TrailWalk(this.#head, this.#gone, this.#size);
  }

  /**
   * From the first item for which `reached` is true on; `reached` must be false for all before
   * that and true for all after. Takes time in the number of chunks.
   */
  walkFrom(reached: (item: T) => boolean): TrailWalk<T> {
    this.#skipSpentChunk();
    let chunk = this.#head;
    let offset = this.#gone;
    let left = this.#size;
    for (let next = chunk.next; next !== null; next = chunk.next) {
      const first = next.items[0];
      if (first === undefined || reached(first)) break;
      left -= CHUNK_ITEMS - offset;
      chunk = next;
      offset = 0;
    }
    let low = offset;
    let high = Math.min(chunk.length, offset + left);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = chunk.items[middle];
      if (item !== undefined && !reached(item)) low = middle + 1;
      else high = middle;
    }
    return new TrailWalk(chunk, low, left - (low - offset));
  }

  #skipSpentChunk(): void {
    if (this.#gone < CHUNK_ITEMS || this.#head.next === null) return;
    this.#head = this.#head.next;
    this.#gone = 0;
  }
}
