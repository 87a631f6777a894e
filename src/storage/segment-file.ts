/**
 * Segment files: made and zero-filled beside the log before they get their name, never used again,
 * and the fresh copy of the last one that recovery makes.
 */
import type { DiskFile } from "../base/disk.js";
import type { DataDirectory } from "./data-directory.js";
import {
  checkIdentity,
  FILE_KIND,
  HEAD_BYTES,
  HEAD_FIELDS_OFFSET,
  readHead,
  readUint53,
  roundUpToSector,
  sealHead,
  writeHead,
  writeUint53,
} from "./layout.js";
import { PART_SUFFIX, segmentName } from "./names.js";
import { done, type Steps, value } from "./steps.js";
import { damaged, StopError } from "./stop.js";

const SALT_OFFSET = HEAD_FIELDS_OFFSET + 8;
/** The copied segment gets this many zero-filled pieces at once, so that a start is quick. */
const SPARE_PIECES = 8;

export interface Segment {
  readonly sequence: number;
  readonly path: string;
  /** Begins every checksum in the segment. */
  readonly salt: number;
  /** Zero-filled up to here. */
  readonly sizeBytes: number;
  readonly file: DiskFile;
}

/** How the log stands to a segment in preparation; asked before each piece. */
export interface Haste {
  /** It will be needed soon: its pieces go before other background work, without pauses. */
  isUrgent(): boolean;
  /** Nothing is written until it is there. */
  isAwaited(): boolean;
}

/** As soon as there is: nobody writes meanwhile, and the whole is wanted. */
export const AT_ONCE: Haste = { isUrgent: () => true, isAwaited: () => false };

/** A segment that is awaited is cut short, to no less than this share of a whole one. */
const LEAST_SHARE = 1 / 8;

/**
 * A fresh segment under its name, durable. One that the log waits for ends early: large appends
 * use segments up faster than small pieces fill them, and must not stand still for a whole one.
 */
export function* createSegment(
  directory: DataDirectory,
  sequence: number,
  haste: Haste,
): Steps<Segment> {
  const { disk, limits } = directory;
  const path = directory.file(segmentName(sequence));
  const salt = directory.random.below(0x1_0000_0000);
  const file = yield* value<DiskFile>(end => disk.open(path + PART_SUFFIX, "create", end));
  try {
    const head = segmentHead(directory, sequence, salt);
    yield* directory.turn(haste.isUrgent(), writePiece(file, [head], 0));
    const sizeBytes = yield* fill(directory, file, HEAD_BYTES, limits.segmentBytes, haste);
    yield* done(end => disk.rename(path + PART_SUFFIX, path, end));
    yield* done(end => disk.syncDirectory(directory.path, end));
    return { sequence, path, salt, sizeBytes, file };
  } catch (error) {
    file.close(() => {});
    throw error;
  }
}

/**
 * Puts a fresh file with the good part of a segment, `bytes` up to `end`, in its place. What the
 * page cache showed of the old one after a kill may not be on disk; of the new one it is.
 */
export function* copySegment(
  directory: DataDirectory,
  sequence: number,
  bytes: Uint8Array,
  end: number,
): Steps<Segment> {
  const { disk, limits } = directory;
  const path = directory.file(segmentName(sequence));
  const spare = roundUpToSector(end) + SPARE_PIECES * limits.pieceBytes;
  const sizeBytes = Math.max(end, Math.min(limits.segmentBytes, spare));
  const file = yield* value<DiskFile>(opened => disk.open(path + PART_SUFFIX, "create", opened));
  try {
    // In one piece: before its start is over, a node has nobody whom a long sync would hold up.
    yield* writePiece(file, [bytes.subarray(0, end)], 0);
    yield* fill(directory, file, end, sizeBytes, AT_ONCE);
    yield* done(renamed => disk.rename(path + PART_SUFFIX, path, renamed));
  } catch (error) {
    file.close(() => {});
    throw error;
  }
  return { sequence, path, salt: saltOf(bytes), sizeBytes, file };
}

/** Zeros from `from` on; says how far it came: to `to`, or less far when the segment is awaited. */
function* fill(
  directory: DataDirectory,
  file: DiskFile,
  from: number,
  to: number,
  haste: Haste,
): Steps<number> {
  const { pieceBytes } = directory.limits;
  const least = Math.min(to, Math.max(from + pieceBytes, roundUpToSector(to * LEAST_SHARE)));
  let zeros = directory.bytes.allocate(Math.min(pieceBytes, Math.max(0, to - from)));
  let at = from;
  while (at < to) {
    let end = Math.min(to, at + pieceBytes);
    if (haste.isAwaited()) {
      if (at >= least) return at;
      // The log does not write, so a large piece is in nobody's way.
      end = Math.max(end, least);
    }
    if (zeros.length < end - at) zeros = directory.bytes.allocate(end - at);
    yield* directory.turn(haste.isUrgent(), writePiece(file, [zeros.subarray(0, end - at)], at));
    at = end;
  }
  return at;
}

export function* writePiece(
  file: DiskFile,
  parts: readonly Uint8Array[],
  position: number,
): Steps<void> {
  yield* done(end => file.writeAndSync(parts, position, end));
}

function segmentHead(directory: DataDirectory, sequence: number, salt: number): Uint8Array {
  const head = directory.bytes.allocate(HEAD_BYTES);
  const view = writeHead(head, FILE_KIND.segment, directory.known);
  writeUint53(view, HEAD_FIELDS_OFFSET, sequence);
  view.setUint32(SALT_OFFSET, salt, true);
  sealHead(head, directory.checksum);
  return head;
}

const saltOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(SALT_OFFSET, true);

/**
 * Checks a segment's head and returns its salt.
 * @throws StopError DAMAGED or FORMAT_TOO_NEW
 */
export function readSegmentHead(
  directory: DataDirectory,
  sequence: number,
  bytes: Uint8Array,
): number {
  const path = directory.file(segmentName(sequence));
  const view = readHead(path, bytes, FILE_KIND.segment, directory.checksum);
  if (directory.identity !== null) checkIdentity(path, view, directory.identity);
  if (readUint53(view, HEAD_FIELDS_OFFSET) !== sequence) {
    throw new StopError(damaged(path, HEAD_FIELDS_OFFSET, "the file is another segment, renamed"));
  }
  return saltOf(bytes);
}

/** A whole file in memory; for files of bounded size only. */
export function* readFile(directory: DataDirectory, path: string): Steps<Uint8Array> {
  const file = yield* value<DiskFile>(end => directory.disk.open(path, "read", end));
  try {
    const size = yield* value<number>(end => file.size(end));
    const bytes = directory.bytes.allocate(size);
    const read = yield* value<number>(end => file.read(bytes, 0, end));
    return bytes.subarray(0, read);
  } finally {
    file.close(() => {});
  }
}
