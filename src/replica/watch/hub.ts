/**
 * Feeds followers: live ones from what is applied, those behind from the history, in slices of
 * bounded size, one a turn each, while the turn has looks at the history left. A follower whose
 * connection cannot take events falls behind and costs nothing until it can. Each sees every change
 * once and in order: it goes live only between entries, at the very revision that its history ended
 * with.
 */
import { prefixEnd } from "../../base/byte-string.js";
import { DeadlineHeap } from "../../base/deadline-heap.js";
import { Ring } from "../../base/ring.js";
import type { Change, HistoryCursor, Refusal } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { failureOf } from "../refusals.js";
import type { Follower, Interest } from "./follower.js";
import { InterestIndex } from "./index-of-interests.js";

const SLICES_PER_TURN = 16;
/**
 * Changes of the history looked at, whether they matter or not: of one follower, and after how many
 * no further one gets its slice in this turn. Both are passed by one call of a cursor at most.
 * Counted and not timed, so that what happens in a turn is the same twice.
 */
const LOOKS_PER_SLICE = 10_000;
const LOOKS_PER_TURN = 40_000;
/** Changes asked of the history at a time: values may be large. */
const STEP = 16;

export class WatchHub {
  readonly #core: Core;
  readonly #wake: () => void;
  readonly #index = new InterestIndex();
  readonly #followers = new Map<number, Follower>();
  readonly #progress = new DeadlineHeap<number>();
  readonly #behind = new Ring<Follower>();
  #touched: Follower[] = [];
  #stopped: Failure | null = null;
  #next = 1;
  /** Of the state when live followers were last fed. */
  #revision = 1;
  told = 0;

  constructor(core: Core, wake: () => void) {
    this.#core = core;
    this.#wake = wake;
  }

  get size(): number {
    return this.#followers.size;
  }

  /** Why the follower cannot begin where it wants to; null: it can. */
  check(follower: Follower): Failure | null {
    if (this.#stopped !== null) return this.#stopped;
    if (follower.nextRevision > this.#core.machine.revision) return null;
    const cursor = this.#open(follower);
    return "kind" in cursor ? failureOf(cursor, this.#core.clusterNowMs()) : null;
  }

  /** Takes a follower in, from its `nextRevision` on. */
  add(follower: Follower): void {
    const { machine, parts } = this.#core;
    const behind = follower.nextRevision <= machine.revision;
    follower.number = this.#next++;
    this.#followers.set(follower.number, follower);
    follower.connection.watches++;
    follower.connection.join(follower);
    follower.toldAtMs = parts.time.nowMs();
    this.#progress.set(follower.number, follower.toldAtMs + parts.limits.watchProgressMs);
    if (behind) this.#enqueue(follower);
    else this.#goLive(follower);
  }

  remove(follower: Follower): void {
    if (follower.ended) return;
    follower.ended = true;
    follower.cursor = null;
    follower.pending = [];
    follower.connection.watches--;
    follower.connection.leave(follower);
    this.#followers.delete(follower.number);
    this.#progress.delete(follower.number);
    if (follower.live) this.#index.remove(follower);
    follower.live = false;
  }

  /** A change was applied. */
  wrote(change: Change): void {
    this.#index.each(change.key, follower => {
      if (change.revision < follower.nextRevision) return;
      if (follower.pending.length === 0) this.#touched.push(follower);
      follower.pending.push(change);
    });
  }

  /** An entry holds, and no change of a key says so: another line let it. */
  granted(key: string): void {
    this.#index.each(key, follower => {
      if (!follower.followsGrants || follower.stirred) return;
      follower.stirred = true;
      if (follower.pending.length === 0) this.#touched.push(follower);
    });
  }

  /** All entries of this turn were applied: live followers are told. */
  flush(): void {
    this.#revision = this.#core.machine.revision;
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    for (const follower of touched) if (!follower.ended) this.#tellLive(follower);
  }

  /** At the end of a turn: one slice each for some of those that are behind. */
  catchUp(): void {
    const slices = Math.min(SLICES_PER_TURN, this.#behind.length);
    let looks = 0;
    for (let i = 0; i < slices && looks < LOOKS_PER_TURN; i++) {
      const follower = this.#behind.shift();
      if (follower === undefined) break;
      follower.queued = false;
      if (!follower.ended && !follower.live) looks += this.#slice(follower);
    }
    if (this.#behind.length > 0) this.#wake();
  }

  /** The state was replaced by a newer one: everyone is behind. */
  restored(): void {
    this.#touched = [];
    for (const follower of this.#followers.values()) {
      follower.pending = [];
      follower.stirred = false;
      follower.cursor = null;
      if (!follower.live) continue;
      this.#index.remove(follower);
      follower.live = false;
      follower.nextRevision = Math.max(follower.nextRevision, this.#revision + 1);
      this.#enqueue(follower);
    }
    this.#revision = this.#core.machine.revision;
  }

  resume(follower: Follower): void {
    if (!follower.ended && !follower.live) this.#enqueue(follower);
  }

  tick(nowMs: number): void {
    const { watchProgressMs } = this.#core.parts.limits;
    for (let n = this.#progress.popDue(nowMs); n !== undefined; n = this.#progress.popDue(nowMs)) {
      const follower = this.#followers.get(n);
      if (follower === undefined) continue;
      const quiet = follower.toldAtMs + watchProgressMs <= nowMs;
      if (quiet && follower.live && !follower.connection.paused) {
        follower.toldAtMs = nowMs;
        if (this.#revision >= follower.nextRevision) follower.quiet(this.#revision);
      }
      const dueMs = Math.max(nowMs, follower.toldAtMs) + watchProgressMs;
      this.#progress.set(n, quiet ? dueMs : follower.toldAtMs + watchProgressMs);
    }
  }

  /** Ends all streams, and takes no others. */
  stop(failure: Failure): void {
    this.#stopped = failure;
    for (const follower of [...this.#followers.values()]) follower.end(failure);
  }

  #tellLive(follower: Follower): void {
    const changes = follower.pending;
    const [first] = changes;
    if (first === undefined && !follower.stirred) return;
    follower.pending = [];
    follower.stirred = false;
    if (follower.connection.paused) {
      this.#index.remove(follower);
      follower.live = false;
      follower.nextRevision = first?.revision ?? this.#revision + 1;
      return;
    }
    this.#tell(follower, changes);
    follower.caughtUp(this.#revision);
  }

  #tell(follower: Follower, changes: readonly Change[]): void {
    const last = changes[changes.length - 1];
    if (last === undefined) return;
    this.told += changes.length;
    follower.toldAtMs = this.#core.parts.time.nowMs();
    follower.nextRevision = last.revision + 1;
    follower.changed(changes);
  }

  /** Gives the number of looks that it took. */
  #slice(follower: Follower): number {
    if (follower.connection.paused) return 0; // `resume` brings it back
    const cursor = follower.cursor ?? this.#open(follower);
    if ("kind" in cursor) {
      follower.end(failureOf(cursor, this.#core.clusterNowMs()));
      return 0;
    }
    const { watchSliceEvents, watchSliceBytes } = this.#core.parts.limits;
    const first = cursor.looks;
    let events = 0;
    let bytes = 0;
    const isOver = () =>
      cursor.caughtUp ||
      events >= watchSliceEvents ||
      bytes >= watchSliceBytes ||
      cursor.looks - first >= LOOKS_PER_SLICE;
    while (!isOver()) {
      const changes = cursor.next(STEP);
      if ("kind" in changes) {
        follower.end(failureOf(changes, this.#core.clusterNowMs()));
        return cursor.looks - first;
      }
      events += changes.length + 1;
      for (const change of changes) bytes += change.record?.value.length ?? 0;
      this.#tell(follower, changes);
    }
    if (cursor.caughtUp) this.#goLive(follower);
    else this.#enqueue(follower);
    return cursor.looks - first;
  }

  #open(follower: Follower): HistoryCursor | Refusal {
    const { from, to } = boundsOf(follower.interest);
    const { machine } = this.#core;
    const at = Math.min(follower.nextRevision, machine.revision + 1);
    const cursor = machine.history(at, from, to);
    if (!("kind" in cursor)) follower.cursor = cursor;
    return cursor;
  }

  #goLive(follower: Follower): void {
    const { revision } = this.#core.machine;
    follower.cursor = null;
    follower.nextRevision = Math.max(follower.nextRevision, revision + 1);
    follower.live = true;
    this.#index.add(follower);
    follower.caughtUp(revision);
  }

  #enqueue(follower: Follower): void {
    if (follower.queued) return;
    follower.queued = true;
    this.#behind.push(follower);
    this.#wake();
  }
}

export function boundsOf(interest: Interest): {
  readonly from: string;
  readonly to: string | null;
} {
  switch (interest.kind) {
    case "key":
      return { from: interest.key, to: `${interest.key}\0` };
    case "prefix":
      return { from: interest.prefix, to: prefixEnd(interest.prefix) };
    default:
      return interest;
  }
}
