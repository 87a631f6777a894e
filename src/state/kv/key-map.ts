/**
 * The keyspace's map: a copy-on-write B+tree over byte strings that counts its subtrees, so that
 * the size of any range is known in O(log n), and with it the count beside a page of a large
 * listing. Clones take constant time; a node is copied when a map that does not own it first
 * changes it. Must not be written while one of its scans runs; scan a clone to write meanwhile.
 */
import { assert } from "../../base/assert.js";

const MAX = 32;
const SMALL = 8;

/** Who may change a node in place: compared by identity. */
class Owner {}

/** A leaf has values, a branch has children; the other list is null. */
class Node<V> {
  readonly owner: Owner;
  /** Of a leaf, its keys. Of a branch, a lower bound for each child; the first one is not used. */
  readonly keys: string[];
  readonly values: V[] | null;
  readonly children: Node<V>[] | null;
  /** Keys in this subtree. */
  size: number;

  constructor(
    owner: Owner,
    keys: string[],
    values: V[] | null,
    children: Node<V>[] | null,
    size: number,
  ) {
    this.owner = owner;
    this.keys = keys;
    this.values = values;
    this.children = children;
    this.size = size;
  }
}

export class KeyMap<V> {
  #owner = new Owner();
  #root: Node<V> = new Node<V>(this.#owner, [], [], null, 0);
  /** The lower bound of the node that the last split made. */
  #splitKey = "";

  get size(): number {
    return this.#root.size;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children !== null) node = childAt(node.children, childOf(node.keys, key));
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values?.[at] : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Inserts or replaces. True when `key` is new. */
  set(key: string, value: V): boolean {
    const before = this.#root.size;
    this.#root = this.#own(this.#root);
    const right = this.#insert(this.#root, key, value);
    if (right !== null) {
      const left = this.#root;
      const bounds = ["", this.#splitKey];
      this.#root = new Node<V>(this.#owner, bounds, null, [left, right], left.size + right.size);
    }
    return this.#root.size > before;
  }

  /** True when `key` was there. */
  delete(key: string): boolean {
    if (!this.has(key)) return false;
    this.#root = this.#own(this.#root);
    this.#remove(this.#root, key);
    while (this.#root.children !== null && this.#root.children.length === 1) {
      this.#root = childAt(this.#root.children, 0);
    }
    return true;
  }

  /** Another map of the same content, in O(1); what happens to one does not touch the other. */
  clone(): KeyMap<V> {
    const copy = new KeyMap<V>();
    copy.#root = this.#root;
    this.#owner = new Owner();
    return copy;
  }

  /** How many keys stand before `key`, whether it is there or not. */
  rank(key: string): number {
    let node = this.#root;
    let before = 0;
    while (node.children !== null) {
      const at = childOf(node.keys, key);
      for (let i = 0; i < at; i++) before += childAt(node.children, i).size;
      node = childAt(node.children, at);
    }
    return before + lowerBound(node.keys, key);
  }

  /** How many keys there are from `from` up to and without `to` (null: to the end). */
  count(from: string, to: string | null): number {
    const end = to === null ? this.#root.size : this.rank(to);
    return Math.max(end - this.rank(from), 0);
  }

  /**
   * Visits, upward, the keys from `from` (inclusive) to `to` (exclusive; null: to the end), until
   * `visit` returns false.
   */
  scan(from: string, to: string | null, visit: (key: string, value: V) => boolean): void {
    scanUp(this.#root, from, to, visit);
  }

  /** Visits the same keys downward, the greatest first, until `visit` returns false. */
  scanBackward(from: string, to: string | null, visit: (key: string, value: V) => boolean): void {
    scanDown(this.#root, from, to, visit);
  }

  #own(node: Node<V>): Node<V> {
    if (node.owner === this.#owner) return node;
    const { keys, values, children, size } = node;
    return new Node<V>(
      this.#owner,
      keys.slice(),
      values === null ? null : values.slice(),
      children === null ? null : children.slice(),
      size,
    );
  }

  /** Into an owned node; the new right neighbour when it had to be split. */
  #insert(node: Node<V>, key: string, value: V): Node<V> | null {
    const { keys, values, children } = node;
    if (children === null) {
      assert(values !== null, "a leaf has values");
      const at = lowerBound(keys, key);
      if (keys[at] === key) {
        values[at] = value;
        return null;
      }
      insertAt(keys, at, key);
      insertAt(values, at, value);
      node.size++;
      return keys.length > MAX ? this.#split(node, key) : null;
    }
    const at = childOf(keys, key);
    const child = this.#own(childAt(children, at));
    children[at] = child;
    const before = child.size;
    const right = this.#insert(child, key, value);
    node.size += child.size + (right === null ? 0 : right.size) - before;
    if (right === null) return null;
    insertAt(keys, at + 1, this.#splitKey);
    insertAt(children, at + 1, right);
    return keys.length > MAX ? this.#split(node, key) : null;
  }

  /**
   * Splits in the middle; at the end when keys come in ascending order, so that nodes stay full.
   */
  #split(node: Node<V>, key: string): Node<V> {
    const { keys, values, children } = node;
    const ascending = keys[keys.length - 1] === key;
    const at = ascending ? keys.length - 2 : keys.length >>> 1;
    this.#splitKey = keys[at] ?? "";
    const rightKeys = keys.splice(at);
    if (children === null) {
      assert(values !== null, "a leaf has values");
      node.size = keys.length;
      return new Node<V>(this.#owner, rightKeys, values.splice(at), null, rightKeys.length);
    }
    const rightChildren = children.splice(at);
    let size = 0;
    for (const child of rightChildren) size += child.size;
    node.size -= size;
    return new Node<V>(this.#owner, rightKeys, null, rightChildren, size);
  }

  /** From an owned node that has it. */
  #remove(node: Node<V>, key: string): void {
    const { keys, values, children } = node;
    node.size--;
    if (children === null) {
      assert(values !== null, "a leaf has values");
      const at = lowerBound(keys, key);
      removeAt(keys, at);
      removeAt(values, at);
      return;
    }
    const at = childOf(keys, key);
    const child = this.#own(childAt(children, at));
    children[at] = child;
    this.#remove(child, key);
    if (child.size === 0) {
      removeAt(keys, at);
      removeAt(children, at);
    } else if (child.keys.length < SMALL && children.length > 1) {
      this.#merge(node, at === children.length - 1 ? at - 1 : at);
    }
  }

  /** Joins the children at `at` and after it, if both fit well in one. */
  #merge(node: Node<V>, at: number): void {
    const children = node.children;
    assert(children !== null, "only branches have children to merge");
    const right = childAt(children, at + 1);
    if (childAt(children, at).keys.length + right.keys.length > MAX - SMALL) return;
    const left = this.#own(childAt(children, at));
    children[at] = left;
    const start = left.keys.length;
    for (const key of right.keys) left.keys.push(key);
    // A branch's first bound is not used, but becomes one: it is the bound of the whole right
    // node.
    if (right.children !== null) left.keys[start] = node.keys[at + 1] ?? "";
    for (const value of right.values ?? []) left.values?.push(value);
    for (const child of right.children ?? []) left.children?.push(child);
    left.size += right.size;
    removeAt(node.keys, at + 1);
    removeAt(children, at + 1);
  }
}

function childAt<V>(children: readonly Node<V>[], at: number): Node<V> {
  const child = children[at];
  assert(child !== undefined, "a branch has a child for every key");
  return child;
}

/** The first place whose key is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child whose range holds `key`: the last whose bound is not after it, or the first. */
function childOf(bounds: readonly string[], key: string): number {
  let low = 1;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function insertAt<T>(list: T[], at: number, item: T): void {
  list.push(item);
  for (let i = list.length - 1; i > at; i--) list[i] = list[i - 1] as T;
  list[at] = item;
}

function removeAt<T>(list: T[], at: number): void {
  for (let i = at + 1; i < list.length; i++) list[i - 1] = list[i] as T;
  list.pop();
}

type Visit<V> = (key: string, value: V) => boolean;

function scanUp<V>(node: Node<V>, from: string, to: string | null, visit: Visit<V>): boolean {
  const { keys, values, children } = node;
  if (children !== null) {
    for (let i = childOf(keys, from); i < children.length; i++) {
      if (to !== null && i > 0 && (keys[i] as string) >= to) return false;
      if (!scanUp(childAt(children, i), from, to, visit)) return false;
    }
    return true;
  }
  for (let i = lowerBound(keys, from); i < keys.length; i++) {
    const key = keys[i] as string;
    if (to !== null && key >= to) return false;
    if (!visit(key, (values as V[])[i] as V)) return false;
  }
  return true;
}

function scanDown<V>(node: Node<V>, from: string, to: string | null, visit: Visit<V>): boolean {
  const { keys, values, children } = node;
  if (children !== null) {
    const last = to === null ? children.length - 1 : childOf(keys, to);
    for (let i = last; i >= 0; i--) {
      if (!scanDown(childAt(children, i), from, to, visit)) return false;
      if ((keys[i] as string) <= from && i > 0) return false;
    }
    return true;
  }
  const end = to === null ? keys.length : lowerBound(keys, to);
  for (let i = end - 1; i >= 0; i--) {
    const key = keys[i] as string;
    if (key < from) return false;
    if (!visit(key, (values as V[])[i] as V)) return false;
  }
  return true;
}
