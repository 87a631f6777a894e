/**
 * Makes sure that no batch holds a zero sector of its own: a byte that the records are masked with
 * (XOR), so that a sector of zeros on disk is always one that was never written. batch.ts decides
 * what is masked, and says so in the header; README.md ("Masks") tells why this is enough.
 */
import type { Bytes } from "../base/ports.js";
import { SECTOR_BYTES } from "./layout.js";

/** No mask: what is masked with it stays as it is. */
export const NO_MASK = 0;
export const LAST_MASK = 255;

/** Whether a whole sector of the parts, laid one behind the other, is nothing but `value`. */
export function hasSectorOf(parts: readonly Uint8Array[], value: number): boolean {
  let offset = 0;
  let differs = false;
  for (const part of parts) {
    let at = 0;
    while (at < part.length) {
      const end = Math.min(part.length, at + SECTOR_BYTES - (offset % SECTOR_BYTES));
      for (let n = at; !differs && n < end; n += 1) differs = part[n] !== value;
      offset += end - at;
      at = end;
      if (offset % SECTOR_BYTES !== 0) continue;
      if (!differs) return true;
      differs = false;
    }
  }
  return false;
}

/**
 * The smallest mask that makes no sector zero, or `NO_MASK` when the parts hold a sector of each:
 * at least 256 sectors, made for the purpose. A sector becomes zero only if it is all mask.
 */
export function freeMask(parts: readonly Uint8Array[]): number {
  for (let mask = 1; mask <= LAST_MASK; mask += 1) if (!hasSectorOf(parts, mask)) return mask;
  return NO_MASK;
}

/** Masks in place, or takes the same mask off again. */
export function applyMask(bytes: Uint8Array, from: number, to: number, mask: number): void {
  for (let at = from; at < to; at += 1) bytes[at] = (bytes[at] as number) ^ mask;
}

/** For bytes that are somebody else's, or must stay as they are on disk. */
export function maskedCopy(bytes: Uint8Array, mask: number, memory: Bytes): Uint8Array {
  // Not `slice`: that of a Buffer would be the very same memory.
  const copy = memory.allocate(bytes.length);
  copy.set(bytes);
  applyMask(copy, 0, copy.length, mask);
  return copy;
}
