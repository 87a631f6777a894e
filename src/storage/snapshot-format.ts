/**
 * A snapshot file as bytes: head with metadata, pieces of one stride with a checksum each, and a
 * last sector that says how long it is. Pure; written by snapshot-sink, read by snapshot-reader.
 */

import { DecodeError } from "../base/codec.js";
import { logIndex, term } from "../base/ids.js";
import type { Bytes, Checksum } from "../base/ports.js";
import { decodeConfiguration, encodeConfiguration } from "../raft/message/configuration.js";
import type { Configuration, SnapshotMetadata } from "../raft/message/entry.js";
import type { Identity, SnapshotContent } from "./contract.js";
import {
  checkIdentity,
  FILE_KIND,
  HEAD_BYTES,
  HEAD_FIELDS_OFFSET,
  readHead,
  readUint53,
  roundUpToSector,
  SECTOR_BYTES,
  sealHead,
  viewOf,
  writeHead,
  writeUint53,
} from "./layout.js";
import { damaged, StopError } from "./stop.js";

export const PIECE_HEADER_BYTES = 8;
export const END_BYTES = SECTOR_BYTES;
const END_MAGIC = 0x31534648; // "HFS1"
const END_CRC_OFFSET = END_BYTES - 4;
const MAX_CONFIGURATION_BYTES = 16 * 1024 * 1024;

const AT = {
  index: HEAD_FIELDS_OFFSET,
  term: HEAD_FIELDS_OFFSET + 8,
  pieceBytes: HEAD_FIELDS_OFFSET + 16,
  configurationBytes: HEAD_FIELDS_OFFSET + 20,
  configurationCrc: HEAD_FIELDS_OFFSET + 24,
} as const;

export interface SnapshotHead {
  readonly index: SnapshotMetadata["index"];
  readonly term: SnapshotMetadata["term"];
  /** From the start of one piece to that of the next. */
  readonly pieceBytes: number;
  readonly configurationBytes: number;
  readonly configurationCrc: number;
}

/** Head and configuration, whole sectors: what stands before the first piece. */
export function encodeSnapshotHead(
  identity: Identity,
  metadata: SnapshotMetadata,
  pieceBytes: number,
  bytes: Bytes,
  checksum: Checksum,
): Uint8Array {
  const configuration = encodeConfiguration(metadata.configuration);
  const encoded = bytes.allocate(HEAD_BYTES + roundUpToSector(configuration.length));
  const head = encoded.subarray(0, HEAD_BYTES);
  const view = writeHead(head, FILE_KIND.snapshot, identity);
  writeUint53(view, AT.index, metadata.index);
  writeUint53(view, AT.term, metadata.term);
  view.setUint32(AT.pieceBytes, pieceBytes, true);
  view.setUint32(AT.configurationBytes, configuration.length, true);
  view.setUint32(AT.configurationCrc, checksum.crc32(configuration), true);
  sealHead(head, checksum);
  encoded.set(configuration, HEAD_BYTES);
  return encoded;
}

/** @throws StopError DAMAGED or FORMAT_TOO_NEW */
export function decodeSnapshotHead(
  file: string,
  head: Uint8Array,
  identity: Identity,
  checksum: Checksum,
): SnapshotHead {
  const view = readHead(file, head, FILE_KIND.snapshot, checksum);
  checkIdentity(file, view, identity);
  const index = readUint53(view, AT.index);
  const atTerm = readUint53(view, AT.term);
  const pieceBytes = view.getUint32(AT.pieceBytes, true);
  const configurationBytes = view.getUint32(AT.configurationBytes, true);
  const isSane =
    index >= 0 &&
    atTerm >= 0 &&
    pieceBytes >= SECTOR_BYTES &&
    pieceBytes % SECTOR_BYTES === 0 &&
    configurationBytes <= MAX_CONFIGURATION_BYTES;
  if (!isSane) throw new StopError(damaged(file, AT.index, "the snapshot's head is out of range"));
  return {
    index: logIndex(index),
    term: term(atTerm),
    pieceBytes,
    configurationBytes,
    configurationCrc: view.getUint32(AT.configurationCrc, true),
  };
}

/** @throws StopError DAMAGED */
export function decodeSnapshotConfiguration(
  file: string,
  head: SnapshotHead,
  bytes: Uint8Array,
  checksum: Checksum,
): Configuration {
  if (checksum.crc32(bytes) !== head.configurationCrc) {
    throw new StopError(damaged(file, HEAD_BYTES, "the configuration fails its checksum"));
  }
  try {
    return decodeConfiguration(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new StopError(damaged(file, HEAD_BYTES, `the configuration: ${error.message}`));
  }
}

export const piecesOffset = (configurationBytes: number): number =>
  HEAD_BYTES + roundUpToSector(configurationBytes);

/** Bytes of content in a full piece. */
export const pieceCapacity = (pieceBytes: number): number => pieceBytes - PIECE_HEADER_BYTES;

/** Fills in the header of a piece whose content already stands behind it. */
export function sealPiece(
  piece: Uint8Array,
  number: number,
  length: number,
  checksum: Checksum,
): void {
  const view = viewOf(piece);
  view.setUint32(0, pieceCrc(piece, number, length, checksum), true);
  view.setUint32(4, length, true);
}

/** The content's length, or -1 when the piece is not the one of this number that was written. */
export function checkPiece(piece: Uint8Array, number: number, checksum: Checksum): number {
  if (piece.length < PIECE_HEADER_BYTES) return -1;
  const view = viewOf(piece);
  const length = view.getUint32(4, true);
  if (length > pieceCapacity(piece.length)) return -1;
  return view.getUint32(0, true) === pieceCrc(piece, number, length, checksum) ? length : -1;
}

/** The number goes in as well, so that pieces that changed places are found. */
function pieceCrc(piece: Uint8Array, number: number, length: number, checksum: Checksum): number {
  const content = piece.subarray(PIECE_HEADER_BYTES, PIECE_HEADER_BYTES + length);
  return checksum.crc32(content, number >>> 0);
}

export function encodeEnd(content: SnapshotContent, bytes: Bytes, checksum: Checksum): Uint8Array {
  const end = bytes.allocate(END_BYTES);
  const view = viewOf(end);
  view.setUint32(0, END_MAGIC, true);
  view.setUint32(4, content.crc32, true);
  writeUint53(view, 8, content.sizeBytes);
  view.setUint32(END_CRC_OFFSET, checksum.crc32(end.subarray(0, END_CRC_OFFSET)), true);
  return end;
}

/** Null when this is no end of a snapshot. */
export function decodeEnd(end: Uint8Array, checksum: Checksum): SnapshotContent | null {
  if (end.length < END_BYTES) return null;
  const view = viewOf(end);
  if (view.getUint32(0, true) !== END_MAGIC) return null;
  if (view.getUint32(END_CRC_OFFSET, true) !== checksum.crc32(end.subarray(0, END_CRC_OFFSET))) {
    return null;
  }
  const sizeBytes = readUint53(view, 8);
  return sizeBytes < 0 ? null : { sizeBytes, crc32: view.getUint32(4, true) };
}

/** Where the end stands, for content of `sizeBytes`. */
export function endOffset(head: SnapshotHead, sizeBytes: number): number {
  const capacity = pieceCapacity(head.pieceBytes);
  const full = Math.floor(sizeBytes / capacity);
  const rest = sizeBytes % capacity;
  const last = rest === 0 ? 0 : roundUpToSector(PIECE_HEADER_BYTES + rest);
  return piecesOffset(head.configurationBytes) + full * head.pieceBytes + last;
}
