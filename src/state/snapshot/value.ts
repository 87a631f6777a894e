/**
 * Plain data (strings, counts, booleans, null, arrays, objects) as canonical bytes: how kept
 * answers travel in snapshots. Fields in order of name; absent and undefined are the same.
 */
import { AssertionError } from "../../base/assert.js";
import type { Reader, Writer } from "../../base/codec.js";
import { LIMITS } from "../../base/limits.js";

const TAG = { null: 0, false: 1, true: 2, count: 3, string: 4, array: 5, object: 6 } as const;
const MAX_DEPTH = 100;
const MAX_ITEMS = 1_000_000;

export function writeValue(into: Writer, value: unknown): void {
  if (value === null) {
    into.u8(TAG.null);
  } else if (typeof value === "boolean") {
    into.u8(value ? TAG.true : TAG.false);
  } else if (typeof value === "number") {
    into.u8(TAG.count);
    into.count(value);
  } else if (typeof value === "string") {
    into.u8(TAG.string);
    into.string(value);
  } else if (Array.isArray(value)) {
    into.u8(TAG.array);
    into.count(value.length);
    for (const item of value) writeValue(into, item);
  } else if (typeof value === "object") {
    writeObject(into, value);
  } else {
    throw new AssertionError(`an answer holds a ${typeof value}`);
  }
}

function writeObject(into: Writer, value: object): void {
  const fields = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  into.u8(TAG.object);
  into.count(fields.length);
  for (const [name, inner] of fields) {
    into.string(name);
    writeValue(into, inner);
  }
}

export function readValue(from: Reader, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw from.error("value", "is nested too deeply");
  const tag = from.u8("value");
  switch (tag) {
    case TAG.null:
      return null;
    case TAG.false:
      return false;
    case TAG.true:
      return true;
    case TAG.count:
      return from.count("value");
    case TAG.string:
      return from.string("value", LIMITS.maxSnapshotSliceBytes * 16);
    case TAG.array: {
      const items: unknown[] = [];
      const length = from.items("value", MAX_ITEMS);
      for (let i = 0; i < length; i++) items.push(readValue(from, depth + 1));
      return items;
    }
    case TAG.object: {
      const fields: [string, unknown][] = [];
      const length = from.items("value", MAX_ITEMS, 2);
      for (let i = 0; i < length; i++) {
        fields.push([from.string("field", LIMITS.maxKeyBytes), readValue(from, depth + 1)]);
      }
      return Object.fromEntries(fields);
    }
    default:
      throw from.error("value", `is of unknown kind ${tag}`);
  }
}
