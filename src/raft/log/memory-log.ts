/**
 * The log as Raft sees it: the tail that is in memory, and how far it has come. Never reads a
 * disk. What was dropped from the front survives in snapshots only; `baseIndex` and `baseTerm`
 * name the entry just before the first one kept.
 *
 *   baseIndex <= applied <= handedOut <= committed <= lastIndex   (applied may lag behind the
 *   base while a snapshot is being loaded), and handedToStorage <= lastIndex.
 *
 * Beside each entry stands the sum of all bytes up to it, so that every limit in bytes is one
 * subtraction.
 */
import { assert } from "../../base/assert.js";
import { type LogIndex, logIndex, type Term, term } from "../../base/ids.js";
import { ENTRY_KIND, type Entry } from "../message/entry.js";

/** What an entry counts for beside its payload. */
const ENTRY_OVERHEAD_BYTES = 64;
const NONE: readonly Entry[] = [];
/** Stands where a dropped entry stood, so that its payload is let go at once. */
const DROPPED: Entry = {
  term: term(0),
  index: logIndex(0),
  kind: ENTRY_KIND.normal,
  payload: new Uint8Array(0),
};

export class MemoryLog {
  baseIndex: LogIndex;
  baseTerm: Term;
  /** Everything up to here is on a quorum's disks and final. Never falls. */
  committed: LogIndex;
  /** The last committed entry given to the caller. */
  handedOut: LogIndex;
  /** The last one that the caller has applied. */
  applied: LogIndex;
  /** The last one given to storage, durable or not. */
  handedToStorage: LogIndex;

  private entries: Entry[] = [];
  /** ends[i]: bytes of all entries ever up to and including entries[i]. */
  private ends: number[] = [];
  /** Where entry baseIndex + 1 stands in the arrays. */
  private head = 0;
  private baseEnd = 0;

  private cachedFrom = 0;
  private cachedTo = 0;
  private cached: readonly Entry[] = NONE;

  constructor(index: LogIndex, at: Term, entries: readonly Entry[]) {
    this.baseIndex = index;
    this.baseTerm = at;
    this.committed = index;
    this.handedOut = index;
    this.applied = index;
    for (const entry of entries) this.append(entry);
    this.handedToStorage = this.lastIndex;
  }

  get lastIndex(): LogIndex {
    return (this.baseIndex + this.entries.length - this.head) as LogIndex;
  }

  get lastTerm(): Term {
    const last = this.entries[this.entries.length - 1];
    return last === undefined || this.entries.length === this.head ? this.baseTerm : last.term;
  }

  /** The term of the entry at `index`, or null if it is not here (dropped, or not written yet). */
  termAt(index: number): Term | null {
    if (index === this.baseIndex) return this.baseTerm;
    if (index < this.baseIndex) return null;
    return this.entries[this.head + index - this.baseIndex - 1]?.term ?? null;
  }

  /** The entry at `index`, which must be here. */
  at(index: number): Entry {
    const entry = index > this.baseIndex ? this.entries[this.position(index)] : undefined;
    assert(entry !== undefined, "an entry asked for is in memory");
    return entry;
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, "the log has no holes");
    assert(entry.term >= this.lastTerm, "terms in the log never fall");
    const before = this.endOf(this.lastIndex);
    this.entries.push(entry);
    this.ends.push(before + entry.payload.length + ENTRY_OVERHEAD_BYTES);
  }

  /** Drops everything from `index` on. Committed entries are never cut. */
  cutFrom(index: LogIndex): void {
    assert(index > this.committed, "a committed entry is never cut");
    assert(index <= this.lastIndex, "a cut removes something");
    const keep = this.position(index);
    this.entries.length = keep;
    this.ends.length = keep;
    if (this.handedToStorage >= index) this.handedToStorage = logIndex(index - 1);
    this.cachedTo = 0;
  }

  /** True if a log that ends with (index, at) holds everything this one may have committed. */
  isCoveredBy(index: LogIndex, at: Term): boolean {
    return at > this.lastTerm || (at === this.lastTerm && index >= this.lastIndex);
  }

  /**
   * The greatest index up to `index` whose term is at most `at`: past it, a log whose entry at
   * `index` has term `at` cannot agree with this one. Stops at the base.
   */
  lastNotPast(index: LogIndex, at: Term): LogIndex {
    let i: number = Math.min(index, this.lastIndex);
    while (i > this.baseIndex && (this.termAt(i) ?? 0) > at) i -= 1;
    return logIndex(Math.max(i, Math.min(index, this.baseIndex)));
  }

  /** Bytes of the entries after `after` up to `to`; what was dropped counts as nothing. */
  bytesBetween(after: LogIndex, to: LogIndex): number {
    return Math.max(0, this.endOf(to) - this.endOf(after));
  }

  /** Entries from `from` to at most `to`, within `maxBytes` but at least one. Shared: read only. */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] {
    assert(from > this.baseIndex, "a slice begins within memory");
    if (from > to) return NONE;
    const start = this.position(from);
    let end = this.position(to);
    assert(end < this.entries.length, "a slice ends within the log");
    const limit = this.endOf(from - 1) + maxBytes;
    if ((this.ends[end] ?? 0) > limit) end = this.lastWithin(start, end, limit);
    const last = from + end - start;
    // All followers in step get the same slice in one turn, and storage as well.
    if (this.cachedFrom !== from || this.cachedTo !== last) {
      this.cached = this.entries.slice(start, end + 1);
      this.cachedFrom = from;
      this.cachedTo = last;
    }
    return this.cached;
  }

  /** The last position from `start` to `end` whose sum is within `limit`, or `start`. */
  private lastWithin(start: number, end: number, limit: number): number {
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.ends[middle] ?? 0) <= limit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  commitTo(index: LogIndex): void {
    assert(index >= this.committed, "the commit index never falls");
    assert(index <= this.lastIndex, "only entries in the log are committed");
    this.committed = index;
  }

  /** The next committed entries to be applied, at most `maxBytes` of them but at least one. */
  takeCommitted(maxBytes: number): readonly Entry[] {
    if (this.handedOut === this.committed) return NONE;
    const entries = this.slice(this.handedOut + 1, this.committed, maxBytes);
    this.handedOut = logIndex(this.handedOut + entries.length);
    return entries;
  }

  /** What storage has not been given yet. */
  takeForStorage(): readonly Entry[] {
    if (this.handedToStorage === this.lastIndex) return NONE;
    const entries = this.slice(this.handedToStorage + 1, this.lastIndex, Number.MAX_SAFE_INTEGER);
    this.handedToStorage = this.lastIndex;
    return entries;
  }

  appliedTo(index: LogIndex): void {
    assert(index <= this.handedOut, "only what was handed out is applied");
    if (index > this.applied) this.applied = index;
  }

  /**
   * Drops applied entries from the front until at most `bytes` of log remain, or, for the sake of
   * those from `wanted` on, at most `wantedBytes`.
   */
  trim(bytes: number, wanted: LogIndex, wantedBytes: number): void {
    const lastEnd = this.endOf(this.lastIndex);
    if (lastEnd - this.baseEnd <= bytes) return;
    const limit = Math.min(this.applied, this.handedToStorage);
    let to: number = this.baseIndex;
    while (to < limit && lastEnd - this.endOf(to) > (to + 1 < wanted ? bytes : wantedBytes))
      to += 1;
    this.drop(to);
  }

  /** Drops the applied entries up to `index`. */
  dropTo(index: LogIndex): void {
    this.drop(Math.min(index, this.applied, this.handedToStorage));
  }

  private drop(to: number): void {
    if (to <= this.baseIndex) return;
    const last = this.position(to);
    const dropped = to - this.baseIndex;
    this.baseTerm = this.at(to).term;
    this.baseEnd = this.endOf(to);
    this.baseIndex = logIndex(to);
    this.head = last + 1;
    this.entries.fill(DROPPED, last + 1 - dropped, last + 1);
    // Moving what is left when half is gone costs each entry one move on the average.
    if (this.head * 2 >= this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.ends = this.ends.slice(this.head);
      this.head = 0;
    }
    if (this.cachedFrom <= to) this.forgetSlice();
  }

  /** A snapshot takes the place of the whole log. */
  restore(index: LogIndex, at: Term): void {
    assert(index > this.committed, "a snapshot never takes the log back");
    this.baseEnd = this.endOf(this.lastIndex);
    this.baseIndex = index;
    this.baseTerm = term(at);
    this.entries = [];
    this.ends = [];
    this.head = 0;
    this.committed = index;
    this.handedOut = index;
    this.handedToStorage = index;
    this.forgetSlice();
  }

  private forgetSlice(): void {
    this.cached = NONE;
    this.cachedFrom = 0;
    this.cachedTo = 0;
  }

  private position(index: number): number {
    return this.head + index - this.baseIndex - 1;
  }

  private endOf(index: number): number {
    if (index <= this.baseIndex) return this.baseEnd;
    const end = this.ends[this.position(index)];
    assert(end !== undefined, "bytes are known for every entry in memory");
    return end;
  }
}
