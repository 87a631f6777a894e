/**
 * Who is interested in a key: followers of that key, of a prefix of it, of a range around it. A
 * write costs one look per length of prefix in use, so followers of other keys and prefixes cost it
 * nothing; only ranges that are no prefixes are tried one by one.
 */
import type { Follower, Interest } from "./follower.js";

export class InterestIndex {
  readonly #keys = new Map<string, Follower[]>();
  readonly #prefixes = new Map<string, Follower[]>();
  /** How many distinct prefixes of each length there are. */
  readonly #lengths = new Map<number, number>();
  #lengthsInUse: number[] = [];
  #ranges: Follower[] = [];

  add(follower: Follower): void {
    const { interest } = follower;
    if (interest.kind === "key") append(this.#keys, interest.key, follower);
    else if (interest.kind === "range") this.#ranges.push(follower);
    else if (append(this.#prefixes, interest.prefix, follower)) {
      this.#countLength(interest.prefix.length, 1);
    }
  }

  remove(follower: Follower): void {
    const { interest } = follower;
    if (interest.kind === "key") drop(this.#keys, interest.key, follower);
    else if (interest.kind === "range") this.#ranges = this.#ranges.filter(f => f !== follower);
    else if (drop(this.#prefixes, interest.prefix, follower)) {
      this.#countLength(interest.prefix.length, -1);
    }
  }

  each(key: string, visit: (follower: Follower) => void): void {
    this.#keys.get(key)?.forEach(visit);
    for (const length of this.#lengthsInUse) {
      if (length > key.length) break;
      this.#prefixes.get(key.slice(0, length))?.forEach(visit);
    }
    for (const follower of this.#ranges) if (inRange(follower.interest, key)) visit(follower);
  }

  #countLength(length: number, by: number): void {
    const now = (this.#lengths.get(length) ?? 0) + by;
    if (now === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, now);
    this.#lengthsInUse = [...this.#lengths.keys()].sort((a, b) => a - b);
  }
}

function inRange(interest: Interest, key: string): boolean {
  if (interest.kind !== "range") return false;
  return key >= interest.from && (interest.to === null || key < interest.to);
}

/** True when it is the first one under that name. */
function append(lists: Map<string, Follower[]>, name: string, follower: Follower): boolean {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [follower]);
  else list.push(follower);
  return list === undefined;
}

/** True when it was the last one under that name. */
function drop(lists: Map<string, Follower[]>, name: string, follower: Follower): boolean {
  const list = lists.get(name);
  const place = list?.indexOf(follower) ?? -1;
  if (list === undefined || place < 0) return false;
  list.splice(place, 1);
  if (list.length > 0) return false;
  lists.delete(name);
  return true;
}
