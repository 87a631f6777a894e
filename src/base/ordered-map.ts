/**
 * A copy-on-write map over byte strings, in key order: sorted-btree with our types, our ranges
 * (half-open) and our comparison. Does not know rank or position (CountedTree does). The map must
 * not be written while one of its scans runs; scan a clone to write meanwhile.
 */
import sortedBtree from "sorted-btree";
import { compareByteStrings } from "./byte-string.js";

// The package is CommonJS with its class under `default`, which Node's import wraps once more.
const BTree = sortedBtree.default;
type Tree<V> = InstanceType<typeof BTree<string, V>>;

export class OrderedMap<V> {
  readonly #tree: Tree<V>;

  constructor(tree: Tree<V> = new BTree<string, V>(undefined, compareByteStrings)) {
    this.#tree = tree;
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: string): V | undefined {
    return this.#tree.get(key);
  }

  has(key: string): boolean {
    return this.#tree.has(key);
  }

  /** Inserts or replaces. True when `key` is new. */
  set(key: string, value: V): boolean {
    return this.#tree.set(key, value);
  }

  /** True when `key` was there. */
  delete(key: string): boolean {
    return this.#tree.delete(key);
  }

  clear(): void {
    this.#tree.clear();
  }

  /** Another map of the same content, in O(1); what happens to one does not touch the other. */
  clone(): OrderedMap<V> {
    return new OrderedMap(this.#tree.clone());
  }

  firstKey(): string | undefined {
    return this.#tree.minKey();
  }

  lastKey(): string | undefined {
    return this.#tree.maxKey();
  }

  /** The least key that is `key` or after it. */
  keyAtOrAfter(key: string): string | undefined {
    return this.#tree.getPairOrNextHigher(key)?.[0];
  }

  /** The least key after `key`. */
  keyAfter(key: string): string | undefined {
    return this.#tree.nextHigherKey(key);
  }

  /** The greatest key before `key`. */
  keyBefore(key: string): string | undefined {
    return this.#tree.nextLowerKey(key);
  }

  /**
   * Visits, upward, the keys from `from` (inclusive) to `to` (exclusive; null: to the end), until
   * `visit` returns false.
   */
  scan(from: string, to: string | null, visit: (key: string, value: V) => boolean): void {
    const iterator = this.#tree.entries(from, []);
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      const pair = step.value;
      if (to !== null && pair[0] >= to) return;
      if (!visit(pair[0], pair[1])) return;
    }
  }

  /**
   * Visits, downward, the same keys as `scan(from, to)` would, the greatest first, until `visit`
   * returns false.
   */
  scanBackward(from: string, to: string | null, visit: (key: string, value: V) => boolean): void {
    const iterator = this.#tree.entriesReversed(to ?? undefined, [], true);
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      const pair = step.value;
      if (pair[0] < from) return;
      if (!visit(pair[0], pair[1])) return;
    }
  }
}
