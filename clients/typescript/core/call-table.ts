/**
 * The calls under way, by number, and in the order in which they came in. Not a Map: V8 links a
 * Map's outgrown tables to their successors, so once one of them has grown old, everything that
 * ever passes through is kept until the next full collection (measured: a quarter of the CPU of a
 * client under load). Calls carry their own links, and a call that was taken out has none.
 */
import type { Call } from "./call.js";

const FIRST_BUCKETS = 64;

export class CallTable {
  /** A power of two long. Calls of one bucket hang together by `nextInBucket`. */
  #buckets: (Call | null)[] = new Array<Call | null>(FIRST_BUCKETS).fill(null);
  #first: Call | null = null;
  #last: Call | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that came in before all others. */
  get first(): Call | null {
    return this.#first;
  }

  get(id: number): Call | undefined {
    let call = this.#buckets[id & (this.#buckets.length - 1)] ?? null;
    while (call !== null && call.id !== id) call = call.nextInBucket;
    return call ?? undefined;
  }

  /** Enters a call that has its number, which no other here has. */
  add(call: Call): void {
    if (this.#size >= this.#buckets.length) this.#grow();
    this.#hang(call);
    call.before = this.#last;
    if (this.#last === null) this.#first = call;
    else this.#last.after = call;
    this.#last = call;
    this.#size += 1;
  }

  /** Takes a call out, under the number it came in with. False: it was not here. */
  remove(call: Call): boolean {
    if (!this.#unhang(call)) return false;
    const { before, after } = call;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    call.before = null;
    call.after = null;
    this.#size -= 1;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<Call> {
    for (let call = this.#first; call !== null; call = call.after) yield call;
  }

  #hang(call: Call): void {
    const at = call.id & (this.#buckets.length - 1);
    call.nextInBucket = this.#buckets[at] ?? null;
    this.#buckets[at] = call;
  }

  #unhang(call: Call): boolean {
    const at = call.id & (this.#buckets.length - 1);
    let one = this.#buckets[at] ?? null;
    if (one === call) {
      this.#buckets[at] = call.nextInBucket;
    } else {
      while (one !== null && one.nextInBucket !== call) one = one.nextInBucket;
      if (one === null) return false;
      one.nextInBucket = call.nextInBucket;
    }
    call.nextInBucket = null;
    return true;
  }

  #grow(): void {
    this.#buckets = new Array<Call | null>(this.#buckets.length * 2).fill(null);
    for (let call = this.#first; call !== null; call = call.after) this.#hang(call);
  }
}
