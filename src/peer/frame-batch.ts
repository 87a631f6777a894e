/**
 * Frames on their way out, gathered into few parts for one vectored write: small pieces are copied
 * together into slabs, large ones go by reference. Bytes of a slab that were handed out are never
 * written again, so the network may hold them as long as it needs. One batch a connection.
 */
import { assert } from "../base/assert.js";
import type { Bytes, Checksum } from "../base/ports.js";
import { FRAME_HEAD_BYTES } from "./frame.js";

const SLAB_BYTES = 32 * 1024;
/** Frames up to this size are copied whole; of larger ones, the parts up to this size. */
const COPIED_BYTES = 4 * 1024;
const NUMBER_BYTES = 4;
/** For frames without a number. */
export const NO_NUMBER = -1;

export class FrameBatch {
  readonly #bytes: Bytes;
  readonly #checksum: Checksum;
  readonly #maxBodyBytes: number;
  #parts: Uint8Array[] = [];
  #slab: Uint8Array;
  /** Where in the slab the bytes begin that are not among the parts yet. */
  #start = 0;
  #used = 0;
  #length = 0;

  /** `maxBodyBytes`: no reader takes more; whoever sends more has a bug. */
  constructor(bytes: Bytes, checksum: Checksum, maxBodyBytes: number) {
    this.#bytes = bytes;
    this.#checksum = checksum;
    this.#maxBodyBytes = maxBodyBytes;
    this.#slab = bytes.allocate(0);
  }

  /** Bytes gathered since the last `take`. */
  get length(): number {
    return this.#length;
  }

  /** Adds a frame. `number` (u32, or NO_NUMBER) comes before the payload's parts. */
  add(type: number, number: number, parts: readonly Uint8Array[]): void {
    let bodyBytes = number === NO_NUMBER ? 1 : 1 + NUMBER_BYTES;
    for (const part of parts) bodyBytes += part.length;
    assert(bodyBytes <= this.#maxBodyBytes, "a frame must not be longer than peers take");
    this.#length += FRAME_HEAD_BYTES + bodyBytes;
    if (bodyBytes <= COPIED_BYTES) this.#addSmall(type, number, parts, bodyBytes);
    else this.#addLarge(type, number, parts, bodyBytes);
  }

  /** What was gathered, in order; the batch starts anew. */
  take(): Uint8Array[] {
    this.#seal();
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    return parts;
  }

  #addSmall(type: number, number: number, parts: readonly Uint8Array[], bodyBytes: number): void {
    this.#reserve(FRAME_HEAD_BYTES + bodyBytes);
    const head = this.#used;
    this.#used += FRAME_HEAD_BYTES;
    this.#putStart(type, number);
    for (const part of parts) this.#copy(part);
    const body = this.#slab.subarray(head + FRAME_HEAD_BYTES, this.#used);
    this.#putU32(head, bodyBytes);
    this.#putU32(head + 4, this.#checksum.crc32(body));
  }

  #addLarge(type: number, number: number, parts: readonly Uint8Array[], bodyBytes: number): void {
    this.#reserve(FRAME_HEAD_BYTES + 1 + NUMBER_BYTES);
    const slab = this.#slab;
    const head = this.#used;
    this.#used += FRAME_HEAD_BYTES;
    this.#putStart(type, number);
    let crc = this.#checksum.crc32(slab.subarray(head + FRAME_HEAD_BYTES, this.#used));
    for (const part of parts) {
      if (part.length === 0) continue;
      crc = this.#checksum.crc32(part, crc);
      if (part.length <= COPIED_BYTES) {
        this.#reserve(part.length);
        this.#copy(part);
      } else {
        this.#seal();
        this.#parts.push(part);
      }
    }
    writeU32(slab, head, bodyBytes);
    writeU32(slab, head + 4, crc);
  }

  #putStart(type: number, number: number): void {
    this.#slab[this.#used++] = type;
    if (number === NO_NUMBER) return;
    this.#putU32(this.#used, number);
    this.#used += NUMBER_BYTES;
  }

  #copy(part: Uint8Array): void {
    this.#slab.set(part, this.#used);
    this.#used += part.length;
  }

  #reserve(length: number): void {
    if (this.#slab.length - this.#used < length) this.#freshSlab(length);
  }

  #freshSlab(length: number): void {
    this.#seal();
    this.#slab = this.#bytes.allocate(Math.max(SLAB_BYTES, length));
    this.#start = 0;
    this.#used = 0;
  }

  #seal(): void {
    if (this.#used > this.#start) this.#parts.push(this.#slab.subarray(this.#start, this.#used));
    this.#start = this.#used;
  }

  #putU32(at: number, value: number): void {
    writeU32(this.#slab, at, value);
  }
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}
