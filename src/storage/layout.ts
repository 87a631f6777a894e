/**
 * Numbers and heads as bytes: little-endian, 64-bit fields that hold integers below 2^53, and the
 * first sector that every file here starts with. README.md gives the bytes one by one.
 */
import { assert } from "../base/assert.js";
import { isCount, nodeId } from "../base/ids.js";
import type { Checksum } from "../base/ports.js";
import type { Identity } from "./contract.js";
import { damaged, formatTooNew, StopError } from "./stop.js";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;
export const FORMAT_VERSION = 1;
/** The first sector of every file. */
export const HEAD_BYTES = SECTOR_BYTES;

export const FILE_KIND = {
  identity: 0x44494648, // "HFID" as it stands in the file
  segment: 0x474c4648, // "HFLG"
  snapshot: 0x4e534648, // "HFSN"
} as const;
export type FileKind = (typeof FILE_KIND)[keyof typeof FILE_KIND];

const FAMILY = 0x444c4f48; // "HOLD"
const VERSION_CRC_OFFSET = 12;
const HEAD_CRC_OFFSET = HEAD_BYTES - 4;
/** Where a kind's own fields begin in its head. */
export const HEAD_FIELDS_OFFSET = 40;

export const roundUpToSector = (length: number): number =>
  Math.ceil(length / SECTOR_BYTES) * SECTOR_BYTES;

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function writeUint53(view: DataView, offset: number, value: number): void {
  assert(isCount(value), "a 64-bit field holds an integer from 0 to 2^53-1");
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** The field's value, or -1 when it is 2^53 or more. */
export function readUint53(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  if (high >= 0x20_0000) return -1;
  return high * 0x1_0000_0000 + view.getUint32(offset, true);
}

const HEX_64_FORM = /^[0-9a-f]{16}$/;
export const isHex64 = (text: string): boolean => HEX_64_FORM.test(text);

/** 16 hex digits as 8 bytes, the first digits first. */
export function writeHex64(view: DataView, offset: number, text: string): void {
  assert(isHex64(text), `an id of 16 lowercase hex digits, not "${text}"`);
  view.setUint32(offset, Number.parseInt(text.slice(0, 8), 16), false);
  view.setUint32(offset + 4, Number.parseInt(text.slice(8), 16), false);
}

export function readHex64(view: DataView, offset: number): string {
  const half = (at: number): string => view.getUint32(at, false).toString(16).padStart(8, "0");
  return half(offset) + half(offset + 4);
}

export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

/** Writes family, kind, version and identity; the caller adds its fields and calls `sealHead`. */
export function writeHead(head: Uint8Array, kind: FileKind, identity: Identity): DataView {
  assert(head.length === HEAD_BYTES, "a head is one sector");
  const view = viewOf(head);
  view.setUint32(0, FAMILY, true);
  view.setUint32(4, kind, true);
  view.setUint32(8, FORMAT_VERSION, true);
  writeHex64(view, 16, identity.clusterId);
  writeUint53(view, 24, identity.nodeId);
  writeHex64(view, 32, identity.incarnation);
  return view;
}

export function sealHead(head: Uint8Array, checksum: Checksum): void {
  const view = viewOf(head);
  const version = checksum.crc32(head.subarray(0, VERSION_CRC_OFFSET));
  view.setUint32(VERSION_CRC_OFFSET, version, true);
  view.setUint32(HEAD_CRC_OFFSET, checksum.crc32(head.subarray(0, HEAD_CRC_OFFSET)), true);
}

/**
 * Checks a head and returns its view. The version has a checksum of its own, in a place that no
 * later version moves: so a newer format is told from a flipped bit.
 * @throws StopError DAMAGED or FORMAT_TOO_NEW
 */
export function readHead(
  file: string,
  bytes: Uint8Array,
  kind: FileKind,
  checksum: Checksum,
): DataView {
  if (bytes.length < HEAD_BYTES)
    throw new StopError(damaged(file, 0, "the file's head is cut off"));
  const view = viewOf(bytes);
  const begin = checksum.crc32(bytes.subarray(0, VERSION_CRC_OFFSET));
  const known = view.getUint32(0, true) === FAMILY && view.getUint32(4, true) === kind;
  if (!known || view.getUint32(VERSION_CRC_OFFSET, true) !== begin) {
    throw new StopError(damaged(file, 0, "the file's head is not what was written"));
  }
  const version = view.getUint32(8, true);
  if (version > FORMAT_VERSION) throw new StopError(formatTooNew(file, version, FORMAT_VERSION));
  const whole = checksum.crc32(bytes.subarray(0, HEAD_CRC_OFFSET));
  if (version === 0 || view.getUint32(HEAD_CRC_OFFSET, true) !== whole) {
    throw new StopError(damaged(file, 0, "the file's head fails its checksum"));
  }
  return view;
}

/** @throws StopError when the fields cannot be an identity */
export function readIdentity(file: string, view: DataView): Identity {
  const id = readUint53(view, 24);
  if (id <= 0) throw new StopError(damaged(file, 24, "the node's id is out of range"));
  return {
    clusterId: readHex64(view, 16),
    nodeId: nodeId(id),
    incarnation: readHex64(view, 32),
  };
}

/** @throws StopError when the file belongs to another directory */
export function checkIdentity(file: string, view: DataView, identity: Identity): void {
  const found = readIdentity(file, view);
  if (
    found.clusterId !== identity.clusterId ||
    found.nodeId !== identity.nodeId ||
    found.incarnation !== identity.incarnation
  ) {
    throw new StopError(
      damaged(file, 16, "the file belongs to another cluster, node or incarnation"),
    );
  }
}
