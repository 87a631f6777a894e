/**
 * A batch as bytes: header, records, zero padding, trailer; whole sectors, none of them zero. The
 * encoder fills one arena that it uses again once the batch is durable; the reader says of bytes
 * what they are, and scan.ts decides what that means.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Bytes, Checksum } from "../base/ports.js";
import type { Entry, HardState } from "../raft/message/entry.js";
import { readUint53, roundUpToSector, SECTOR_BYTES, viewOf, writeUint53 } from "./layout.js";
import { applyMask, freeMask, hasSectorOf, LAST_MASK, maskedCopy, NO_MASK } from "./mask.js";
import {
  RECORD_HEAD_BYTES,
  RECORD_TYPE,
  writeEntryHead,
  writeHardState,
  writePeer,
  writePlace,
  writeTruncate,
} from "./record.js";

export const BATCH_HEADER_BYTES = 40;
export const BATCH_TRAILER_BYTES = 16;
const HEADER_MAGIC = 0x31424648; // "HFB1"
const TRAILER_MAGIC = 0x31454648; // "HFE1": never zero
const HEADER_CRC_OFFSET = 36;
/** Zeros that are not hidden would pass for a sector that was never written. */
const FLAGS = {
  plain: 0,
  /** No mask was free: the batch holds a zero sector of its own, which then proves nothing. */
  zeroSector: 1,
  /** Everything between header and trailer is masked. */
  masked: 2,
} as const;
const FLAGS_OFFSET = 4;
const MASK_OFFSET = 32;
/** Below this a payload is copied into the arena: cheaper than one more part of the write. */
const COPY_BELOW_BYTES = 2048;
const MAX_BATCH_BYTES = 0xffff_fe00;

export const batchBytes = (recordBytes: number): number =>
  roundUpToSector(BATCH_HEADER_BYTES + recordBytes + BATCH_TRAILER_BYTES);

export class BatchEncoder {
  /** The batch, after `seal`: to be written one after the other. */
  readonly parts: Uint8Array[] = [];
  /** Length of all parts. */
  length = 0;
  /** What the next batch names as its predecessor's. */
  crc = 0;
  readonly #bytes: Bytes;
  readonly #checksum: Checksum;
  #arena: Uint8Array;
  #view: DataView;
  #at = 0;
  #partStart = 0;
  #records = 0;
  #recordBytes = 0;

  constructor(bytes: Bytes, checksum: Checksum) {
    this.#bytes = bytes;
    this.#checksum = checksum;
    this.#arena = bytes.allocate(16 * 1024);
    this.#view = viewOf(this.#arena);
  }

  /** Starts a batch that needs at most `copied` bytes of arena for its records. */
  begin(copied: number): void {
    const needed = BATCH_HEADER_BYTES + copied + SECTOR_BYTES + BATCH_TRAILER_BYTES;
    if (this.#arena.length < needed) {
      this.#arena = this.#bytes.allocate(roundUpToSector(needed * 2));
      this.#view = viewOf(this.#arena);
    }
    this.parts.length = 0;
    this.#at = BATCH_HEADER_BYTES;
    this.#partStart = 0;
    this.#records = 0;
    this.#recordBytes = 0;
  }

  addEntry(entry: Entry): void {
    writeEntryHead(this.#view, this.#claim(), entry);
    const { payload } = entry;
    this.#recordBytes += payload.length;
    if (payload.length < COPY_BELOW_BYTES) {
      this.#arena.set(payload, this.#at);
      this.#at += payload.length;
      return;
    }
    this.parts.push(this.#arena.subarray(this.#partStart, this.#at), payload);
    this.#partStart = this.#at;
  }

  addHardState(state: HardState): void {
    writeHardState(this.#view, this.#claim(), state);
  }

  addTruncate(from: LogIndex): void {
    writeTruncate(this.#view, this.#claim(), from);
  }

  addPeer(peer: NodeId, incarnation: string): void {
    writePeer(this.#view, this.#claim(), peer, incarnation);
  }

  addPosition(index: LogIndex, atTerm: Term): void {
    writePlace(this.#view, this.#claim(), RECORD_TYPE.position, index, atTerm);
  }

  addReset(index: LogIndex, atTerm: Term): void {
    writePlace(this.#view, this.#claim(), RECORD_TYPE.reset, index, atTerm);
  }

  /** Pads, and adds header and trailer. `salt` is the segment's, so that no payload can forge a batch. */
  seal(number: number, previousCrc: number, salt: number): void {
    this.length = batchBytes(this.#recordBytes);
    assert(this.length <= MAX_BATCH_BYTES, "a batch fits its length field");
    const padding = this.length - BATCH_HEADER_BYTES - this.#recordBytes - BATCH_TRAILER_BYTES;
    const trailerAt = this.#at + padding;
    this.#arena.fill(0, this.#at, trailerAt + BATCH_TRAILER_BYTES);
    // The trailer's magic stands in before the check for zero sectors, as it will on disk.
    this.#view.setUint32(trailerAt + 12, TRAILER_MAGIC, true);
    this.parts.push(this.#arena.subarray(this.#partStart, trailerAt + BATCH_TRAILER_BYTES));
    this.#writeHeader(number, previousCrc);
    if (hasSectorOf(this.parts, 0)) this.#hideZeros(trailerAt);
    const headerCrc = this.#checksum.crc32(this.#arena.subarray(0, HEADER_CRC_OFFSET), salt);
    this.#view.setUint32(HEADER_CRC_OFFSET, headerCrc, true);
    this.crc = this.#batchCrc(headerCrc, trailerAt);
    writeUint53(this.#view, trailerAt, number);
    this.#view.setUint32(trailerAt + 8, this.crc, true);
  }

  /** As of a plain batch, and without its checksum. */
  #writeHeader(number: number, previousCrc: number): void {
    const view = this.#view;
    view.setUint32(0, HEADER_MAGIC, true);
    view.setUint32(FLAGS_OFFSET, FLAGS.plain, true);
    writeUint53(view, 8, number);
    view.setUint32(16, this.length, true);
    view.setUint32(20, this.#recordBytes, true);
    view.setUint32(24, previousCrc, true);
    view.setUint32(28, this.#records, true);
    view.setUint32(MASK_OFFSET, NO_MASK, true);
  }

  /** Masks what stands between header and trailer; says in the header that it did, or could not. */
  #hideZeros(trailerAt: number): void {
    const mask = freeMask(this.parts);
    this.#view.setUint32(MASK_OFFSET, mask, true);
    if (mask === NO_MASK) {
      this.#view.setUint32(FLAGS_OFFSET, FLAGS.zeroSector, true);
      return;
    }
    this.#view.setUint32(FLAGS_OFFSET, FLAGS.masked, true);
    applyMask(this.#arena, BATCH_HEADER_BYTES, trailerAt, mask);
    // Every second part is a payload that was not copied, and not ours to change.
    for (let n = 1; n < this.parts.length; n += 2) {
      this.parts[n] = maskedCopy(this.parts[n] as Uint8Array, mask, this.#bytes);
    }
  }

  /**
   * Over everything but the trailer and the header's own checksum: bytes with their CRC behind them
   * bring every CRC to one and the same value, and what stands before would not count.
   */
  #batchCrc(headerCrc: number, trailerAt: number): number {
    const last = this.parts.length - 1;
    if (last === 0) {
      return this.#checksum.crc32(this.#arena.subarray(BATCH_HEADER_BYTES, trailerAt), headerCrc);
    }
    const first = this.parts[0] as Uint8Array;
    let crc = this.#checksum.crc32(first.subarray(BATCH_HEADER_BYTES), headerCrc);
    for (let n = 1; n < last; n += 1) {
      crc = this.#checksum.crc32(this.parts[n] as Uint8Array, crc);
    }
    return this.#checksum.crc32(this.#arena.subarray(this.#partStart, trailerAt), crc);
  }

  #claim(): number {
    const at = this.#at;
    this.#at += RECORD_HEAD_BYTES;
    this.#records += 1;
    this.#recordBytes += RECORD_HEAD_BYTES;
    return at;
  }
}

/** What `BatchEncoder.begin` must reserve for a payload. */
export const copiedBytes = (payloadLength: number): number =>
  payloadLength < COPY_BELOW_BYTES ? payloadLength : 0;

export interface BatchHeader {
  readonly number: number;
  /** Of the whole batch, a multiple of 512. */
  readonly length: number;
  readonly recordBytes: number;
  readonly records: number;
  readonly previousCrc: number;
  /** The header's own, with which the batch's begins. */
  readonly crc: number;
  /** A zero sector is one of its own and proves nothing. */
  readonly hasZeroSector: boolean;
  /** What is between header and trailer is masked with this; `NO_MASK` when it stands as it is. */
  readonly mask: number;
}

/** The header at `at`, or null when the bytes there are none. */
export function readBatchHeader(
  bytes: Uint8Array,
  at: number,
  salt: number,
  checksum: Checksum,
): BatchHeader | null {
  if (at + BATCH_HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  if (view.getUint32(0, true) !== HEADER_MAGIC) return null;
  const crc = checksum.crc32(bytes.subarray(at, at + HEADER_CRC_OFFSET), salt);
  if (view.getUint32(HEADER_CRC_OFFSET, true) !== crc) return null;
  const flags = view.getUint32(FLAGS_OFFSET, true);
  const header: BatchHeader = {
    number: readUint53(view, 8),
    length: view.getUint32(16, true),
    recordBytes: view.getUint32(20, true),
    records: view.getUint32(28, true),
    previousCrc: view.getUint32(24, true),
    crc,
    hasZeroSector: flags === FLAGS.zeroSector,
    mask: view.getUint32(MASK_OFFSET, true),
  };
  const sane = header.number > 0 && header.length === batchBytes(header.recordBytes);
  return sane && isKnownForm(flags, header.mask) ? header : null;
}

const isKnownForm = (flags: number, mask: number): boolean =>
  flags === FLAGS.masked
    ? mask !== NO_MASK && mask <= LAST_MASK
    : mask === NO_MASK && (flags === FLAGS.plain || flags === FLAGS.zeroSector);

/** The batch's checksum when it stands whole and unharmed at `at`, else null. */
export function readWholeBatch(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  checksum: Checksum,
): number | null {
  const trailerAt = at + header.length - BATCH_TRAILER_BYTES;
  if (at + header.length > bytes.length) return null;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + trailerAt, BATCH_TRAILER_BYTES);
  if (trailer.getUint32(12, true) !== TRAILER_MAGIC) return null;
  if (readUint53(trailer, 0) !== header.number) return null;
  const crc = checksum.crc32(bytes.subarray(at + BATCH_HEADER_BYTES, trailerAt), header.crc);
  return trailer.getUint32(8, true) === crc ? crc : null;
}

/** The records of a whole batch without their mask. To be read at once: they may be a view. */
export function batchRecords(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  memory: Bytes,
): Uint8Array {
  const start = at + BATCH_HEADER_BYTES;
  const records = bytes.subarray(start, start + header.recordBytes);
  return header.mask === NO_MASK ? records : maskedCopy(records, header.mask, memory);
}
