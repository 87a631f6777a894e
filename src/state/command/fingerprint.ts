/**
 * What tells two requests under one id apart: a 64-bit digest of the command's bytes. It guards
 * against a client's mistake, not against an attacker, and of long commands it samples. Two words
 * of 32 bits while it is at work, eight byte characters in a snapshot.
 */
const SAMPLED_FROM = 4096;
const EDGE = 1024;
const STRIDE = 251;

/** Both words are signed 32-bit integers. */
export class Fingerprint {
  a = 0;
  b = 0;

  /** Over `from[start, end)`, its length and the command's number. */
  take(from: Uint8Array, start: number, end: number, number: number): void {
    this.a = 0x811c9dc5 ^ number;
    this.b = 0x1b873593 ^ (end - start);
    if (end - start <= SAMPLED_FROM) {
      this.#add(from, start, end, 1);
    } else {
      this.#add(from, start, start + EDGE, 1);
      this.#add(from, start + EDGE, end - EDGE, STRIDE);
      this.#add(from, end - EDGE, end, 1);
    }
  }

  #add(from: Uint8Array, start: number, end: number, stride: number): void {
    let a = this.a;
    let b = this.b;
    for (let i = start; i < end; i += stride) {
      const byte = from[i] as number;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul((b << 5) ^ (b >>> 27) ^ byte, 0x9e3779b1);
    }
    this.a = a;
    this.b = b;
  }
}

/** The words as eight byte characters. */
export function fingerprintText(a: number, b: number): string {
  return textOf(a) + textOf(b);
}

/** One of the words that are `text`, whose eight characters are bytes: the first or the second. */
export function fingerprintWord(text: string, which: 0 | 1): number {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = (word << 8) | text.charCodeAt(4 * which + i);
  return word;
}

function textOf(word: number): string {
  return String.fromCharCode(
    word & 0xff,
    (word >>> 8) & 0xff,
    (word >>> 16) & 0xff,
    (word >>> 24) & 0xff,
  );
}
