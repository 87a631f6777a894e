/** What can happen to a file's bytes under a program: for the scripts alone. */
import type { MemoryDisk } from "../../src/testing/memory-disk.js";
import { crc32 } from "./dumb-reader.js";

export function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

export function zero(bytes: Uint8Array, from: number, to: number): void {
  bytes.fill(0, from, to);
}

/** As a later program would write it: the version and the checksum that covers it. */
export function reformat(bytes: Uint8Array, version: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(8, version, true);
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
}

/** Two files of one length change places. */
export function swap(disk: MemoryDisk, one: string, other: string): void {
  const [first, second] = [disk.bytes(one), disk.bytes(other)];
  if (first === null || second === null) throw new Error(`no file ${one} or ${other}`);
  disk.rot(one, bytes => bytes.set(second));
  disk.rot(other, bytes => bytes.set(first));
}
