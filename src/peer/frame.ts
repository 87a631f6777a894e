/**
 * Frames out of a stream of bytes: length, checksum, type, payload (README.md has the table). Only
 * reading is here; frame-batch.ts writes. Whatever comes, the reader gives whole, checked frames or
 * throws DecodeError, and never sets aside memory for more than its present limit.
 */
import { assert } from "../base/assert.js";
import { DecodeError } from "../base/codec.js";
import type { Bytes, Checksum } from "../base/ports.js";

/** The numbers on the wire. Never reuse one. */
export const FRAME = {
  hello: 1,
  accepted: 2,
  refused: 3,
  message: 4,
  ask: 5,
  answer: 6,
  ping: 7,
  pong: 8,
  join: 9,
  joined: 10,
  bulkBegin: 16,
  bulkChunk: 17,
  bulkEnd: 18,
  bulkProceed: 19,
  bulkResult: 20,
} as const;

/** Length and checksum; what they speak of follows. */
export const FRAME_HEAD_BYTES = 8;

const NOTHING = new Uint8Array(0);

export class FrameReader {
  readonly #bytes: Bytes;
  readonly #checksum: Checksum;
  /** The most bytes of a frame after its head. May be raised between frames. */
  maxBodyBytes: number;
  readonly #head: Uint8Array;
  #headFilled = 0;
  #body: Uint8Array | null = null;
  #bodyFilled = 0;
  #chunk: Uint8Array = NOTHING;
  #at = 0;

  constructor(bytes: Bytes, checksum: Checksum, maxBodyBytes: number) {
    this.#bytes = bytes;
    this.#checksum = checksum;
    this.maxBodyBytes = maxBodyBytes;
    this.#head = bytes.allocate(FRAME_HEAD_BYTES);
  }

  /** Gives the next bytes of the stream; `next` must have returned null before. */
  feed(chunk: Uint8Array): void {
    assert(this.#at === this.#chunk.length, "what was fed must have been read");
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The body of the next frame: its type, then its payload, in memory of its own; null when more
   * bytes are needed. After a DecodeError the stream makes no sense any more.
   */
  next(): Uint8Array | null {
    const body = this.#body ?? this.#begin();
    if (body === null) return null;
    const wanted = body.length - this.#bodyFilled;
    const there = Math.min(wanted, this.#chunk.length - this.#at);
    if (there === this.#chunk.length && there === body.length) body.set(this.#chunk);
    else body.set(this.#chunk.subarray(this.#at, this.#at + there), this.#bodyFilled);
    this.#at += there;
    if (there < wanted) {
      this.#body = body;
      this.#bodyFilled += there;
      this.#forgetChunk();
      return null;
    }
    return this.#checked(body);
  }

  /** Reads a head; sets memory aside for its body. */
  #begin(): Uint8Array | null {
    const head = this.#head;
    while (this.#headFilled < FRAME_HEAD_BYTES) {
      if (this.#at === this.#chunk.length) {
        this.#forgetChunk();
        return null;
      }
      head[this.#headFilled++] = this.#chunk[this.#at++] as number;
    }
    const length = readU32(head, 0);
    if (length < 1 || length > this.maxBodyBytes) {
      const problem = `is ${length}, must be 1 to ${this.maxBodyBytes}`;
      throw new DecodeError("frame length", 0, problem);
    }
    return this.#bytes.allocate(length);
  }

  #checked(body: Uint8Array): Uint8Array {
    if (this.#checksum.crc32(body) !== readU32(this.#head, 4)) {
      throw new DecodeError("frame checksum", 4, "does not fit the frame");
    }
    this.#body = null;
    this.#bodyFilled = 0;
    this.#headFilled = 0;
    return body;
  }

  /** An idle connection must not pin the last chunk. */
  #forgetChunk(): void {
    this.#chunk = NOTHING;
    this.#at = 0;
  }
}

export function readU32(from: Uint8Array, at: number): number {
  const low = (from[at] ?? 0) | ((from[at + 1] ?? 0) << 8) | ((from[at + 2] ?? 0) << 16);
  return (low | ((from[at + 3] ?? 0) << 24)) >>> 0;
}
