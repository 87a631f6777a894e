/**
 * Keys, values and names as they travel (text, or bytes where they are no UTF-8) and as callers see
 * them.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A key: text, which means its UTF-8 form, or the bytes themselves. */
export type Key = string | Uint8Array;
/** A value: text, which means its UTF-8 form, or the bytes themselves. */
export type Value = string | Uint8Array;

/** As text; bytes that are no UTF-8 become U+FFFD. Anything else is "". */
export function textOf(wire: unknown): string {
  if (typeof wire === "string") return wire;
  return wire instanceof Uint8Array ? decoder.decode(wire) : "";
}

/** As much of `text` as takes at most so many bytes, without half a character at its end. */
export function textWithin(text: string, bytes: number): string {
  // A unit of a string takes at most three.
  if (text.length * 3 <= bytes) return text;
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
}

/** As bytes, exactly. */
export function bytesOf(wire: unknown): Uint8Array {
  if (wire instanceof Uint8Array) return wire;
  return encoder.encode(typeof wire === "string" ? wire : "");
}
