/**
 * The running log: gathers appends, writes one batch at a time, answers in order. The hot path of
 * every write: no promises, one arena, large payloads uncopied. It does not read, and it does not
 * decide what may be cut; storage tells it.
 */
import { assert } from "../base/assert.js";
import type { DiskError } from "../base/disk.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Entry, HardState } from "../raft/message/entry.js";
import { BatchEncoder, batchBytes, copiedBytes } from "./batch.js";
import type { AppendRequest, StorageDone, StorageStop } from "./contract.js";
import type { DataDirectory } from "./data-directory.js";
import { HEAD_BYTES } from "./layout.js";
import { RECORD_HEAD_BYTES } from "./record.js";
import type { Chain } from "./scan.js";
import { createSegment, type Segment } from "./segment-file.js";
import { done, type Steps } from "./steps.js";
import { diskStop } from "./stop.js";
import type { TermRuns } from "./term-runs.js";

/** A segment on disk and the last entry before it. */
export interface SegmentPlace {
  readonly sequence: number;
  readonly path: string;
  readonly startIndex: LogIndex;
}

/** Where recovery, or `initialize`, leaves the log. */
export interface WalStart {
  readonly segment: Segment;
  /** Where the next batch goes. */
  readonly position: number;
  /** The last batch, or null before the first. */
  readonly chain: Chain | null;
  /** Ascending; the last is `segment` if it holds a batch. */
  readonly places: SegmentPlace[];
  readonly runs: TermRuns;
  readonly hardState: HardState;
  readonly peers: ReadonlyMap<NodeId, string>;
}

const NO_ENTRIES: readonly Entry[] = [];

/** After a slow write so many batches go through the pool, so that a sick disk does not stop the loop. */
const DISTRUSTED_BATCHES = 256;

class Pending {
  constructor(
    readonly hardState: HardState | null,
    readonly truncateFrom: LogIndex | null,
    readonly entries: readonly Entry[],
    readonly peer: NodeId | null,
    readonly incarnation: string,
    readonly isReset: boolean,
    /** The log's end once this is in it. */
    readonly lastIndex: LogIndex,
    readonly lastTerm: Term,
    readonly recordBytes: number,
    readonly copiedBytes: number,
    readonly done: StorageDone,
  ) {}
}

export class Wal {
  /** With everything appended so far, durable or not. */
  readonly runs: TermRuns;
  readonly #directory: DataDirectory;
  readonly #encoder: BatchEncoder;
  readonly #places: SegmentPlace[];
  /** As of the last batch written: what the next segment begins with. */
  readonly #peers: Map<NodeId, string>;
  #hardState: HardState;
  #lastIndex: LogIndex;
  #lastTerm: Term;
  /** As of the last append: for the assertions. */
  #askedState: HardState;
  #segment: Segment;
  #position: number;
  /** The last entry before the segment being written. */
  #startIndex: LogIndex;
  #number: number;
  #previousCrc: number;
  #gathering: Pending[] = [];
  #flying: Pending[] = [];
  /** A batch is under way, or waits for its segment. */
  #busy = false;
  #isAnswering = false;
  /** So many batches are not to be waited for, since the disk was slow. */
  #distrust = 0;
  #next: Segment | null = null;
  #preparing = false;
  #needsNext = false;
  #onIdle: (() => void) | null = null;

  constructor(directory: DataDirectory, start: WalStart) {
    this.#directory = directory;
    this.#encoder = new BatchEncoder(directory.bytes, directory.checksum);
    this.runs = start.runs;
    this.#segment = start.segment;
    this.#position = start.position;
    this.#number = start.chain?.number ?? 0;
    this.#previousCrc = start.chain?.crc ?? 0;
    this.#places = start.places;
    this.#hardState = start.hardState;
    this.#askedState = start.hardState;
    this.#peers = new Map(start.peers);
    this.#lastIndex = start.runs.lastIndex;
    this.#lastTerm = start.runs.lastTerm;
    this.#startIndex = start.runs.lastIndex;
    this.#prepareNext();
  }

  append(request: AppendRequest, onDone: StorageDone): void {
    const hardState = request.hardState ?? null;
    const truncateFrom = request.truncateFrom ?? null;
    const { entries } = request;
    if (hardState !== null) this.#checkHardState(hardState);
    let records = entries.length;
    if (hardState !== null) records += 1;
    if (truncateFrom !== null) {
      this.runs.truncate(truncateFrom);
      records += 1;
    }
    let payload = 0;
    let copied = 0;
    for (const entry of entries) {
      if (entry.index <= this.runs.lastIndex) this.runs.truncate(entry.index);
      this.runs.push(entry.index, entry.term);
      payload += entry.payload.length;
      copied += copiedBytes(entry.payload.length);
    }
    const heads = records * RECORD_HEAD_BYTES;
    this.#gather(
      new Pending(
        hardState,
        truncateFrom,
        entries,
        null,
        "",
        false,
        this.runs.lastIndex,
        this.runs.lastTerm,
        heads + payload,
        heads + copied,
        onDone,
      ),
    );
  }

  recordPeer(peer: NodeId, incarnation: string, onDone: StorageDone): void {
    this.#gatherSmall(peer, incarnation, false, onDone);
  }

  /** Drops the whole log; it goes on after `index`, where a durable snapshot stands. */
  reset(index: LogIndex, atTerm: Term, onDone: StorageDone): void {
    this.runs.reset(index, atTerm);
    this.#gatherSmall(null, "", true, onDone);
  }

  /** The oldest segment, if it holds nothing above `index` and a later one is begun. */
  oldestBelow(index: LogIndex): SegmentPlace | null {
    const second = this.#places[1];
    return second !== undefined && second.startIndex <= index ? (this.#places[0] ?? null) : null;
  }

  forgetOldest(): void {
    assert(this.#places.length > 1, "the segment being written stays");
    this.#places.shift();
  }

  /** Answers everything under way with `stop`. */
  end(stop: StorageStop): void {
    const unanswered = this.#flying.concat(this.#gathering);
    this.#flying = [];
    this.#gathering = [];
    for (const pending of unanswered) pending.done(stop);
  }

  /** Calls back when nothing is under way or waiting. */
  whenIdle(callback: () => void): void {
    if (!this.#busy) {
      callback();
      return;
    }
    this.#onIdle = callback;
  }

  closeFiles(): Steps<void> {
    return closeAll(this.#segment, this.#next);
  }

  #checkHardState(state: HardState): void {
    const before = this.#askedState;
    assert(state.term >= before.term, "the term does not go back");
    assert(
      state.term > before.term || before.votedFor === null || before.votedFor === state.votedFor,
      "a vote is not changed within its term",
    );
    this.#askedState = state;
  }

  #gatherSmall(
    peer: NodeId | null,
    incarnation: string,
    isReset: boolean,
    onDone: StorageDone,
  ): void {
    const { lastIndex, lastTerm } = this.runs;
    const length = RECORD_HEAD_BYTES;
    this.#gather(
      new Pending(
        null,
        null,
        NO_ENTRIES,
        peer,
        incarnation,
        isReset,
        lastIndex,
        lastTerm,
        length,
        length,
        onDone,
      ),
    );
  }

  #gather(pending: Pending): void {
    const { stop } = this.#directory;
    if (stop !== null) {
      pending.done(stop);
      return;
    }
    this.#gathering.push(pending);
    if (!this.#busy && !this.#isAnswering) this.#startBatch(true);
  }

  /** `isIdle`: nothing is under way or being answered, so that an answer at once keeps the order. */
  #startBatch(isIdle: boolean): void {
    const taken = this.#take();
    if (taken === 0) {
      this.#idle();
      return;
    }
    this.#busy = true;
    this.#directory.pacer.logUsed();
    const carried = this.#isFresh() ? this.#carryBytes() : 0;
    const length = batchBytes(carried + this.#recordBytes(taken));
    const isFull = this.#position + length > this.#segment.sizeBytes;
    // A batch larger than a whole segment grows a fresh one; it never spans two.
    if (isFull && !this.#isFresh() && !this.#rotate()) return;
    const batch = this.#gathering.splice(0, taken);
    this.#flying = batch;
    this.#encode(batch);
    if (isIdle && this.#mayWait()) {
      this.#written(this.#writeNow());
      return;
    }
    this.#segment.file.writeAndSync(this.#encoder.parts, this.#position, this.#onWritten);
  }

  /** Whether the batch is small and the disk was quick lately. */
  #mayWait(): boolean {
    if (this.#encoder.length > this.#directory.limits.synchronousBytes) return false;
    if (this.#distrust === 0) return true;
    this.#distrust -= 1;
    return false;
  }

  #writeNow(): DiskError | null {
    const { limits } = this.#directory;
    const { clock } = this.#directory.options;
    const begunMs = clock.monotonicMs();
    const error = this.#segment.file.writeAndSyncNow(this.#encoder.parts, this.#position);
    if (clock.monotonicMs() - begunMs > limits.synchronousMs) this.#distrust = DISTRUSTED_BATCHES;
    return error;
  }

  readonly #onWritten = (error: DiskError | null): void => this.#written(error);

  #written(error: DiskError | null): void {
    const { stop } = this.#directory;
    if (error !== null && stop === null) {
      this.#directory.fail(diskStop({ ...error, path: this.#segment.path }));
      // Whoever closes waits for this batch, however it ends.
      this.#idle();
      return;
    }
    if (stop !== null && this.#flying.length === 0) {
      this.#idle();
      return;
    }
    // Only now may the segments before this one go: hard state and peers are durable in it.
    if (this.#isFresh()) this.#begunSegment();
    this.#position += this.#encoder.length;
    this.#previousCrc = this.#encoder.crc;
    const batch = this.#flying;
    this.#flying = [];
    // The next batch leaves before this one is answered: the disk does not wait for the answers.
    if (this.#gathering.length > 0) this.#startBatch(false);
    else this.#busy = false;
    this.#isAnswering = true;
    for (const pending of batch) pending.done(null);
    this.#isAnswering = false;
    // What the answers led to goes together, and not the first of it alone.
    if (!this.#busy) this.#startBatch(false);
  }

  /** How many of the gathered go into one batch. */
  #take(): number {
    const { batchBytes: limit } = this.#directory.limits;
    let bytes = 0;
    for (let n = 0; n < this.#gathering.length; n += 1) {
      bytes += (this.#gathering[n] as Pending).recordBytes;
      if (bytes > limit) return Math.max(1, n);
    }
    return this.#gathering.length;
  }

  #recordBytes(count: number): number {
    let bytes = 0;
    for (let n = 0; n < count; n += 1) bytes += (this.#gathering[n] as Pending).recordBytes;
    return bytes;
  }

  #isFresh(): boolean {
    return this.#position === HEAD_BYTES;
  }

  /** What a segment begins with, so that those before it can go: place, hard state, peers. */
  #carryBytes(): number {
    return RECORD_HEAD_BYTES * (2 + this.#peers.size);
  }

  #encode(batch: readonly Pending[]): void {
    const encoder = this.#encoder;
    let copied = this.#carryBytes();
    for (const pending of batch) copied += pending.copiedBytes;
    encoder.begin(copied);
    if (this.#isFresh()) this.#carry();
    for (const pending of batch) {
      if (pending.hardState !== null) encoder.addHardState(pending.hardState);
      if (pending.truncateFrom !== null) encoder.addTruncate(pending.truncateFrom);
      if (pending.isReset) encoder.addReset(pending.lastIndex, pending.lastTerm);
      for (const entry of pending.entries) encoder.addEntry(entry);
      if (pending.peer !== null) encoder.addPeer(pending.peer, pending.incarnation);
      this.#keep(pending);
    }
    this.#number += 1;
    encoder.seal(this.#number, this.#previousCrc, this.#segment.salt);
  }

  #carry(): void {
    this.#startIndex = this.#lastIndex;
    this.#encoder.addPosition(this.#lastIndex, this.#lastTerm);
    this.#encoder.addHardState(this.#hardState);
    for (const [peer, incarnation] of this.#peers) this.#encoder.addPeer(peer, incarnation);
  }

  #begunSegment(): void {
    const { sequence, path } = this.#segment;
    this.#places.push({ sequence, path, startIndex: this.#startIndex });
  }

  #keep(pending: Pending): void {
    if (pending.hardState !== null) this.#hardState = pending.hardState;
    if (pending.peer !== null) this.#peers.set(pending.peer, pending.incarnation);
    this.#lastIndex = pending.lastIndex;
    this.#lastTerm = pending.lastTerm;
  }

  /** Goes on in the next segment; false while that is not ready, and then it calls back. */
  #rotate(): boolean {
    const next = this.#next;
    if (next === null) {
      this.#needsNext = true;
      this.#directory.pacer.hurry();
      return false;
    }
    const old = this.#segment;
    this.#segment = next;
    this.#position = HEAD_BYTES;
    this.#next = null;
    this.#directory.background(closeAll(old, null), () => {});
    this.#prepareNext();
    return true;
  }

  #prepareNext(): void {
    assert(!this.#preparing && this.#next === null, "one segment is prepared at a time");
    this.#preparing = true;
    const steps = createSegment(this.#directory, this.#segment.sequence + 1, {
      isUrgent: () => this.#isLate(),
      isAwaited: () => this.#needsNext,
    });
    this.#directory.background(steps, (_stop, segment) => {
      this.#preparing = false;
      this.#next = segment;
      if (!this.#needsNext) return;
      this.#needsNext = false;
      this.#startBatch(false);
    });
  }

  /** Whether the segment being written is half full before the next one is ready. */
  #isLate(): boolean {
    return this.#needsNext || this.#position * 2 > this.#segment.sizeBytes;
  }

  #idle(): void {
    this.#busy = false;
    const callback = this.#onIdle;
    this.#onIdle = null;
    callback?.();
  }
}

function* closeAll(first: Segment, second: Segment | null): Steps<void> {
  yield* done(end => first.file.close(end));
  if (second !== null) yield* done(end => second.file.close(end));
}
