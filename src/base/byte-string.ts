/**
 * What is said about byte strings (code units 0–255, one per byte; see `Bytes` in ports.ts): how
 * keys and values are held. Not text: making one from text is the Bytes port's job.
 */

/** True when every code unit is a byte. */
export function isByteString(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

/** The order of keys: as bytes. */
export function compareByteStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The least byte string above all that begin with `prefix`, so that those are the half-open range
 * from `prefix` to it; null when there is none (an empty prefix, or one of 0xff alone).
 */
export function prefixEnd(prefix: string): string | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const unit = prefix.charCodeAt(i);
    if (unit < 0xff) return prefix.slice(0, i) + String.fromCharCode(unit + 1);
  }
  return null;
}
