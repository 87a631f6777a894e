/**
 * A batch as bytes: header, records, zero padding, trailer; whole sectors. The encoder fills one
 * arena that it uses again once the batch is durable; the reader says of bytes what they are, and
 * scan.ts decides what that means.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Bytes, Checksum } from "../base/ports.js";
import type { Entry, HardState } from "../raft/message/entry.js";
import { readUint53, roundUpToSector, SECTOR_BYTES, viewOf, writeUint53 } from "./layout.js";
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
/** Set when the batch's own bytes hold a whole zero sector, which then proves nothing. */
const FLAG_ZERO_SECTOR = 1;
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
    this.#sealHeader(number, previousCrc, salt);
    this.crc = this.#bodyCrc(salt, trailerAt);
    writeUint53(this.#view, trailerAt, number);
    this.#view.setUint32(trailerAt + 8, this.crc, true);
  }

  #sealHeader(number: number, previousCrc: number, salt: number): void {
    const view = this.#view;
    view.setUint32(0, HEADER_MAGIC, true);
    view.setUint32(4, 0, true);
    writeUint53(view, 8, number);
    view.setUint32(16, this.length, true);
    view.setUint32(20, this.#recordBytes, true);
    view.setUint32(24, previousCrc, true);
    view.setUint32(28, this.#records, true);
    view.setUint32(32, 0, true);
    if (hasZeroSector(this.parts)) view.setUint32(4, FLAG_ZERO_SECTOR, true);
    const crc = this.#checksum.crc32(this.#arena.subarray(0, HEADER_CRC_OFFSET), salt);
    view.setUint32(HEADER_CRC_OFFSET, crc, true);
  }

  /** Over everything but the trailer, which is the end of the last part. */
  #bodyCrc(salt: number, trailerAt: number): number {
    let crc = salt;
    const last = this.parts.length - 1;
    for (let n = 0; n < last; n += 1) {
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

function hasZeroSector(parts: readonly Uint8Array[]): boolean {
  let offset = 0;
  let live = false;
  for (const part of parts) {
    let at = 0;
    while (at < part.length) {
      const end = Math.min(part.length, at + SECTOR_BYTES - (offset % SECTOR_BYTES));
      for (let n = at; !live && n < end; n += 1) live = part[n] !== 0;
      offset += end - at;
      at = end;
      if (offset % SECTOR_BYTES !== 0) continue;
      if (!live) return true;
      live = false;
    }
  }
  return false;
}

export interface BatchHeader {
  readonly number: number;
  /** Of the whole batch, a multiple of 512. */
  readonly length: number;
  readonly recordBytes: number;
  readonly records: number;
  readonly previousCrc: number;
  readonly hasZeroSector: boolean;
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
  const flags = view.getUint32(4, true);
  const header: BatchHeader = {
    number: readUint53(view, 8),
    length: view.getUint32(16, true),
    recordBytes: view.getUint32(20, true),
    records: view.getUint32(28, true),
    previousCrc: view.getUint32(24, true),
    hasZeroSector: (flags & FLAG_ZERO_SECTOR) !== 0,
  };
  const sane = header.number > 0 && header.length === batchBytes(header.recordBytes);
  return sane && flags <= FLAG_ZERO_SECTOR && view.getUint32(32, true) === 0 ? header : null;
}

/** The batch's checksum when it stands whole and unharmed at `at`, else null. */
export function readWholeBatch(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  salt: number,
  checksum: Checksum,
): number | null {
  const trailerAt = at + header.length - BATCH_TRAILER_BYTES;
  if (at + header.length > bytes.length) return null;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + trailerAt, BATCH_TRAILER_BYTES);
  if (trailer.getUint32(12, true) !== TRAILER_MAGIC) return null;
  if (readUint53(trailer, 0) !== header.number) return null;
  const crc = checksum.crc32(bytes.subarray(at, trailerAt), salt);
  return trailer.getUint32(8, true) === crc ? crc : null;
}
