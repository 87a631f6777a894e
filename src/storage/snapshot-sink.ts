/**
 * Writes one snapshot beside the log: pieces at the pacer's turns, then the end, then its name. It
 * may pause for any time between two writes, and goes on where it was. What a finished snapshot
 * means for the log is storage's matter (`accept`).
 */
import { assert } from "../base/assert.js";
import type { DiskFile } from "../base/disk.js";
import type { SnapshotMetadata } from "../raft/message/entry.js";
import {
  type SnapshotContent,
  type SnapshotSink,
  STOP_CODE,
  type StorageDone,
  type StorageStop,
} from "./contract.js";
import type { DataDirectory } from "./data-directory.js";
import { roundUpToSector } from "./layout.js";
import { PART_SUFFIX, snapshotName } from "./names.js";
import { writePiece } from "./segment-file.js";
import { encodeEnd, encodeSnapshotHead, PIECE_HEADER_BYTES, sealPiece } from "./snapshot-format.js";
import { done, type Steps, value } from "./steps.js";
import { closed, StopError } from "./stop.js";

export interface SnapshotPace {
  readonly pieceBytes: number;
  /** No pause after a piece: nothing waits for the log. */
  readonly isHurried: boolean;
}

/** What becomes of a snapshot that is written whole and synced, but has no name yet. */
export interface SnapshotFate {
  /** Whether it is still wanted; asked last before it gets its name. */
  isWanted(): boolean;
  /** It is durable under its name. */
  accept(): Steps<void>;
  /** The sink is over, one way or the other. */
  ended(sink: FileSnapshotSink): void;
}

export class FileSnapshotSink implements SnapshotSink {
  readonly #directory: DataDirectory;
  readonly #metadata: SnapshotMetadata;
  readonly #pace: SnapshotPace;
  readonly #fate: SnapshotFate;
  readonly #path: string;
  readonly #partPath: string;
  readonly #piece: Uint8Array;
  #file: DiskFile | null = null;
  #position = 0;
  #filled = PIECE_HEADER_BYTES;
  #pieces = 0;
  #sizeBytes = 0;
  #crc = 0;
  #busy = false;
  #over = false;
  #aborted = false;

  /** `serial` sets apart two that are written for the same index at once. */
  constructor(
    directory: DataDirectory,
    metadata: SnapshotMetadata,
    serial: number,
    pace: SnapshotPace,
    fate: SnapshotFate,
  ) {
    this.#directory = directory;
    this.#metadata = metadata;
    this.#pace = pace;
    this.#fate = fate;
    this.#path = directory.file(snapshotName(metadata.index, metadata.term));
    this.#partPath = `${this.#path}.${serial}${PART_SUFFIX}`;
    this.#piece = directory.bytes.allocate(pace.pieceBytes);
  }

  get taken(): SnapshotContent {
    return { sizeBytes: this.#sizeBytes, crc32: this.#crc };
  }

  write(bytes: Uint8Array, onDone: StorageDone): void {
    this.#work(this.#write(bytes), onDone);
  }

  finish(onDone: StorageDone): void {
    this.#work(this.#finish(), onDone);
  }

  abort(): void {
    if (this.#over || this.#aborted) return;
    this.#aborted = true;
    if (!this.#busy) this.#giveUp(() => {});
  }

  #work(steps: Steps<void>, onDone: StorageDone): void {
    assert(!this.#busy, "a sink does one thing at a time");
    const stop = this.#directory.stop ?? (this.#over || this.#aborted ? this.#closed() : null);
    if (stop !== null) {
      onDone(stop);
      return;
    }
    this.#busy = true;
    this.#directory.background(this.#guarded(steps), (failure, givenUp) => {
      this.#busy = false;
      const result = failure ?? givenUp;
      if (result === null) return onDone(null);
      this.#giveUp(() => onDone(result));
    });
  }

  /** Being given up is an answer and not a failure of the storage. */
  *#guarded(steps: Steps<void>): Steps<StorageStop | null> {
    try {
      yield* steps;
      return null;
    } catch (error) {
      if (error instanceof StopError && error.stop.code === STOP_CODE.closed) return error.stop;
      throw error;
    }
  }

  *#write(bytes: Uint8Array): Steps<void> {
    yield* this.#opened();
    let from = 0;
    while (from < bytes.length) {
      const taken = Math.min(bytes.length - from, this.#piece.length - this.#filled);
      this.#piece.set(bytes.subarray(from, from + taken), this.#filled);
      this.#filled += taken;
      from += taken;
      if (this.#filled === this.#piece.length) yield* this.#flush(this.#piece.length);
    }
    this.#sizeBytes += bytes.length;
    this.#crc = this.#directory.checksum.crc32(bytes, this.#crc);
  }

  *#finish(): Steps<void> {
    const file = yield* this.#opened();
    if (this.#filled > PIECE_HEADER_BYTES) {
      const length = roundUpToSector(this.#filled);
      this.#piece.fill(0, this.#filled, length);
      yield* this.#flush(length);
    }
    const { bytes, checksum, disk, path } = this.#directory;
    yield* this.#place(file, encodeEnd(this.taken, bytes, checksum));
    this.#file = null;
    yield* done(end => file.close(end));
    if (!this.#fate.isWanted()) {
      yield* done(end => disk.remove(this.#partPath, end));
      return this.#end();
    }
    yield* done(end => disk.rename(this.#partPath, this.#path, end));
    yield* done(end => disk.syncDirectory(path, end));
    yield* this.#fate.accept();
    this.#end();
  }

  *#opened(): Steps<DiskFile> {
    if (this.#file !== null) return this.#file;
    const { bytes, checksum, disk, known } = this.#directory;
    const file = yield* value<DiskFile>(end => disk.open(this.#partPath, "create", end));
    this.#file = file;
    const { pieceBytes } = this.#pace;
    const head = encodeSnapshotHead(known, this.#metadata, pieceBytes, bytes, checksum);
    yield* this.#place(file, head);
    return file;
  }

  *#flush(length: number): Steps<void> {
    assert(this.#file !== null, "pieces go into an open file");
    const content = this.#filled - PIECE_HEADER_BYTES;
    sealPiece(this.#piece, this.#pieces, content, this.#directory.checksum);
    yield* this.#place(this.#file, this.#piece.subarray(0, length));
    this.#pieces += 1;
    this.#filled = PIECE_HEADER_BYTES;
  }

  *#place(file: DiskFile, bytes: Uint8Array): Steps<void> {
    const write = writePiece(file, [bytes], this.#position);
    yield* this.#directory.turn(false, write, this.#pace.isHurried);
    this.#position += bytes.length;
    if (this.#aborted) throw new StopError(this.#closed());
  }

  #closed(): StorageStop {
    return closed(this.#path);
  }

  #giveUp(gone: () => void): void {
    const file = this.#file;
    this.#file = null;
    this.#end();
    // Nobody depends on the file's going: what is left of it is removed at the next start.
    this.#directory.quietly(removePart(this.#directory, file, this.#partPath), gone);
  }

  #end(): void {
    this.#over = true;
    this.#fate.ended(this);
  }
}

function* removePart(directory: DataDirectory, file: DiskFile | null, path: string): Steps<void> {
  if (file === null) return;
  yield* done(end => file.close(end));
  yield* done(end => directory.disk.remove(path, end));
}
