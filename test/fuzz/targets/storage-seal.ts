/**
 * Makes the checksums of a storage file fit what it holds: head, batches, pieces, end. What only a
 * broken program or a stranger could write. It follows the layout in src/storage/README.md by its
 * own reading of it, and gives up wherever nothing stands that looks like something.
 */
import { nodeChecksum } from "../../../src/server/ports/index.js";
import { HEAD_BYTES, SECTOR_BYTES } from "../../../src/storage/layout.js";

/** "HFB1" as it stands in the file. */
export const BATCH_MAGIC = 0x31424648;
const TRAILER_MAGIC = 0x31454648;
const END_MAGIC = 0x31534648;
const SNAPSHOT_KIND = 0x4e534648;

/** A copy whose checksums all fit. */
export function sealAll(from: Uint8Array): Uint8Array {
  const bytes = from.slice();
  if (bytes.length < HEAD_BYTES) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const crc = (start: number, end: number, seed = 0): number =>
    nodeChecksum.crc32(bytes.subarray(start, end), seed);
  if (view.getUint32(4, true) === SNAPSHOT_KIND) sealSnapshot(bytes, view, crc);
  view.setUint32(12, crc(0, 12), true);
  view.setUint32(508, crc(0, 508), true);
  if (view.getUint32(4, true) !== SNAPSHOT_KIND) sealBatches(bytes, view, crc);
  return bytes;
}

type Crc = (start: number, end: number, seed?: number) => number;

/** The chain of batches, each naming the one before it. */
function sealBatches(bytes: Uint8Array, view: DataView, crc: Crc): void {
  const salt = view.getUint32(48, true);
  let before: number | null = null;
  for (let at = HEAD_BYTES; at + SECTOR_BYTES <= bytes.length; ) {
    if (view.getUint32(at, true) !== BATCH_MAGIC) return;
    const length = view.getUint32(at + 16, true);
    const end = at + length;
    if (length < 56 || end > bytes.length) {
      view.setUint32(at + 36, crc(at, at + 36, salt), true);
      return;
    }
    if (before !== null) view.setUint32(at + 24, before, true);
    view.setUint32(at + 36, crc(at, at + 36, salt), true);
    before = crc(at, end - 16, salt);
    bytes.copyWithin(end - 16, at + 8, at + 16);
    view.setUint32(end - 8, before, true);
    view.setUint32(end - 4, TRAILER_MAGIC, true);
    at = Math.max(end, at + SECTOR_BYTES);
  }
}

function sealSnapshot(bytes: Uint8Array, view: DataView, crc: Crc): void {
  const pieceBytes = view.getUint32(56, true);
  const configurationBytes = view.getUint32(60, true);
  const configurationEnd = HEAD_BYTES + configurationBytes;
  if (configurationEnd > bytes.length) return;
  view.setUint32(64, crc(HEAD_BYTES, configurationEnd), true);
  const end = bytes.length - SECTOR_BYTES;
  if (end >= HEAD_BYTES && view.getUint32(end, true) === END_MAGIC)
    view.setUint32(end + 508, crc(end, end + 508), true);
  let at = Math.ceil(configurationEnd / SECTOR_BYTES) * SECTOR_BYTES;
  for (let number = 0; pieceBytes >= SECTOR_BYTES && at + 8 < end; number += 1) {
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > end) return;
    view.setUint32(at, crc(at + 8, at + 8 + length, number), true);
    at += pieceBytes;
  }
}
