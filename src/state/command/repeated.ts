/**
 * Reads short texts so that those which come again and again (clients, sessions, names of locks)
 * are one string, whose hash is known and which equals itself at a glance. A text is kept when it
 * comes for the second time, in the one place that it can have; the memory is bounded, and nothing
 * but speed depends on it.
 */
import type { Bytes } from "../../base/ports.js";

const PLACES = 4096;
const LONGEST = 32;

export class RepeatedTexts implements Bytes {
  readonly #bytes: Bytes;
  readonly #texts = new Array<string>(PLACES).fill("");
  /** The hash of the last text that was read for this place. */
  readonly #last = new Int32Array(PLACES);

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  latin1Read(from: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > LONGEST) return this.#bytes.latin1Read(from, start, end);
    if (length === 0) return "";
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (from[i] as number), 0x01000193);
    hash ^= hash >>> 15;
    const place = hash & (PLACES - 1);
    const known = this.#texts[place] as string;
    if (known.length === length && isText(known, from, start)) return known;
    const text = this.#bytes.latin1Read(from, start, end);
    if (this.#last[place] === hash) this.#texts[place] = text;
    else this.#last[place] = hash;
    return text;
  }

  allocate(length: number): Uint8Array {
    return this.#bytes.allocate(length);
  }

  latin1Write(into: Uint8Array, offset: number, text: string): void {
    this.#bytes.latin1Write(into, offset, text);
  }

  utf8Encode(text: string): string {
    return this.#bytes.utf8Encode(text);
  }

  utf8Decode(bytes: string): string | null {
    return this.#bytes.utf8Decode(bytes);
  }
}

function isText(text: string, from: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== from[start + i]) return false;
  return true;
}
