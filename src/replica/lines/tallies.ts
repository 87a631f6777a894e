/**
 * How long others waited for locks, how long they held them and how that ended: by the first
 * segment of the locks' names, since those are how a fleet's locks are told apart. Counted by
 * whoever leads while it applies, so that sums over all nodes are right; what a node counted is
 * gone when its process ends. The number of groups is bounded.
 */
import type { EndReason, EntryEnd, Grant } from "../../state/index.js";
import type { LineTally, Tally } from "../coordinator/index.js";
import { endReason } from "../views.js";

/** More groups than that are counted together: names may have any first segment. */
const MAX_GROUPS = 100;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const TALLY_BOUNDS_MS: readonly number[] = [
  1,
  5,
  10,
  50,
  100,
  500,
  SECOND,
  5 * SECOND,
  15 * SECOND,
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  HOUR,
  6 * HOUR,
];

class Buckets implements Tally {
  readonly boundsMs = TALLY_BOUNDS_MS;
  readonly counts = new Float64Array(TALLY_BOUNDS_MS.length + 1);
  sumMs = 0;

  add(tookMs: number): void {
    let at = 0;
    while (at < TALLY_BOUNDS_MS.length && tookMs > (TALLY_BOUNDS_MS[at] ?? 0)) at += 1;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sumMs += tookMs;
  }
}

class Group implements LineTally {
  readonly waited = new Buckets();
  readonly held = new Buckets();
  readonly ends = new Map<ReturnType<typeof endReason>, number>();

  constructor(readonly group: string | null) {}

  ended(heldMs: number, ended: EndReason): void {
    this.held.add(heldMs);
    const reason = endReason(ended);
    this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1);
  }
}

export class Tallies {
  readonly #byGroup = new Map<string, Group>();
  readonly #others = new Group(null);
  readonly #counts: () => boolean;

  /** `counts`: whether this node is the one that counts now. */
  constructor(counts: () => boolean) {
    this.#counts = counts;
  }

  /** Of several names each is told by itself. */
  granted({ name, waitedMs }: Grant): void {
    if (this.#counts()) this.#groupOf(name).waited.add(waitedMs);
  }

  ended({ name, heldMs, reason }: EntryEnd): void {
    if (this.#counts()) this.#groupOf(name).ended(heldMs, reason);
  }

  /** Those that counted something; the rest, whose group is null, comes last. */
  all(): readonly LineTally[] {
    const all = [...this.#byGroup.values()];
    const { waited, held } = this.#others;
    const isUsed = [waited, held].some(({ counts }) => counts.some(count => count > 0));
    return isUsed ? [...all, this.#others] : all;
  }

  #groupOf(name: string): Group {
    const slash = name.indexOf("/");
    const first = slash === -1 ? name : name.slice(0, slash);
    const known = this.#byGroup.get(first);
    if (known !== undefined) return known;
    if (this.#byGroup.size >= MAX_GROUPS) return this.#others;
    const group = new Group(first);
    this.#byGroup.set(first, group);
    return group;
  }
}
