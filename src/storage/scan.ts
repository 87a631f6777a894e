/**
 * Reads one segment's bytes: the chain of good batches, and what stands where it ends. Here is the
 * rule that tells a torn batch, which a crash may leave, from damage, which it cannot. Pure; what
 * later segments hold is recovery's part of the rule.
 */
import type { Checksum } from "../base/ports.js";
import {
  BATCH_HEADER_BYTES,
  BATCH_TRAILER_BYTES,
  type BatchHeader,
  readBatchHeader,
  readWholeBatch,
} from "./batch.js";
import { HEAD_BYTES, isZero, SECTOR_BYTES } from "./layout.js";

/** The last good batch so far; before the first one of the oldest segment there is none. */
export interface Chain {
  readonly number: number;
  readonly crc: number;
}

export type Ending =
  /** Nothing but zeros up to the end of the file. */
  | { readonly kind: "clean"; readonly at: number }
  /** What a crash may leave, if no good batch follows from `searchFrom` on. */
  | {
      readonly kind: "torn";
      readonly at: number;
      readonly searchFrom: number;
      readonly why: string;
    }
  | { readonly kind: "damaged"; readonly at: number; readonly why: string }
  /** A good batch, but not the one that follows. */
  | { readonly kind: "gap"; readonly at: number; readonly why: string };

export interface ScannedSegment {
  readonly chain: Chain | null;
  /** Bytes from the start of the file to the end of the last good batch. */
  readonly end: number;
  readonly ending: Ending;
}

/** Calls `take` with each good batch's place. */
export function scanSegment(
  bytes: Uint8Array,
  salt: number,
  start: Chain | null,
  checksum: Checksum,
  take: (at: number, header: BatchHeader) => void,
): ScannedSegment {
  let chain = start;
  let at = HEAD_BYTES;
  for (;;) {
    const header = readBatchHeader(bytes, at, salt, checksum);
    const crc = header === null ? null : readWholeBatch(bytes, at, header, checksum);
    if (header === null || crc === null) {
      return { chain, end: at, ending: judge(bytes, at, header) };
    }
    const follows =
      chain === null || (header.number === chain.number + 1 && header.previousCrc === chain.crc);
    if (!follows) {
      const why = `batch ${header.number} does not follow the one before it`;
      return { chain, end: at, ending: { kind: "gap", at, why } };
    }
    take(at, header);
    chain = { number: header.number, crc };
    at += header.length;
  }
}

/** The first bad batch, at `at`: see the README for the reasons behind each line. */
function judge(bytes: Uint8Array, at: number, header: BatchHeader | null): Ending {
  const size = bytes.length;
  if (isZero(bytes, at, size)) return { kind: "clean", at };
  if (size - at < SECTOR_BYTES) {
    return { kind: "torn", at, searchFrom: size, why: "the file ends inside its first sector" };
  }
  const next = at + SECTOR_BYTES;
  if (isZero(bytes, at, next)) {
    return { kind: "torn", at, searchFrom: next, why: "its first sector was never written" };
  }
  if (header === null) {
    return { kind: "damaged", at, why: "the batch's header is not what was written" };
  }
  const end = at + header.length;
  if (end > size) return { kind: "torn", at, searchFrom: size, why: "its trailer is missing" };
  if (isZero(bytes, end - BATCH_TRAILER_BYTES, end)) {
    return { kind: "torn", at, searchFrom: end, why: "its trailer was never written" };
  }
  if (!header.hasZeroSector && findZeroSector(bytes, at, end)) {
    return { kind: "torn", at, searchFrom: end, why: "a sector of it was never written" };
  }
  return { kind: "damaged", at, why: `batch ${header.number} fails its checksum` };
}

function findZeroSector(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += SECTOR_BYTES) {
    if (isZero(bytes, at, at + SECTOR_BYTES)) return true;
  }
  return false;
}

/** Where the first good batch from `from` on stands, on any sector; -1 if there is none. */
export function findBatch(
  bytes: Uint8Array,
  from: number,
  salt: number,
  checksum: Checksum,
): number {
  for (let at = from; at + BATCH_HEADER_BYTES <= bytes.length; at += SECTOR_BYTES) {
    const header = readBatchHeader(bytes, at, salt, checksum);
    if (header === null) continue;
    if (readWholeBatch(bytes, at, header, checksum) !== null) return at;
  }
  return -1;
}
