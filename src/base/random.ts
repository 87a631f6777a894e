/**
 * A seeded generator of integers: xoshiro128** (Blackman and Vigna, 2018), seeded by splitmix32,
 * all in 32-bit integer arithmetic, so that a seed gives the same draws on every machine. Not for
 * secrets. The simulator, the tests and raft's election timeouts draw from it, one stream a
 * concern.
 */
import { assert } from "./assert.js";
import type { Random } from "./ports.js";

const TWO_32 = 0x1_0000_0000;

export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed`: any integer from 0 to 2^53-1. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed) && seed >= 0, "a seed must be from 0 to 2^53-1");
    let state = mix32((seed % TWO_32) ^ mix32(Math.floor(seed / TWO_32)));
    const next = (): number => {
      state = (state + 0x9e37_79b9) | 0;
      return mix32(state);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1; // never all zero, the one state that does not move
  }

  /** An integer from 0 to 2^32-1. */
  u32(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return result;
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 48, "bound must be 1 to 2^48");
    if (bound <= TWO_32) return this.#belowU32(bound);
    const range = 2 ** 48;
    const fair = range - (range % bound);
    for (;;) {
      const draw = (this.u32() >>> 16) * TWO_32 + this.u32();
      if (draw < fair) return draw % bound;
    }
  }

  /** True in `numerator` of `denominator` cases. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  #belowU32(bound: number): number {
    const fair = TWO_32 - (TWO_32 % bound);
    for (;;) {
      const draw = this.u32();
      if (draw < fair) return draw % bound;
    }
  }
}

/** The stream named `name` of `seed`: draws from one stream never shift those of another. */
export function randomStream(seed: number, name: string): SeededRandom {
  let hash = 0x811c_9dc5; // FNV-1a
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ (name.charCodeAt(i) & 0xff), 0x0100_0193);
    hash = Math.imul(hash ^ (name.charCodeAt(i) >>> 8), 0x0100_0193);
  }
  const low = mix32(hash ^ (seed % TWO_32)) >>> 0;
  const high = mix32(hash ^ Math.floor(seed / TWO_32)) & 0x1f_ffff;
  return new SeededRandom(high * TWO_32 + low);
}

function mix32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
