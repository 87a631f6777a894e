/** A 64-bit digest of a stream of bytes: equal states have equal ones. Not against attackers. */
export class StateDigest {
  #a = 0x811c9dc5;
  #b = 0x1b873593;

  add(bytes: Uint8Array): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      a = Math.imul(a ^ byte, 0x85ebca6b);
      a ^= a >>> 15;
      b = Math.imul(b ^ byte, 0xc2b2ae35) + a;
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
  }

  /** 16 hex digits. */
  toString(): string {
    return hex(this.#a) + hex(this.#b);
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
