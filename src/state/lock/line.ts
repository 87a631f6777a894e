/**
 * A line: the entries directly below a name, in order of (create revision, sub, key). An index
 * over the records, rebuilt by a loader; knows rank and position in O(log n). Most lines are
 * empty or have one entry: those cost no tree. Who may hold is admit.ts's to say.
 */
import { assert } from "../../base/assert.js";
import { CountedTree } from "../../base/counted-tree.js";
import type { KvRecord } from "../kv/record.js";
import type { Knot } from "./actors.js";
import type { EndedEntry } from "./ended.js";

/** An entry's place. */
export class Place {
  readonly revision: number;
  readonly sub: number;
  readonly key: string;

  constructor(revision: number, sub: number, key: string) {
    this.revision = revision;
    this.sub = sub;
    this.key = key;
  }
}

export function comparePlaces(a: Place, b: Place): number {
  if (a.revision !== b.revision) return a.revision - b.revision;
  if (a.sub !== b.sub) return a.sub - b.sub;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

export function placeOf(record: KvRecord): Place {
  return new Place(record.createRevision, record.entry?.sub ?? 0, record.key);
}

export class Line {
  readonly name: string;
  // The single entry's place, while there is no tree; key "" when there is none.
  #onlyKey = "";
  #onlyRevision = 0;
  #onlySub = 0;
  #tree: CountedTree<Place, null> | null = null;
  /** Keys of entries that name an actor, by lease and actor. */
  #actors: Map<string, string> | null = null;
  /** Places of those who read only; null while there are none. */
  #readers: CountedTree<Place, null> | null = null;
  /** Entries of those who are entangled (actors.ts); null while there are none. */
  #knots: CountedTree<Place, Knot> | null = null;
  /** How many hold: always the first so many. */
  granted = 0;
  /** How many do not ask to hold alone. */
  #sharing = 0;
  /** The last who left: a ring, full or beginning at 0. */
  readonly #recent: EndedEntry[] = [];
  #oldest = 0;
  /** It is on the list of lines to look at when the command ends. */
  touched = false;

  constructor(name: string) {
    this.name = name;
  }

  /** How many of those who left it remembers. */
  get shown(): number {
    return this.#recent.length;
  }

  /** Those who left last, the newest first. */
  recent(): EndedEntry[] {
    const ring = this.#recent;
    return [...ring.slice(this.#oldest), ...ring.slice(0, this.#oldest)].reverse();
  }

  /** Remembers one who left, in the place of the oldest when there are `most` already. */
  show(ended: EndedEntry, most: number): void {
    const ring = this.#recent;
    if (most < 1) return;
    ended.line = this;
    if (ring.length < most) {
      assert(this.#oldest === 0, "a ring that grows begins at 0");
      ring.push(ended);
      return;
    }
    ring[this.#oldest] = ended;
    this.#oldest = this.#oldest + 1 === ring.length ? 0 : this.#oldest + 1;
  }

  /** Forgets `ended`, the oldest of all, anywhere. True when it was still shown here. */
  hide(ended: EndedEntry): boolean {
    const ring = this.#recent;
    if (ring[this.#oldest] !== ended) return false;
    if (this.#oldest > 0) ring.push(...ring.splice(0, this.#oldest));
    this.#oldest = 0;
    ring.shift();
    return true;
  }

  /** Nobody in it would hold beside another. */
  get isExclusive(): boolean {
    return this.#sharing === 0;
  }

  get size(): number {
    if (this.#tree !== null) return this.#tree.size;
    return this.#onlyKey === "" ? 0 : 1;
  }

  /** The key of the entry at `position`, 0 being the head. */
  keyAt(position: number): string | undefined {
    if (this.#tree !== null) return this.#tree.keyAt(position)?.key;
    return position === 0 && this.#onlyKey !== "" ? this.#onlyKey : undefined;
  }

  /** How many stand before this entry, which must be in the line. */
  rank(record: KvRecord): number {
    return this.#tree === null ? 0 : this.#tree.rank(placeOf(record));
  }

  /** The first key whose entry has this create revision. */
  keyOfToken(token: number): string | undefined {
    if (this.#tree === null) {
      return this.#onlyKey !== "" && this.#onlyRevision === token ? this.#onlyKey : undefined;
    }
    const place = this.#tree.keyAt(this.#tree.rank(new Place(token, 0, "")));
    return place?.revision === token ? place.key : undefined;
  }

  /** Keys from `position` on, at most `limit`. */
  keys(position: number, limit: number): string[] {
    const found: string[] = [];
    if (this.#tree === null) {
      if (this.#onlyKey !== "" && position === 0 && limit > 0) found.push(this.#onlyKey);
      return found;
    }
    for (const c = this.#tree.cursorAt(position); !c.done && found.length < limit; c.next()) {
      found.push(c.key.key);
    }
    return found;
  }

  /**
   * Behind how many of the line one who only reads must wait, if so many stand before it: up to the
   * last of them that does not only read.
   */
  readersWaitBehind(rank: number): number {
    const readers = this.#readers;
    if (readers === null) return rank;
    if (this.#tree === null) return 0;
    // How many of the first n read only, grows by one a place once no other comes any more.
    let low = 0;
    let high = rank;
    const before = this.#readersBefore(readers, rank);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before - this.#readersBefore(readers, middle) === rank - middle) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #readersBefore(readers: CountedTree<Place, null>, rank: number): number {
    const place = this.#tree?.keyAt(rank);
    return place === undefined ? readers.size : readers.rank(place);
  }

  /** How many entries of those who are entangled are among the first `rank`. */
  knotsBefore(rank: number): number {
    if (this.#knots === null) return 0;
    const place = this.#tree === null ? undefined : this.#tree.keyAt(rank);
    if (place !== undefined) return this.#knots.rank(place);
    return rank === 0 ? 0 : this.#knots.size;
  }

  /** Whether anyone stands behind it who is entangled. */
  isBlockingKnots(place: Place): boolean {
    const knots = this.#knots;
    if (knots === null) return false;
    return knots.rank(place) + (knots.has(place) ? 1 : 0) < knots.size;
  }

  /** Those from number `from` to before `to`. */
  knots(from: number, to: number): Knot[] {
    const found: Knot[] = [];
    if (this.#knots === null || from >= to) return found;
    const cursor = this.#knots.cursorAt(from);
    for (let i = from; i < to && !cursor.done; i++) {
      found.push(cursor.value);
      cursor.next();
    }
    return found;
  }

  tie(knot: Knot): void {
    if (this.#knots === null) this.#knots = new CountedTree<Place, Knot>(comparePlaces);
    this.#knots.set(knot.place, knot);
  }

  untie(knot: Knot): void {
    this.#knots?.delete(knot.place);
    if (this.#knots?.size === 0) this.#knots = null;
  }

  keyOfActor(lease: string, actor: string): string | undefined {
    return actor === "" ? undefined : this.#actors?.get(`${lease}/${actor}`);
  }

  enter(record: KvRecord): void {
    if (this.#tree === null && this.#onlyKey === "") {
      this.#onlyKey = record.key;
      this.#onlyRevision = record.createRevision;
      this.#onlySub = record.entry?.sub ?? 0;
    } else {
      if (this.#tree === null) this.#tree = this.#grow();
      this.#tree.set(placeOf(record), null);
    }
    if (record.entry?.granted === true) this.granted++;
    if (record.entry?.mode !== "exclusive") this.#sharing++;
    if (record.entry?.mode === "shared") this.#enterReader(record);
    const actor = record.entry?.actor ?? "";
    if (actor === "") return;
    if (this.#actors === null) this.#actors = new Map();
    this.#actors.set(`${record.lease}/${actor}`, record.key);
  }

  #enterReader(record: KvRecord): void {
    if (this.#readers === null) this.#readers = new CountedTree<Place, null>(comparePlaces);
    this.#readers.set(placeOf(record), null);
  }

  #grow(): CountedTree<Place, null> {
    const tree = new CountedTree<Place, null>(comparePlaces);
    tree.set(new Place(this.#onlyRevision, this.#onlySub, this.#onlyKey), null);
    this.#onlyKey = "";
    return tree;
  }

  /** Its actor has gone; the entry stays. */
  quit(record: KvRecord): void {
    const actor = record.entry?.actor ?? "";
    if (actor === "" || this.#actors === null) return;
    this.#actors.delete(`${record.lease}/${actor}`);
    if (this.#actors.size === 0) this.#actors = null;
  }

  leave(record: KvRecord): void {
    if (this.#tree === null) {
      this.#onlyKey = "";
    } else {
      this.#tree.delete(placeOf(record));
      if (this.#tree.size === 0) this.#tree = null;
    }
    if (record.entry?.granted === true) this.granted--;
    if (record.entry?.mode !== "exclusive") this.#sharing--;
    this.#readers?.delete(placeOf(record));
    if (this.#readers?.size === 0) this.#readers = null;
    this.quit(record);
  }
}
