/**
 * A second reader of the files, written from the tables in src/storage/README.md and from nothing
 * else: it says what lies where, and what a log of good batches amounts to. It judges nothing, so
 * a torn batch and a damaged one are both just "not whole" here. For the scripts alone.
 */

const SECTOR = 512;

/** CRC-32 (IEEE), a bit at a time. */
export function crc32(bytes: Uint8Array, begin = 0): number {
  let crc = ~begin;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const text = (bytes: Uint8Array, at: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + 4));
const u32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
const u64 = (bytes: Uint8Array, at: number): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true));
const hex = (bytes: Uint8Array, at: number): string =>
  [...bytes.subarray(at, at + 8)].map(byte => byte.toString(16).padStart(2, "0")).join("");
const isZero = (bytes: Uint8Array): boolean => bytes.every(byte => byte === 0);

export interface DumbBatch {
  readonly at: number;
  readonly number: number;
  readonly length: number;
  /** What its flags say of its bytes, in words. */
  readonly form: string;
  readonly records: readonly string[];
}

/** A place in a segment: a good batch, or what else is there, in words. */
export type Place = { readonly batch: DumbBatch } | { readonly at: number; readonly what: string };

export function readHead(bytes: Uint8Array): string {
  const who = `cluster ${hex(bytes, 16)}, node ${u64(bytes, 24)}, incarnation ${hex(bytes, 32)}`;
  const kinds: Record<string, string> = {
    HFID: `identity of ${who}`,
    HFLG: `segment ${u64(bytes, 40)}, salt ${u32(bytes, 48).toString(16)}`,
    HFSN: `snapshot at ${u64(bytes, 40)}:${u64(bytes, 48)}, pieces of ${u32(bytes, 56)} bytes`,
  };
  const what = kinds[text(bytes, 4)];
  const isGood = what !== undefined && text(bytes, 0) === "HOLD" && isSealed(bytes);
  return isGood ? `${what}; format ${u32(bytes, 8)}` : "no head as it was written";
}

const isSealed = (bytes: Uint8Array): boolean =>
  u32(bytes, 12) === crc32(bytes.subarray(0, 12)) &&
  u32(bytes, 508) === crc32(bytes.subarray(0, 508));

/** What lies in a segment behind its head, in order. */
export function readSegment(bytes: Uint8Array): Place[] {
  const salt = u32(bytes, 48);
  const places: Place[] = [];
  for (let at = SECTOR; at < bytes.length; ) {
    if (isZero(bytes.subarray(at))) {
      places.push({ at, what: `zeros to the end at ${bytes.length}` });
      break;
    }
    const sector = bytes.subarray(at, at + SECTOR);
    if (sector.length < SECTOR || text(sector, 0) !== "HFB1" || !hasHeader(sector, salt)) {
      places.push({ at, what: isZero(sector) ? "a sector of zeros" : "bytes that are no batch" });
      at += SECTOR;
      continue;
    }
    places.push(readBatch(bytes, at, salt));
    at += u32(sector, 16);
  }
  return places;
}

const hasHeader = (sector: Uint8Array, salt: number): boolean =>
  u32(sector, 36) === crc32(sector.subarray(0, 36), salt);

function readBatch(bytes: Uint8Array, at: number, salt: number): Place {
  const number = u64(bytes, at + 8);
  const length = u32(bytes, at + 16);
  const batch = bytes.subarray(at, at + length);
  const trailer = length - 16;
  const isWhole =
    batch.length === length &&
    text(batch, length - 4) === "HFE1" &&
    u64(batch, trailer) === number &&
    u32(batch, trailer + 8) ===
      crc32(batch.subarray(40, trailer), crc32(batch.subarray(0, 36), salt));
  if (isWhole) {
    const flags = u32(batch, 4);
    const mask = flags === 2 ? u32(batch, 32) : 0;
    const records = readRecords(batch.slice(40, 40 + u32(batch, 20)).map(byte => byte ^ mask));
    return { batch: { at, number, length, form: formOf(flags, mask), records } };
  }
  const sectors = Array.from({ length: Math.ceil(length / SECTOR) }, (_, n) => {
    const sector = batch.subarray(n * SECTOR, (n + 1) * SECTOR);
    return sector.length < SECTOR ? "missing" : isZero(sector) ? "zeros" : "written";
  });
  return { at, what: `batch ${number}, ${length} bytes, not whole: ${counted(sectors)}` };
}

function formOf(flags: number, mask: number): string {
  if (flags === 0) return "";
  return flags === 2 ? `, masked with ${mask}` : ", with zeros of its own";
}

/** "2 written, 1 zeros": what follows each other counted. */
function counted(words: readonly string[]): string {
  const runs: { word: string; count: number }[] = [];
  for (const word of words) {
    const last = runs.at(-1);
    if (last?.word === word) last.count += 1;
    else runs.push({ word, count: 1 });
  }
  return runs.map(({ count, word }) => `${count} ${word}`).join(", ");
}

function readRecords(bytes: Uint8Array): string[] {
  const records: string[] = [];
  for (let at = 0; at < bytes.length; at += 24 + u32(bytes, at + 4)) {
    const a = u64(bytes, at + 8);
    const length = u32(bytes, at + 4);
    // B of a peer is no number, and need not fit one.
    const b = bytes[at] === 4 ? hex(bytes, at + 16) : u64(bytes, at + 16);
    const kind = bytes[at + 1] === 1 ? "configuration" : "entry";
    const words: Record<number, string> = {
      1: `${kind} ${a}:${b} (${length} bytes)`,
      2: `term ${a} vote ${bytes[at + 1] === 1 ? b : "-"}`,
      3: `drop from ${a}`,
      4: `peer ${a} is ${b}`,
      5: `after ${a}:${b}`,
      6: `begin anew after ${a}:${b}`,
    };
    records.push(words[bytes[at] ?? 0] ?? "unknown");
  }
  return records;
}

export interface Told {
  term: number;
  vote: string;
  base: number;
  /** Terms, by index. */
  entries: Map<number, number>;
  peers: Map<number, string>;
}

/** What the records of a whole log amount to, one after the other. */
export function amountTo(records: readonly string[]): Told {
  const told: Told = { term: 0, vote: "-", base: 0, entries: new Map(), peers: new Map() };
  const dropFrom = (from: number): void => {
    for (const index of told.entries.keys()) if (index >= from) told.entries.delete(index);
  };
  for (const record of records) {
    const [first = "", second = "", third = "", fourth = ""] = record.split(" ");
    if (first === "term") [told.term, told.vote] = [Number(second), fourth];
    else if (first === "drop") dropFrom(Number(third));
    else if (first === "peer") told.peers.set(Number(second), fourth);
    else if (first === "begin") told.entries.clear();
    else if (first === "entry" || first === "configuration") {
      const [index = 0, atTerm = 0] = second.split(":").map(Number);
      dropFrom(index);
      told.entries.set(index, atTerm);
    }
  }
  return told;
}

/** A snapshot's head, its pieces and its end, a line each. */
export function readSnapshot(bytes: Uint8Array): string[] {
  const stride = u32(bytes, 56);
  const configuration = u32(bytes, 60);
  const pieces = SECTOR + Math.ceil(configuration / SECTOR) * SECTOR;
  const end = bytes.length - SECTOR;
  const lines = [
    `${place(0)}${readHead(bytes)}`,
    `${place(SECTOR)}the configuration, ${configuration} bytes`,
  ];
  let whole = 0;
  for (let at = pieces, n = 0; at < end; at += stride, n += 1) {
    const length = u32(bytes, at + 4);
    const content = bytes.subarray(at + 8, at + 8 + length);
    whole = crc32(content, whole);
    const state = u32(bytes, at) === crc32(content, n) ? "good" : "not what was written";
    lines.push(`${place(at)}piece ${n}, ${length} bytes, ${state}`);
  }
  const isEnd = text(bytes, end) === "HFS1" && u32(bytes, end + 4) === whole;
  lines.push(`${place(end)}${isEnd ? `the end: ${u64(bytes, end + 8)} bytes in all` : "no end"}`);
  return lines;
}

export const place = (at: number): string => `@${at}`.padEnd(7);

/** Entries of one term and length that follow each other, as one. */
function inShort(records: readonly string[]): string[] {
  const short: string[] = [];
  let run: { from: number; to: number; rest: string } | null = null;
  for (const record of records) {
    const [, index = "", rest = ""] = /^entry (\d+)(:.*)$/.exec(record) ?? [];
    if (run !== null && rest === run.rest && Number(index) === run.to + 1) {
      run.to += 1;
      short[short.length - 1] = `entries ${run.from}..${run.to}${rest.replace(")", " each)")}`;
      continue;
    }
    run = rest === "" ? null : { from: Number(index), to: Number(index), rest };
    short.push(record);
  }
  return short;
}

/** A file as lines, whatever it is. */
export function dump(name: string, bytes: Uint8Array): string[] {
  if (bytes.length < SECTOR) return [`${bytes.length} bytes`];
  if (name.startsWith("snapshot")) return readSnapshot(bytes);
  const lines = [`${place(0)}${readHead(bytes)}`];
  if (!name.startsWith("segment")) return lines;
  for (const each of readSegment(bytes)) {
    if (!("batch" in each)) lines.push(`${place(each.at)}${each.what}`);
    else {
      const { at, form, length, number, records } = each.batch;
      const what = inShort(records).join(", ") || "nothing";
      lines.push(`${place(at)}batch ${number}, ${length} bytes${form}: ${what}`);
    }
  }
  return lines;
}
