/**
 * Builds, from a log's records in order, what the log says: hard state, peers, the entries that
 * still stand. Records that cannot follow are named, never mended. Pure; fed by recovery.
 */
import { type LogIndex, logIndex, type NodeId, type Term, term } from "../base/ids.js";
import type { Entry, HardState } from "../raft/message/entry.js";
import type { LogRecord } from "./record.js";
import { TermRuns } from "./term-runs.js";

export class Replay {
  hardState: HardState = { term: term(0), votedFor: null };
  readonly peers = new Map<NodeId, string>();
  readonly runs = new TermRuns();
  /** The standing entries above `keepAfter`, contiguous up to the last. */
  readonly entries: Entry[] = [];
  /** What is wrong with the first record that could not follow, or null. */
  flaw: string | null = null;
  /** The last entry before the segment being read. */
  segmentStart: LogIndex = logIndex(0);
  /** The last entry before the oldest segment, once that has a batch: what is below is not here. */
  firstPlace: LogIndex | null = null;
  readonly #keepAfter: LogIndex;
  #knowsBaseTerm = true;
  #atSegmentStart = true;

  /** Entries up to `keepAfter` are in the snapshot; only their terms are kept. */
  constructor(keepAfter: LogIndex) {
    this.#keepAfter = keepAfter;
  }

  startSegment(): void {
    this.#atSegmentStart = true;
  }

  take(record: LogRecord): void {
    if (this.flaw !== null) return;
    if (this.#atSegmentStart && record.type !== "position") {
      this.flaw = "the segment does not begin with its place in the log";
      return;
    }
    switch (record.type) {
      case "position":
        this.#position(record.index, record.term);
        return;
      case "reset":
        this.entries.length = 0;
        this.runs.reset(record.index, record.term);
        this.#knowsBaseTerm = true;
        return;
      case "hardState":
        this.#hardState(record.hardState);
        return;
      case "peer":
        this.peers.set(record.peer, record.incarnation);
        return;
      case "truncate":
        this.#truncate(record.from);
        return;
      case "entry":
        this.#entry(record.entry);
        return;
    }
  }

  #position(index: LogIndex, atTerm: Term): void {
    if (!this.#atSegmentStart) {
      this.flaw = "a place in the log stands in the middle of a segment";
      return;
    }
    this.#atSegmentStart = false;
    this.segmentStart = index;
    if (this.firstPlace === null) {
      this.firstPlace = index;
      this.runs.reset(index, atTerm);
    }
    const { baseIndex, lastIndex } = this.runs;
    if (!this.#knowsBaseTerm && index === baseIndex && lastIndex === baseIndex) {
      this.runs.reset(index, atTerm);
      this.#knowsBaseTerm = true;
    }
    if (lastIndex !== index || this.runs.lastTerm !== atTerm) {
      this.flaw = `the segment follows entry ${index} of term ${atTerm}, but the log before it ends at ${lastIndex}`;
    }
  }

  #hardState(state: HardState): void {
    if (state.term < this.hardState.term) this.flaw = "the term goes back";
    else this.hardState = state;
  }

  #truncate(from: LogIndex): void {
    const dropped = this.runs.lastIndex - from + 1;
    if (dropped <= 0) return;
    this.entries.length = Math.max(0, this.entries.length - dropped);
    if (from > this.runs.baseIndex) this.runs.truncate(from);
    else this.#truncateBelowBase(from);
  }

  /**
   * A tail replaced from before the oldest segment on: what stood between lies in segments that are
   * cut, and below the snapshot that allowed it. Only the term before `from` is lost.
   */
  #truncateBelowBase(from: LogIndex): void {
    if (from === 0) {
      this.flaw = "entries from 0 on are dropped";
      return;
    }
    this.runs.reset(logIndex(from - 1), term(0));
    this.#knowsBaseTerm = false;
  }

  #entry(entry: Entry): void {
    const { index } = entry;
    if (index > this.runs.lastIndex + 1) {
      this.flaw = `entry ${index} follows entry ${this.runs.lastIndex}`;
      return;
    }
    if (index <= this.runs.lastIndex) this.#truncate(index);
    if (this.flaw !== null) return;
    if (entry.term < this.runs.lastTerm) {
      this.flaw = `entry ${index} has a term below that of the entry before it`;
      return;
    }
    this.runs.push(logIndex(index), entry.term);
    if (index > this.#keepAfter) this.entries.push(entry);
  }
}
