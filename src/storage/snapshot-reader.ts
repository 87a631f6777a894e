/** Opens, reads and checks snapshot files. Every piece is checked each time it is read. */
import { assert } from "../base/assert.js";
import type { DiskFile } from "../base/disk.js";
import type { SnapshotMetadata } from "../raft/message/entry.js";
import type { SnapshotContent, SnapshotReader, StorageStop } from "./contract.js";
import type { DataDirectory } from "./data-directory.js";
import { HEAD_BYTES } from "./layout.js";
import type { SnapshotName } from "./names.js";
import {
  checkPiece,
  decodeEnd,
  decodeSnapshotConfiguration,
  decodeSnapshotHead,
  END_BYTES,
  endOffset,
  PIECE_HEADER_BYTES,
  pieceCapacity,
  piecesOffset,
  type SnapshotHead,
} from "./snapshot-format.js";
import { run, type Steps, value } from "./steps.js";
import { damaged, StopError } from "./stop.js";

export class FileSnapshotReader implements SnapshotReader {
  readonly metadata: SnapshotMetadata;
  readonly content: SnapshotContent;
  readonly #directory: DataDirectory;
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #head: SnapshotHead;
  #isReading = false;

  constructor(
    directory: DataDirectory,
    path: string,
    file: DiskFile,
    head: SnapshotHead,
    metadata: SnapshotMetadata,
    content: SnapshotContent,
  ) {
    this.#directory = directory;
    this.#path = path;
    this.#file = file;
    this.#head = head;
    this.metadata = metadata;
    this.content = content;
  }

  read(offset: number, done: (stop: StorageStop | null, bytes: Uint8Array | null) => void): void {
    assert(!this.#isReading, "a reader reads one piece at a time");
    assert(offset >= 0 && offset <= this.content.sizeBytes, "an offset lies within the snapshot");
    this.#isReading = true;
    run(this.readFrom(offset), (stop, bytes) => {
      this.#isReading = false;
      done(stop, bytes);
    });
  }

  /** @throws StopError DAMAGED */
  *readFrom(offset: number): Steps<Uint8Array> {
    const { sizeBytes } = this.content;
    if (offset === sizeBytes) return new Uint8Array(0);
    const capacity = pieceCapacity(this.#head.pieceBytes);
    const number = Math.floor(offset / capacity);
    const expected = Math.min(capacity, sizeBytes - number * capacity);
    const at = piecesOffset(this.#head.configurationBytes) + number * this.#head.pieceBytes;
    const piece = this.#directory.bytes.allocate(PIECE_HEADER_BYTES + expected);
    const read = yield* value<number>(end => this.#file.read(piece, at, end));
    const isWhole = read === piece.length;
    if (!isWhole || checkPiece(piece, number, this.#directory.checksum) !== expected) {
      throw new StopError(damaged(this.#path, at, `piece ${number} fails its checksum`));
    }
    return piece.subarray(PIECE_HEADER_BYTES + offset - number * capacity);
  }

  /** Reads all of it. @throws StopError DAMAGED */
  *verify(): Steps<void> {
    const { sizeBytes, crc32 } = this.content;
    const { checksum } = this.#directory;
    const capacity = pieceCapacity(this.#head.pieceBytes);
    let crc = 0;
    for (let at = 0; at < sizeBytes; at += capacity) {
      crc = checksum.crc32(yield* this.readFrom(at), crc);
    }
    if (crc !== crc32) {
      throw new StopError(damaged(this.#path, null, "the content fails its checksum"));
    }
  }

  close(): void {
    this.#file.close(() => {});
  }
}

/** @throws StopError DAMAGED or FORMAT_TOO_NEW */
export function* openSnapshotFile(
  directory: DataDirectory,
  name: SnapshotName,
): Steps<FileSnapshotReader> {
  const path = directory.file(name.name);
  const file = yield* value<DiskFile>(end => directory.disk.open(path, "read", end));
  try {
    const { checksum, known } = directory;
    const head = decodeSnapshotHead(
      path,
      yield* readExactly(directory, path, file, 0, HEAD_BYTES),
      known,
      checksum,
    );
    if (head.index !== name.index || head.term !== name.term) {
      throw new StopError(damaged(path, 0, "the file is another snapshot, renamed"));
    }
    const fileBytes = yield* value<number>(end => file.size(end));
    // Before memory is set aside for what the head says.
    if (piecesOffset(head.configurationBytes) > fileBytes)
      throw new StopError(damaged(path, fileBytes, "the file is cut off"));
    const encoded = yield* readExactly(directory, path, file, HEAD_BYTES, head.configurationBytes);
    const configuration = decodeSnapshotConfiguration(path, head, encoded, checksum);
    const content = yield* readEnd(directory, path, file, head, fileBytes);
    const metadata: SnapshotMetadata = { index: head.index, term: head.term, configuration };
    return new FileSnapshotReader(directory, path, file, head, metadata, content);
  } catch (error) {
    file.close(() => {});
    throw error;
  }
}

function* readEnd(
  directory: DataDirectory,
  path: string,
  file: DiskFile,
  head: SnapshotHead,
  fileBytes: number,
): Steps<SnapshotContent> {
  const at = Math.max(0, fileBytes - END_BYTES);
  const end = yield* readExactly(directory, path, file, at, END_BYTES);
  const content = decodeEnd(end, directory.checksum);
  if (content === null || endOffset(head, content.sizeBytes) !== at) {
    throw new StopError(damaged(path, at, "the snapshot's end is missing or not what was written"));
  }
  return content;
}

function* readExactly(
  directory: DataDirectory,
  path: string,
  file: DiskFile,
  at: number,
  length: number,
): Steps<Uint8Array> {
  const bytes = directory.bytes.allocate(length);
  const read = yield* value<number>(end => file.read(bytes, at, end));
  if (read < length) throw new StopError(damaged(path, at + read, "the file is cut off"));
  return bytes;
}
