/**
 * Frames in msgpack: msgpackr, hardened. What comes in is scanned before it is decoded, so that
 * extensions (which msgpackr takes as records, dates, bundles), lengths that lie and deep nests
 * never reach it. Integers from 2^32 travel as int64 both ways and are safe numbers here; undefined
 * fields are left out.
 */
import { Packr } from "msgpackr";

/** A frame that cannot be read. The connection is of no use any more. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  int64AsType: "number",
  bundleStrings: false,
  moreTypes: false,
  // Values must not pin the frame that they came in.
  copyBuffers: true,
});

const UINT32_MAX = 0xffff_ffff;
const INT32_MIN = -0x8000_0000;

/** `messages` as one frame, with memory of its own. Throws for what msgpack cannot hold. */
export const encodeFrame = (messages: readonly object[]): Uint8Array => packr.pack(messages);

const isWide = (value: number): boolean =>
  (value > UINT32_MAX || value < INT32_MIN) && Number.isInteger(value);

/**
 * `params` as they are packed: wide integers as bigint, undefined fields left out. Returns the same
 * object when there is nothing to change, which is nearly always.
 */
export function packable(params: Readonly<Record<string, unknown>>): object {
  let copy: Record<string, unknown> | null = null;
  for (const field in params) {
    const before = params[field];
    if (typeof before === "string" || typeof before === "boolean") continue;
    const after = packableValue(before);
    if (after === before && after !== undefined) continue;
    copy ??= { ...params };
    if (after === undefined) delete copy[field];
    else copy[field] = after;
  }
  return copy ?? params;
}

function packableValue(value: unknown): unknown {
  if (typeof value === "number") return isWide(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(packableValue);
  return packable(value as Readonly<Record<string, unknown>>);
}

const MAX_DEPTH = 64;

/** Lengths of the fixed part after the first byte, for 0xc0 … 0xdf; -1 where it is not taken. */
const FIXED: readonly number[] = [
  0, -1, 0, 0, 1, 2, 4, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4,
  2, 4,
];

/**
 * Walks over the one value that `frame` must be; allocates nothing but a stack of open containers.
 */
function scan(frame: Uint8Array): void {
  const open: number[] = [];
  let left = 1;
  let at = 0;
  for (;;) {
    while (left === 0) {
      const outer = open.pop();
      if (outer === undefined) {
        if (at !== frame.length) throw new FrameError(`bytes after the frame's end at ${at}`);
        return;
      }
      left = outer;
    }
    left -= 1;
    const type = frame[at];
    if (type === undefined) throw new FrameError("the frame ends within a value");
    at += 1;
    if (type < 0x80 || type >= 0xe0) continue;
    let items = -1;
    if (type < 0x90) items = (type & 0x0f) * 2;
    else if (type < 0xa0) items = type & 0x0f;
    else if (type < 0xc0) at += type & 0x1f;
    else {
      const width = FIXED[type - 0xc0] ?? -1;
      if (width < 0) throw new FrameError(`type 0x${type.toString(16)} at ${at - 1} is not taken`);
      let length = 0;
      for (let byte = 0; byte < width && width <= 4; byte += 1)
        length = length * 256 + (frame[at + byte] ?? 0);
      at += width;
      if (type >= 0xde) items = length * 2;
      else if (type >= 0xdc) items = length;
      else if ((type >= 0xc4 && type <= 0xc6) || type >= 0xd9) at += length;
    }
    if (at > frame.length) throw new FrameError("the frame ends within a value");
    if (items < 0) continue;
    if (items > frame.length - at) throw new FrameError(`a length at ${at} passes the frame's end`);
    if (open.length === MAX_DEPTH) throw new FrameError(`nested deeper than ${MAX_DEPTH}`);
    open.push(left);
    left = items;
  }
}

/** The messages of `frame`. Throws {@link FrameError} and nothing else. */
export function decodeFrame(frame: Uint8Array): readonly unknown[] {
  scan(frame);
  let messages: unknown;
  try {
    messages = packr.unpack(frame);
  } catch (error) {
    throw new FrameError(error instanceof Error ? error.message : "it cannot be decoded");
  }
  if (!Array.isArray(messages)) throw new FrameError("a frame is an array of messages");
  return messages;
}
