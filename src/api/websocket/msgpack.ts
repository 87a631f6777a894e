/**
 * msgpack at the client door: msgpackr, hardened. A frame is scanned before it is decoded, so
 * that extensions (which msgpackr takes as records, dates, bundles), lengths that lie and deep
 * nests never reach it. Integers travel as integers, and an int64 comes in as a number.
 */
import { Packr } from "msgpackr";

/** A frame that cannot be read. The connection is closed; nothing of the frame was done. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  int64AsType: "number",
  bundleStrings: false,
  moreTypes: false,
});

const MAX_DEPTH = 64;

/** Lengths of the fixed part after the first byte, by type 0xc0 … 0xdf; -1 where it is no value. */
const FIXED = [
  0, -1, 0, 0, 1, 2, 4, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4,
  2, 4,
] as const;

function lengthAt(frame: Uint8Array, at: number, width: number): number {
  let length = 0;
  for (let offset = 0; offset < width; offset += 1)
    length = length * 256 + (frame[at + offset] ?? 0);
  return length;
}

/**
 * Walks over the one value that `frame` must be. Every open container's remaining items stand on a
 * stack, and all of them together can never be more than the bytes that are left.
 */
function scan(frame: Uint8Array): void {
  const open: number[] = [];
  let left = 1;
  let at = 0;
  for (;;) {
    while (left === 0) {
      const outer = open.pop();
      if (outer === undefined) {
        if (at !== frame.length) throw new DecodeError(`bytes after the frame's end at ${at}`);
        return;
      }
      left = outer;
    }
    left -= 1;
    const type = frame[at];
    if (type === undefined) throw new DecodeError("the frame ends within a value");
    at += 1;
    let items = -1;
    if (type < 0x80 || type >= 0xe0) continue;
    if (type < 0x90) items = (type & 0x0f) * 2;
    else if (type < 0xa0) items = type & 0x0f;
    else if (type < 0xc0) at += type & 0x1f;
    else {
      const width = FIXED[type - 0xc0] ?? -1;
      if (width < 0) throw new DecodeError(`type 0x${type.toString(16)} at ${at - 1} is not taken`);
      const length = lengthAt(frame, at, width);
      at += width;
      if (type >= 0xde) items = length * 2;
      else if (type >= 0xdc) items = length;
      else if ((type >= 0xc4 && type <= 0xc6) || type >= 0xd9) at += length;
    }
    if (at > frame.length) throw new DecodeError("the frame ends within a value");
    if (items < 0) continue;
    if (items > frame.length - at)
      throw new DecodeError(`a length at ${at} passes the frame's end`);
    if (open.length === MAX_DEPTH) throw new DecodeError(`nested deeper than ${MAX_DEPTH}`);
    open.push(left);
    left = items;
  }
}

/**
 * The value of `frame`. Throws {@link DecodeError} and nothing else. Binary is a view of
 * `frame`.
 */
export function decodeMsgpack(frame: Uint8Array): unknown {
  scan(frame);
  try {
    return packr.unpack(frame);
  } catch (error) {
    throw new DecodeError(error instanceof Error ? error.message : "it cannot be decoded");
  }
}

/** `value` as msgpack; it went through a `Border` with msgpack's spelling. Memory of its own. */
export const encodeMsgpack = (value: unknown): Uint8Array => packr.pack(value);
