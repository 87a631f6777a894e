/**
 * What tells two requests under one id apart: a 64-bit digest of the command's bytes. It guards
 * against a client's mistake, not against an attacker, and of long commands it samples.
 */
const SAMPLED_FROM = 4096;
const EDGE = 1024;
const STRIDE = 251;

class Digest {
  a = 0x811c9dc5;
  b = 0x1b873593;

  add(byte: number): void {
    this.a = Math.imul(this.a ^ byte, 0x01000193);
    this.b = Math.imul((this.b << 5) ^ (this.b >>> 27) ^ byte, 0x9e3779b1);
  }
}

const digest = new Digest();

/** Eight byte characters over `from[start, end)`, its length and the command's number. */
export function fingerprintOf(
  from: Uint8Array,
  start: number,
  end: number,
  number: number,
): string {
  digest.a = 0x811c9dc5 ^ number;
  digest.b = 0x1b873593 ^ (end - start);
  if (end - start <= SAMPLED_FROM) {
    for (let i = start; i < end; i++) digest.add(from[i] as number);
  } else {
    for (let i = start; i < start + EDGE; i++) digest.add(from[i] as number);
    for (let i = start + EDGE; i < end - EDGE; i += STRIDE) digest.add(from[i] as number);
    for (let i = end - EDGE; i < end; i++) digest.add(from[i] as number);
  }
  return bytesOf(digest.a) + bytesOf(digest.b);
}

function bytesOf(word: number): string {
  return String.fromCharCode(
    word & 0xff,
    (word >>> 8) & 0xff,
    (word >>> 16) & 0xff,
    (word >>> 24) & 0xff,
  );
}
