/**
 * An ordered tree that knows rank and position, in O(log n), with O(1) clones: weight-balanced
 * (Adams; the parameters 3 and 2 proved sound by Hirai and Yamamoto, 2011), its nodes immutable, so
 * that a clone or a cursor goes on seeing what it saw. Lines of waiters are kept in it. Where rank
 * does not matter, OrderedMap is faster and smaller.
 */
interface Node<K, V> {
  readonly key: K;
  readonly value: V;
  readonly left: Node<K, V> | null;
  readonly right: Node<K, V> | null;
  /** Nodes in this subtree, itself included. */
  readonly size: number;
}

type Tree<K, V> = Node<K, V> | null;

const BALANCE = 3;
const SINGLE = 2;

export class CountedTree<K, V> {
  readonly #compare: (a: K, b: K) => number;
  #root: Tree<K, V> = null;

  /**
   * `compare` is a total order: negative, zero or positive as `a` is before, equal or after `b`.
   */
  constructor(compare: (a: K, b: K) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return sizeOf(this.#root);
  }

  get(key: K): V | undefined {
    return this.#find(key)?.value;
  }

  has(key: K): boolean {
    return this.#find(key) !== null;
  }

  /** Inserts or replaces. True when `key` is new. */
  set(key: K, value: V): boolean {
    const before = this.size;
    this.#root = insert(this.#root, key, value, this.#compare);
    return this.size > before;
  }

  /** True when `key` was there. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#root = remove(this.#root, key, this.#compare);
    return true;
  }

  clear(): void {
    this.#root = null;
  }

  /** How many keys stand before `key`, whether it is in the tree or not. */
  rank(key: K): number {
    let node = this.#root;
    let before = 0;
    while (node !== null) {
      const order = this.#compare(key, node.key);
      if (order === 0) return before + sizeOf(node.left);
      if (order < 0) {
        node = node.left;
      } else {
        before += sizeOf(node.left) + 1;
        node = node.right;
      }
    }
    return before;
  }

  /** The value at `position`, 0 being the first; undefined outside. */
  at(position: number): V | undefined {
    return nodeAt(this.#root, position)?.value;
  }

  /** The key at `position`, 0 being the first; undefined outside. */
  keyAt(position: number): K | undefined {
    return nodeAt(this.#root, position)?.key;
  }

  /** A cursor at `position`; past the end it is done at once. */
  cursorAt(position: number): TreeCursor<K, V> {
    return TreeCursor.at(this.#root, position);
  }

  /** A cursor at the first key that is not before `key`. */
  cursorFrom(key: K): TreeCursor<K, V> {
    return TreeCursor.at(this.#root, this.rank(key));
  }

  /** Another tree of the same content, in O(1); what happens to one does not touch the other. */
  clone(): CountedTree<K, V> {
    const copy = new CountedTree<K, V>(this.#compare);
    copy.#root = this.#root;
    return copy;
  }

  #find(key: K): Tree<K, V> {
    let node = this.#root;
    while (node !== null) {
      const order = this.#compare(key, node.key);
      if (order === 0) return node;
      node = order < 0 ? node.left : node.right;
    }
    return null;
  }
}

/**
 * Walks upward from where it was made, over the tree as it was then. Use:
 * `for (const c = tree.cursorAt(0); !c.done; c.next()) use(c.key, c.value)`.
 */
export class TreeCursor<K, V> {
  /** The nodes still to come whose left sides are behind us; the present one is the last. */
  readonly #path: Node<K, V>[] = [];

  static at<K, V>(root: Node<K, V> | null, position: number): TreeCursor<K, V> {
    const cursor = new TreeCursor<K, V>();
    let node = root;
    let rest = Math.max(position, 0);
    while (node !== null) {
      const left = sizeOf(node.left);
      if (rest > left) {
        rest -= left + 1;
        node = node.right;
      } else {
        cursor.#path.push(node);
        if (rest === left) break;
        node = node.left;
      }
    }
    return cursor;
  }

  get done(): boolean {
    return this.#path.length === 0;
  }

  /** The present key. Must not be read when done. */
  get key(): K {
    return this.#present().key;
  }

  /** The present value. Must not be read when done. */
  get value(): V {
    return this.#present().value;
  }

  next(): void {
    const left = this.#path.pop();
    let node = left === undefined ? null : left.right;
    while (node !== null) {
      this.#path.push(node);
      node = node.left;
    }
  }

  #present(): Node<K, V> {
    const node = this.#path[this.#path.length - 1];
    if (node === undefined) throw new RangeError("the cursor is past the end");
    return node;
  }
}

function sizeOf<K, V>(node: Tree<K, V>): number {
  return node === null ? 0 : node.size;
}

function nodeAt<K, V>(root: Tree<K, V>, position: number): Tree<K, V> {
  let node = root;
  let rest = position;
  while (node !== null) {
    const left = sizeOf(node.left);
    if (rest === left) return node;
    if (rest < left) {
      node = node.left;
    } else {
      rest -= left + 1;
      node = node.right;
    }
  }
  return null;
}

function join<K, V>(key: K, value: V, left: Tree<K, V>, right: Tree<K, V>): Node<K, V> {
  return { key, value, left, right, size: sizeOf(left) + sizeOf(right) + 1 };
}

function insert<K, V>(
  node: Tree<K, V>,
  key: K,
  value: V,
  compare: (a: K, b: K) => number,
): Node<K, V> {
  if (node === null) return join(key, value, null, null);
  const order = compare(key, node.key);
  if (order === 0) return join(key, value, node.left, node.right);
  if (order < 0) {
    return balance(node.key, node.value, insert(node.left, key, value, compare), node.right);
  }
  return balance(node.key, node.value, node.left, insert(node.right, key, value, compare));
}

function remove<K, V>(node: Tree<K, V>, key: K, compare: (a: K, b: K) => number): Tree<K, V> {
  if (node === null) return null;
  const order = compare(key, node.key);
  if (order < 0) return balance(node.key, node.value, remove(node.left, key, compare), node.right);
  if (order > 0) return balance(node.key, node.value, node.left, remove(node.right, key, compare));
  if (node.left === null) return node.right;
  if (node.right === null) return node.left;
  // The neighbour from the heavier side takes the place, so that at most one rotation follows.
  if (node.left.size > node.right.size) {
    const last = extreme(node.left, "right");
    return balance(last.key, last.value, withoutLast(node.left), node.right);
  }
  const first = extreme(node.right, "left");
  return balance(first.key, first.value, node.left, withoutFirst(node.right));
}

function extreme<K, V>(from: Node<K, V>, side: "left" | "right"): Node<K, V> {
  let node = from;
  for (let next = node[side]; next !== null; next = node[side]) node = next;
  return node;
}

function withoutFirst<K, V>(node: Node<K, V>): Tree<K, V> {
  if (node.left === null) return node.right;
  return balance(node.key, node.value, withoutFirst(node.left), node.right);
}

function withoutLast<K, V>(node: Node<K, V>): Tree<K, V> {
  if (node.right === null) return node.left;
  return balance(node.key, node.value, node.left, withoutLast(node.right));
}

/** Joins two subtrees of which one may have changed by one node, rotating where they tip. */
function balance<K, V>(key: K, value: V, left: Tree<K, V>, right: Tree<K, V>): Node<K, V> {
  const l = sizeOf(left) + 1;
  const r = sizeOf(right) + 1;
  if (right !== null && r > BALANCE * l) return rotateLeft(key, value, left, right);
  if (left !== null && l > BALANCE * r) return rotateRight(key, value, left, right);
  return join(key, value, left, right);
}

function rotateLeft<K, V>(key: K, value: V, left: Tree<K, V>, right: Node<K, V>): Node<K, V> {
  const inner = right.left;
  if (inner === null || inner.size + 1 < SINGLE * (sizeOf(right.right) + 1)) {
    return join(right.key, right.value, join(key, value, left, inner), right.right);
  }
  return join(
    inner.key,
    inner.value,
    join(key, value, left, inner.left),
    join(right.key, right.value, inner.right, right.right),
  );
}

function rotateRight<K, V>(key: K, value: V, left: Node<K, V>, right: Tree<K, V>): Node<K, V> {
  const inner = left.right;
  if (inner === null || inner.size + 1 < SINGLE * (sizeOf(left.left) + 1)) {
    return join(left.key, left.value, left.left, join(key, value, inner, right));
  }
  return join(
    inner.key,
    inner.value,
    join(left.key, left.value, left.left, inner.left),
    join(key, value, inner.right, right),
  );
}
