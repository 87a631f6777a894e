/**
 * The format of a state as bytes: items, each framed by its length, in one canonical order. The
 * first is the header, the last counts them. Shared by the stream and the loader.
 */
import type { Reader, Writer } from "../../base/codec.js";
import { LIMITS } from "../../base/limits.js";
import type { Labels } from "../command/command.js";
import type { EndReason } from "../command/result.js";
import { EntryDetail, KvRecord } from "../kv/record.js";
import { Moment } from "../moment.js";
import type { Cause } from "../watch/change.js";

export const STATE_MAGIC = "HFSTATE";
/** The newest state format that this program reads, and the one it writes. */
export const STATE_FORMAT = 1;

export const ITEM = {
  header: 0,
  meta: 1,
  record: 2,
  lease: 3,
  endedLease: 4,
  endedEntry: 5,
  change: 6,
  window: 7,
  answer: 8,
  idempotent: 9,
  end: 10,
} as const;

/**
 * How a change's record stands in the stream: `live` and `last` name one that was there before.
 */
export const SHARED = { none: 0, full: 1, live: 2, last: 3 } as const;

// Codes of words; their places are the format: append only.
export const END_REASONS: readonly EndReason[] = [
  "released",
  "cancelled",
  "expired",
  "revoked",
  "deleted",
  "broken",
  "forgotten",
];
export const CAUSES: readonly Cause[] = [
  "put",
  "deleted",
  "released",
  "cancelled",
  "expired",
  "revoked",
  "broken",
];

const TEXT = LIMITS.maxSnapshotSliceBytes * 16;

export function text(from: Reader, what: string): string {
  return from.string(what, TEXT);
}

export function writeLabels(into: Writer, labels: Labels): void {
  const names = Object.keys(labels).sort();
  into.count(names.length);
  for (const name of names) {
    into.string(name);
    into.string(labels[name] ?? "");
  }
}

export function readLabels(from: Reader): Labels {
  const labels: [string, string][] = [];
  const size = from.items("labels", 100_000, 2);
  for (let i = 0; i < size; i++) labels.push([text(from, "label"), text(from, "label")]);
  return Object.fromEntries(labels);
}

export function writeRecord(into: Writer, record: KvRecord): void {
  into.string(record.key);
  into.string(record.value);
  into.count(record.createRevision);
  into.count(record.modRevision);
  into.count(record.version);
  into.string(record.lease);
  into.string(record.tag);
  into.boolean(record.entry !== null);
  if (record.entry !== null) writeDetail(into, record.entry);
}

export function readRecord(from: Reader): KvRecord {
  const key = text(from, "key");
  const value = text(from, "value");
  const createRevision = from.count("createRevision");
  const modRevision = from.count("modRevision");
  const version = from.count("version");
  const lease = text(from, "lease");
  const tag = text(from, "tag");
  const entry = from.boolean("entry") ? readDetail(from) : null;
  return new KvRecord(key, value, createRevision, modRevision, version, lease, tag, entry);
}

function writeDetail(into: Writer, entry: EntryDetail): void {
  into.string(entry.name);
  into.count(entry.sub);
  into.string(entry.owner);
  into.boolean(entry.labels !== null);
  if (entry.labels !== null) writeLabels(into, entry.labels);
  into.string(entry.actor);
  into.boolean(entry.ownsLease);
  into.count(entry.enteredMs);
  into.count(entry.enteredWallMs);
  into.count(entry.grantRevision);
  into.count(entry.grantedMs);
  into.count(entry.grantedWallMs);
}

function readDetail(from: Reader): EntryDetail {
  const name = text(from, "line");
  const sub = from.count("sub");
  const owner = text(from, "owner");
  const labels = from.boolean("labels") ? readLabels(from) : null;
  const actor = text(from, "actor");
  const ownsLease = from.boolean("ownsLease");
  const enteredMs = from.count("enteredMs");
  const entered = new Moment(enteredMs, from.count("enteredWallMs"));
  const revision = from.count("grantRevision");
  const grantedMs = from.count("grantedMs");
  const granted = new Moment(grantedMs, from.count("grantedWallMs"));
  return new EntryDetail(name, sub, owner, labels, actor, ownsLease, entered, revision, granted);
}

export function writeWord<T extends string>(into: Writer, words: readonly T[], word: T): void {
  into.u8(words.indexOf(word));
}

export function readWord<T extends string>(from: Reader, words: readonly T[], what: string): T {
  const word = words[from.u8(what)];
  if (word === undefined) throw from.error(what, "is unknown to this format");
  return word;
}
