/**
 * Reads all segments in order into a Replay, and applies the part of the torn-or-damaged rule that
 * looks past one segment: a bad batch with a good one anywhere behind it is never torn.
 */
import { type LogIndex, logIndex } from "../base/ids.js";
import { BATCH_HEADER_BYTES, type BatchHeader, batchRecords } from "./batch.js";
import type { DataDirectory } from "./data-directory.js";
import { HEAD_BYTES, isZero } from "./layout.js";
import { segmentName } from "./names.js";
import { readRecords } from "./record.js";
import { Replay } from "./replay.js";
import { type Chain, findBatch, scanSegment } from "./scan.js";
import { readFile, readSegmentHead } from "./segment-file.js";
import type { Steps } from "./steps.js";
import { damaged, StopError } from "./stop.js";
import type { SegmentPlace } from "./wal.js";

interface LoadedSegment {
  readonly sequence: number;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly salt: number;
}

interface TornBatch {
  readonly path: string;
  readonly at: number;
  readonly why: string;
}

export interface LastSegment {
  readonly sequence: number;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly end: number;
}

export interface RecoveredLog {
  readonly replay: Replay;
  readonly chain: Chain | null;
  /** Segments with a good batch, ascending. */
  readonly places: readonly SegmentPlace[];
  /** The last of them, or the first segment when none has one; good up to `end`. */
  readonly last: LastSegment;
  readonly notes: readonly string[];
}

/** `keepAfter` as in Replay. @throws StopError */
export function* readLog(
  directory: DataDirectory,
  segments: readonly number[],
  keepAfter: number,
): Steps<RecoveredLog> {
  const reader = new LogReader(directory, logIndex(keepAfter));
  let expected = segments[0] ?? 1;
  if (segments.length === 0) throw missing(directory, expected);
  for (const sequence of segments) {
    if (sequence !== expected) throw missing(directory, expected);
    expected += 1;
    const path = directory.file(segmentName(sequence));
    const bytes = yield* readFile(directory, path);
    const salt = readSegmentHead(directory, sequence, bytes);
    reader.take({ sequence, path, bytes, salt });
  }
  return reader.result();
}

function missing(directory: DataDirectory, sequence: number): StopError {
  const file = directory.file(segmentName(sequence));
  return new StopError(damaged(file, null, "the file is missing from the log"));
}

class LogReader {
  readonly #directory: DataDirectory;
  readonly #replay: Replay;
  readonly #places: SegmentPlace[] = [];
  #chain: Chain | null = null;
  #last: LastSegment | null = null;
  /** The first bad batch, torn as far as is known. */
  #torn: TornBatch | null = null;

  constructor(directory: DataDirectory, keepAfter: LogIndex) {
    this.#directory = directory;
    this.#replay = new Replay(keepAfter);
  }

  take(segment: LoadedSegment): void {
    if (this.#torn !== null) {
      this.#checkBehindTorn(segment);
      return;
    }
    const { path, sequence, bytes, salt } = segment;
    const { checksum } = this.#directory;
    this.#replay.startSegment();
    const takeBatch = (at: number, header: BatchHeader): void => {
      this.#takeBatch(segment, at, header);
    };
    const { chain, end, ending } = scanSegment(bytes, salt, this.#chain, checksum, takeBatch);
    this.#chain = chain;
    if (ending.kind === "gap") throw this.#gap(path, ending.at, ending.why);
    const hasBatch = end > HEAD_BYTES;
    if (hasBatch) this.#places.push({ sequence, path, startIndex: this.#replay.segmentStart });
    if (hasBatch || this.#last === null) this.#last = { sequence, path, bytes, end };
    if (ending.kind === "damaged") throw new StopError(damaged(path, ending.at, ending.why));
    if (ending.kind === "clean") return;
    const { at, searchFrom, why } = ending;
    this.#torn = { path, at, why };
    this.#checkNoBatch(path, findBatch(bytes, searchFrom, salt, checksum));
  }

  result(): RecoveredLog {
    const notes: string[] = [];
    if (this.#torn !== null) {
      const { path, at, why } = this.#torn;
      notes.push(`${path}, offset ${at}: a batch that was never acknowledged is cut: ${why}`);
    }
    const last = this.#last as LastSegment;
    return { replay: this.#replay, chain: this.#chain, places: this.#places, last, notes };
  }

  /** A segment that begins too late tells that the end of the one before it is gone. */
  #gap(path: string, at: number, why: string): StopError {
    const last = this.#last;
    if (at > HEAD_BYTES || last === null) return new StopError(damaged(path, at, why));
    const what = `the log ends here, but in ${path} ${why}`;
    return new StopError(damaged(last.path, last.end, what));
  }

  /** The log ended in a segment before this one, so nothing may ever have been written here. */
  #checkBehindTorn(segment: LoadedSegment): void {
    const { bytes, path, salt } = segment;
    this.#checkNoBatch(path, findBatch(bytes, HEAD_BYTES, salt, this.#directory.checksum));
    if (isZero(bytes, HEAD_BYTES, bytes.length)) return;
    const torn = this.#torn as TornBatch;
    throw new StopError(damaged(torn.path, torn.at, `${torn.why}, and ${path} is not empty`));
  }

  #checkNoBatch(path: string, found: number): void {
    if (found < 0) return;
    const torn = this.#torn as TornBatch;
    const what = `${torn.why}, but a later batch stands in ${path} at offset ${found}`;
    throw new StopError(damaged(torn.path, torn.at, what));
  }

  #takeBatch(segment: LoadedSegment, at: number, header: BatchHeader): void {
    const body = batchRecords(segment.bytes, at, header, this.#directory.bytes);
    let records = 0;
    const bad = readRecords(body, 0, body.length, record => {
      records += 1;
      this.#replay.take(record);
    });
    const { flaw } = this.#replay;
    if (flaw !== null) throw new StopError(damaged(segment.path, at, flaw));
    if (bad !== null) {
      const place = at + BATCH_HEADER_BYTES + bad;
      throw new StopError(damaged(segment.path, place, "no record stands here"));
    }
    if (records !== header.records) {
      throw new StopError(damaged(segment.path, at, "the batch holds another number of records"));
    }
  }
}
