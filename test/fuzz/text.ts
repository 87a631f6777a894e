/**
 * Inputs as text and back: JSON, with a spelling for what JSON has none. Bytes are hex, in which a
 * run of one byte is written `(00*480)`. For people to read and for diffs; not a format of the
 * product.
 */

/** From so many equal bytes on they are written as a run. */
const SHORTEST_RUN = 8;
const WORD = /\(([0-9a-f]{2})\*(\d+)\)|([0-9a-f]{2})/g;

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    let end = at + 1;
    while (end < bytes.length && bytes[end] === byte) end += 1;
    const word = byte.toString(16).padStart(2, "0");
    text += end - at >= SHORTEST_RUN ? `(${word}*${end - at})` : word.repeat(end - at);
    at = end;
  }
  return text;
}

/** Throws on what `hexOf` did not write. */
export function bytesOf(hex: string): Uint8Array {
  const bytes: number[] = [];
  let end = 0;
  for (const { 0: word, 1: repeated, 2: times, 3: single, index } of hex.matchAll(WORD)) {
    if (index !== end) break;
    end += word.length;
    const byte = Number.parseInt(repeated ?? single ?? "", 16);
    for (let left = Number(times ?? 1); left > 0; left -= 1) bytes.push(byte);
  }
  if (end !== hex.length) throw new Error(`no hex from character ${end} on`);
  return Uint8Array.from(bytes);
}

const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "-0": -0,
};

function spelled(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $hex: hexOf(value) };
  if (typeof value === "bigint") return { $int: String(value) };
  if (value === undefined) return { $: "undefined" };
  if (typeof value === "number" && !(Number.isFinite(value) && !Object.is(value, -0)))
    return { $number: Object.is(value, -0) ? "-0" : String(value) };
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== "object" || value === null) return value;
  // Entries, and not an object that is filled: `__proto__` is a field like any other here.
  const entries = Object.entries(value);
  const fields = Object.fromEntries(entries.map(([name, one]) => [name, spelled(one)]));
  // An object that looks like one of these spellings is none.
  return entries.length === 1 && entries[0]?.[0].startsWith("$") ? { $object: fields } : fields;
}

function meant(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(meant);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [[name, only] = ["", null]] = entries;
  if (entries.length === 1) {
    if (name === "$hex") return bytesOf(String(only));
    if (name === "$int") return BigInt(String(only));
    if (name === "$") return undefined;
    if (name === "$number") return NUMBERS[String(only)];
    if (name === "$object") return meantFields(Object.entries(only as object));
  }
  return meantFields(entries);
}

function meantFields(entries: readonly [string, unknown][]): unknown {
  return Object.fromEntries(entries.map(([field, one]) => [field, meant(one)]));
}

export const textOf = (input: unknown): string => JSON.stringify(spelled(input), null, 1);

export const inputOf = (text: string): unknown => meant(JSON.parse(text));
