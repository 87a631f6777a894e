/**
 * The bricks of every format of ours but the clients': commands, WAL, peers, snapshots. Fixed-width
 * numbers are little-endian. Not a serializer: each format is written out field by field by whoever
 * owns it. Called on every command and message, so: no closures, no objects per value.
 */
import { assert } from "./assert.js";
import type { Bytes } from "./ports.js";

/** Bytes that are not what they should be. The only thing a Reader throws on bad input. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  /** What was being read, e.g. `entry.term`. */
  readonly what: string;
  /** Where, in bytes from the start of what is being decoded. */
  readonly offset: number;

  constructor(what: string, offset: number, problem: string) {
    super(`${what} at byte ${offset}: ${problem}`);
    this.what = what;
    this.offset = offset;
  }
}

const TWO_32 = 0x1_0000_0000;
/** The most bytes a varint of 53 bits takes. */
export const MAX_COUNT_BYTES = 8;
const SHORT_STRING = 12;

/**
 * Writes into memory of its own, which doubles as needed and is kept between uses. Arguments out of
 * range are bugs of ours: the wide ones are asserted, `u8` and `u16` take the low bits.
 */
export class Writer {
  readonly #bytes: Bytes;
  #buffer: Uint8Array;
  #length = 0;

  constructor(bytes: Bytes, initialBytes = 256) {
    this.#bytes = bytes;
    this.#buffer = bytes.allocate(initialBytes);
  }

  /** Bytes written since the start or the last `finish` or `reset`. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    const b = this.#buffer;
    b[this.#length++] = value;
    b[this.#length++] = value >>> 8;
  }

  u32(value: number): void {
    assert(value >= 0 && value < TWO_32, "a u32 must be from 0 to 2^32-1");
    this.#reserve(4);
    this.#putU32(this.#length, value);
    this.#length += 4;
  }

  /** A 53-bit integer in eight bytes. */
  u53(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "a u53 must be from 0 to 2^53-1");
    this.#reserve(8);
    this.#putU32(this.#length, value % TWO_32);
    this.#putU32(this.#length + 4, Math.floor(value / TWO_32));
    this.#length += 8;
  }

  /** A 53-bit integer, 7 bits a byte, the low ones first: one byte below 128, at most eight. */
  count(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "a count must be from 0 to 2^53-1");
    this.#reserve(MAX_COUNT_BYTES);
    const b = this.#buffer;
    let rest = value;
    while (rest >= TWO_32) {
      b[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      b[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    b[this.#length++] = rest;
  }

  boolean(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  /** A byte string (code units 0–255; the caller's duty) after its length as a count. */
  string(text: string): void {
    const length = text.length;
    this.count(length);
    this.#reserve(length);
    if (length <= SHORT_STRING) {
      for (let i = 0; i < length; i++) this.#buffer[this.#length + i] = text.charCodeAt(i);
    } else {
      this.#bytes.latin1Write(this.#buffer, this.#length, text);
    }
    this.#length += length;
  }

  /** Bytes after their length as a count. */
  array(from: Uint8Array): void {
    this.count(from.length);
    this.raw(from);
  }

  /** Bytes alone: the reader must know how many. */
  raw(from: Uint8Array): void {
    this.#reserve(from.length);
    this.#buffer.set(from, this.#length);
    this.#length += from.length;
  }

  /** Overwrites four bytes written before: for a length or checksum that is known only later. */
  patchU32(offset: number, value: number): void {
    assert(offset >= 0 && offset + 4 <= this.#length, "patchU32 outside what was written");
    this.#putU32(offset, value);
  }

  /** What was written, as an array of its own and of exact length; the Writer starts anew. */
  finish(): Uint8Array {
    const result = this.#bytes.allocate(this.#length);
    result.set(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return result;
  }

  /** A view of what was written, valid until the next call of any method. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written. */
  reset(): void {
    this.#length = 0;
  }

  #putU32(offset: number, value: number): void {
    const b = this.#buffer;
    b[offset] = value;
    b[offset + 1] = value >>> 8;
    b[offset + 2] = value >>> 16;
    b[offset + 3] = value >>> 24;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    let size = Math.max(this.#buffer.length, 16);
    while (size < needed) size *= 2;
    const grown = this.#bytes.allocate(size);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/**
 * Reads what a Writer wrote, from bytes nobody has checked. Every method either gives a value
 * within its stated bounds or throws {@link DecodeError}; `what` names the field in that error.
 */
export class Reader {
  readonly #bytes: Bytes;
  #from: Uint8Array;
  #offset: number;
  #end: number;

  /** Reads `from` between `start` and `end` (default: all of it). */
  constructor(bytes: Bytes, from: Uint8Array, start = 0, end: number = from.length) {
    assert(start >= 0 && start <= end && end <= from.length, "a Reader's range is out of bounds");
    this.#bytes = bytes;
    this.#from = from;
    this.#offset = start;
    this.#end = end;
  }

  /** Starts anew on other bytes, so that one Reader can serve a whole connection or file. */
  reset(from: Uint8Array, start = 0, end: number = from.length): void {
    assert(start >= 0 && start <= end && end <= from.length, "a Reader's range is out of bounds");
    this.#from = from;
    this.#offset = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  u8(what: string): number {
    this.#need(1, what);
    return this.#from[this.#offset++] as number;
  }

  u16(what: string): number {
    this.#need(2, what);
    const b = this.#from;
    const at = this.#offset;
    this.#offset = at + 2;
    return (b[at] as number) | ((b[at + 1] as number) << 8);
  }

  u32(what: string): number {
    this.#need(4, what);
    const value = this.#getU32(this.#offset);
    this.#offset += 4;
    return value;
  }

  u53(what: string): number {
    this.#need(8, what);
    const high = this.#getU32(this.#offset + 4);
    if (high >= 0x20_0000) throw this.error(what, "is beyond 2^53-1");
    const value = high * TWO_32 + this.#getU32(this.#offset);
    this.#offset += 8;
    return value;
  }

  /** A varint from 0 to `max` (default 2^53-1), in its shortest form. */
  count(what: string, max: number = Number.MAX_SAFE_INTEGER): number {
    this.#need(1, what);
    const first = this.#from[this.#offset] as number;
    if (first < 0x80) {
      if (first > max) throw this.error(what, `is ${first}, at most ${max} allowed`);
      this.#offset++;
      return first;
    }
    return this.#longCount(what, max);
  }

  boolean(what: string): boolean {
    this.#need(1, what);
    const value = this.#from[this.#offset] as number;
    if (value > 1) throw this.error(what, `is ${value}, not 0 or 1`);
    this.#offset++;
    return value === 1;
  }

  /** A byte string of at most `maxBytes`. */
  string(what: string, maxBytes: number): string {
    const length = this.#length(what, maxBytes);
    const start = this.#offset;
    this.#offset = start + length;
    return this.#bytes.latin1Read(this.#from, start, this.#offset);
  }

  /** A view of at most `maxBytes` bytes: copy it to keep it beyond what is being read. */
  array(what: string, maxBytes: number): Uint8Array {
    return this.#take(this.#length(what, maxBytes));
  }

  /** A view of exactly `length` bytes. */
  raw(what: string, length: number): Uint8Array {
    this.#need(length, what);
    return this.#take(length);
  }

  /**
   * The number of items in a list, at most `max`, each of which takes at least `itemBytes` (1 or
   * more): refused when so many cannot be there, so that no one makes us allocate for a lie.
   */
  items(what: string, max: number, itemBytes = 1): number {
    const start = this.#offset;
    const items = this.count(what, max);
    if (items * itemBytes > this.remaining) {
      throw new DecodeError(what, start, `${items} items cannot fit in ${this.remaining} bytes`);
    }
    return items;
  }

  /** Throws unless everything has been read. */
  end(what: string): void {
    if (this.#offset !== this.#end) {
      throw this.error(what, `${this.#end - this.#offset} bytes too many`);
    }
  }

  /** For the caller's own checks: an error at the present place. */
  error(what: string, problem: string): DecodeError {
    return new DecodeError(what, this.#offset, problem);
  }

  #longCount(what: string, max: number): number {
    const start = this.#offset;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_COUNT_BYTES; i++) {
      this.#need(1, what);
      const byte = this.#from[this.#offset++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0) throw new DecodeError(what, start, "a number in more bytes than it needs");
        if (value > max) throw new DecodeError(what, start, `is ${value}, at most ${max} allowed`);
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError(what, start, "a number of more than 53 bits");
  }

  #length(what: string, maxBytes: number): number {
    const length = this.count(what, maxBytes);
    this.#need(length, what);
    return length;
  }

  #take(length: number): Uint8Array {
    const start = this.#offset;
    this.#offset = start + length;
    return this.#from.subarray(start, this.#offset);
  }

  #need(length: number, what: string): void {
    if (this.#end - this.#offset < length) {
      const missing = length - (this.#end - this.#offset);
      throw new DecodeError(what, this.#offset, `cut short, ${missing} bytes missing`);
    }
  }

  #getU32(at: number): number {
    const b = this.#from;
    const low = (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16);
    return (low | ((b[at + 3] as number) << 24)) >>> 0;
  }
}
