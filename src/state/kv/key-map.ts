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
  /** The key last looked for, null when its path is no longer so: from the root to a leaf. */
  #sought: string | null = null;
  readonly #path: Node<V>[] = [];
  /** Which child the path takes at each level. */
  readonly #places: number[] = [];
  /** The leaf's level, and the key's place there. */
  #depth = 0;
  #foundAt = 0;

  get size(): number {
    return this.#root.size;
  }

  get(key: string): V | undefined {
    const leaf = this.#seek(key);
    const at = this.#foundAt;
    return leaf.keys[at] === key ? leaf.values?.[at] : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Inserts or replaces. True when `key` is new. */
  set(key: string, value: V): boolean {
    this.#seek(key);
    const { keys, values } = this.#ownPath();
    const at = this.#foundAt;
    assert(values !== null, "a leaf has values");
    if (keys[at] === key) {
      values[at] = value;
      return false;
    }
    insertAt(keys, at, key);
    insertAt(values, at, value);
    for (let level = 0; level <= this.#depth; level++) this.#nodeAt(level).size++;
    if (keys.length > MAX) this.#splitUp(key);
    return true;
  }

  /** True when `key` was there. */
  delete(key: string): boolean {
    if (this.#seek(key).keys[this.#foundAt] !== key) return false;
    const { keys, values } = this.#ownPath();
    assert(values !== null, "a leaf has values");
    removeAt(keys, this.#foundAt);
    removeAt(values, this.#foundAt);
    this.#sought = null;
    for (let level = 0; level <= this.#depth; level++) this.#nodeAt(level).size--;
    if (keys.length < SMALL) this.#shrinkUp();
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

  /**
   * The leaf where `key` is or would be. The way there is kept, so that a change that follows a
   * look at the same key need not look again.
   */
  #seek(key: string): Node<V> {
    if (this.#sought === key) return this.#nodeAt(this.#depth);
    let node = this.#root;
    let level = 0;
    while (node.children !== null) {
      const at = childOf(node.keys, key);
      this.#path[level] = node;
      this.#places[level++] = at;
      node = childAt(node.children, at);
    }
    this.#path[level] = node;
    this.#depth = level;
    this.#foundAt = lowerBound(node.keys, key);
    this.#sought = key;
    return node;
  }

  #nodeAt(level: number): Node<V> {
    const node = this.#path[level];
    assert(node !== undefined, "a path has no holes");
    return node;
  }

  /** Makes the kept path one that may be changed; its leaf. */
  #ownPath(): Node<V> {
    for (let level = 0; level <= this.#depth; level++) {
      const node = this.#nodeAt(level);
      if (node.owner === this.#owner) continue;
      const own = this.#own(node);
      this.#path[level] = own;
      if (level === 0) this.#root = own;
      else this.#setChild(level - 1, own);
    }
    return this.#nodeAt(this.#depth);
  }

  /** Puts `child` below the node at `level`, in the place that the path takes. */
  #setChild(level: number, child: Node<V>): void {
    const { children } = this.#nodeAt(level);
    assert(children !== null, "the path goes through branches");
    children[this.#places[level] as number] = child;
  }

  /** Splits the path's leaf, which is too long by `key`, and what becomes too long by that. */
  #splitUp(key: string): void {
    this.#sought = null;
    for (let level = this.#depth; level >= 0; level--) {
      const node = this.#nodeAt(level);
      if (node.keys.length <= MAX) return;
      const right = this.#split(node, key);
      const bound = this.#splitKey;
      if (level === 0) {
        const size = node.size + right.size;
        this.#root = new Node<V>(this.#owner, ["", bound], null, [node, right], size);
        return;
      }
      const parent = this.#nodeAt(level - 1);
      assert(parent.children !== null, "the path goes through branches");
      const at = (this.#places[level - 1] as number) + 1;
      insertAt(parent.keys, at, bound);
      insertAt(parent.children, at, right);
    }
  }

  /** Takes empty nodes off the path, and joins small ones with their neighbours. */
  #shrinkUp(): void {
    for (let level = this.#depth; level > 0; level--) {
      const node = this.#nodeAt(level);
      const parent = this.#nodeAt(level - 1);
      const at = this.#places[level - 1] as number;
      const { children } = parent;
      assert(children !== null, "the path goes through branches");
      if (node.size === 0) {
        removeAt(parent.keys, at);
        removeAt(children, at);
      } else if (node.keys.length < SMALL && children.length > 1) {
        this.#merge(parent, at === children.length - 1 ? at - 1 : at);
      }
    }
    while (this.#root.children !== null && this.#root.children.length === 1) {
      this.#root = childAt(this.#root.children, 0);
    }
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
