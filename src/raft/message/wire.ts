/**
 * Fixed-width fields in and out of byte arrays, little-endian, for the codecs in this folder.
 * Reading is total: whatever the bytes, it returns a value or throws {@link DecodeError}.
 * Beside
 * base's Writer it exists because a message's size is known beforehand: one allocation, no growth.
 */
import { assert } from "../../base/assert.js";
import { DecodeError } from "../../base/codec.js";

const TWO_32 = 0x1_0000_0000;
const MAX_HIGH = 0x1f_ffff;

export const COUNT_BYTES = 8;

/** Writes into an array whose size the caller has computed beforehand. */
export class WireWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private offset = 0;

  constructor(lengthBytes: number) {
    this.bytes = new Uint8Array(lengthBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  u8(value: number): void {
    this.view.setUint8(this.offset, value);
    this.offset += 1;
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  u16(value: number): void {
    this.view.setUint16(this.offset, value, true);
    this.offset += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.offset, value, true);
    this.offset += 4;
  }

  /** An integer from 0 to 2^53-1, in 8 bytes. */
  count(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.view.setUint32(this.offset, value - high * TWO_32, true);
    this.view.setUint32(this.offset + 4, high, true);
    this.offset += COUNT_BYTES;
  }

  /** Text as its UTF-16 code units, 16 bits each, after their number. */
  text(value: string): void {
    assert(value.length <= 0xffff, "a text on the wire has at most 65,535 code units");
    this.u16(value.length);
    for (let i = 0; i < value.length; i++) this.u16(value.charCodeAt(i));
  }

  /** Asserts that the size computed beforehand was the right one. */
  finish(): Uint8Array {
    assert(this.offset === this.bytes.length, "an encoded message fills its array exactly");
    return this.bytes;
  }
}

export const textBytes = (value: string): number => 2 + 2 * value.length;

export class WireReader {
  private readonly view: DataView;
  private offset = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remainingBytes(): number {
    return this.bytes.length - this.offset;
  }

  /** Throws the error; the position is that of the next field. */
  fail(problem: string): never {
    throw new DecodeError("raft message", this.offset, problem);
  }

  private take(length: number): number {
    if (length > this.remainingBytes) this.fail("cut short");
    const at = this.offset;
    this.offset += length;
    return at;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.fail(`a flag is 0 or 1, not ${value}`);
    return value === 1;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  count(): number {
    const at = this.take(COUNT_BYTES);
    const high = this.view.getUint32(at + 4, true);
    if (high > MAX_HIGH) this.fail("an integer is past 2^53-1");
    return high * TWO_32 + this.view.getUint32(at, true);
  }

  text(): string {
    const length = this.u16();
    const at = this.take(2 * length);
    let value = "";
    for (let i = 0; i < length; i++) {
      value += String.fromCharCode(this.view.getUint16(at + 2 * i, true));
    }
    return value;
  }

  /** A view of the next `length` bytes, not a copy. */
  slice(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  finish(): void {
    if (this.remainingBytes > 0) this.fail(`${this.remainingBytes} bytes too many`);
  }
}
