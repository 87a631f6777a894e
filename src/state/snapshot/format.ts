/**
 * The format of a state as bytes: items, each framed by its length, in one canonical order. The
 * first is the header, the last counts them. Shared by the stream and the loader.
 */
import type { Reader, Writer } from "../../base/codec.js";
import { LIMITS } from "../../base/limits.js";
import type { Labels } from "../command/command.js";
import type { EndReason } from "../command/result.js";
import {
  type Asked,
  EntryDetail,
  type EntryExtra,
  type EntryMode,
  FOREIGN,
  KvRecord,
  PLAIN,
  type SlotClaim,
} from "../kv/record.js";
import { Moment } from "../moment.js";
import type { SlotOutcome } from "../slot/slots.js";
import type { Cause } from "../watch/change.js";

export const STATE_MAGIC = "HFSTATE";
/** The newest state format that this program reads, and the one it writes. */
export const STATE_FORMAT = 2;

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
  rule: 11,
  job: 12,
  slot: 13,
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
  "overdue",
  "moved",
];
export const OUTCOMES: readonly SlotOutcome[] = ["done", "failed", "abandoned"];
export const MODES: readonly EntryMode[] = ["exclusive", "shared", "permit"];
export const CAUSES: readonly Cause[] = [
  "put",
  "deleted",
  "released",
  "cancelled",
  "expired",
  "revoked",
  "broken",
  "overdue",
  "moved",
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

/** As a state of this format has it. */
export function readRecord(from: Reader, format: number): KvRecord {
  const key = text(from, "key");
  const value = text(from, "value");
  const createRevision = from.count("createRevision");
  const modRevision = from.count("modRevision");
  const version = from.count("version");
  const lease = text(from, "lease");
  const tag = text(from, "tag");
  const entry = from.boolean("entry") ? readDetail(from, format) : null;
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
  writeWord(into, MODES, entry.mode);
  writeExtra(into, entry.extra);
}

const EXTRA = { none: 0, foreign: 1, some: 2 } as const;

function writeExtra(into: Writer, extra: EntryExtra): void {
  if (extra === PLAIN || extra === FOREIGN) {
    into.u8(extra === PLAIN ? EXTRA.none : EXTRA.foreign);
    return;
  }
  into.u8(EXTRA.some);
  into.boolean(extra.isForeign);
  into.count(extra.permits);
  into.count(extra.fence);
  into.count(extra.group.length);
  for (const key of extra.group) into.string(key);
  into.count(extra.deadlineMs);
  into.string(extra.progress);
  into.string(extra.was);
  into.boolean(extra.asked !== null);
  if (extra.asked !== null) writeAsked(into, extra.asked);
  into.boolean(extra.claim !== null);
  if (extra.claim === null) return;
  into.string(extra.claim.job);
  into.count(extra.claim.slot);
  into.boolean(extra.claim.onAbandon === "close");
}

function writeAsked(into: Writer, asked: Asked): void {
  into.string(asked.by);
  into.string(asked.why);
  into.count(asked.untilMs);
  into.string(asked.to);
  into.boolean(asked.breaks);
}

function readExtra(from: Reader): EntryExtra {
  const kind = from.u8("extra");
  if (kind === EXTRA.none) return PLAIN;
  if (kind === EXTRA.foreign) return FOREIGN;
  if (kind !== EXTRA.some) throw from.error("extra", "is unknown to this format");
  const isForeign = from.boolean("foreign");
  const permits = from.count("permits");
  const fence = from.count("fence");
  const size = from.items("group", 1_000, 1);
  const group: string[] = [];
  for (let i = 0; i < size; i++) group.push(text(from, "key"));
  const deadlineMs = from.count("deadlineMs");
  const progress = text(from, "progress");
  const was = text(from, "was");
  const asked = from.boolean("asked") ? readAsked(from) : null;
  const claim = from.boolean("claim") ? readClaim(from) : null;
  return { permits, fence, group, deadlineMs, progress, asked, was, claim, isForeign };
}

function readClaim(from: Reader): SlotClaim {
  const job = text(from, "job");
  const slot = from.count("slot");
  return { job, slot, onAbandon: from.boolean("close") ? "close" : "reclaim" };
}

function readAsked(from: Reader): Asked {
  const by = text(from, "by");
  const why = text(from, "why");
  const untilMs = from.count("untilMs");
  const to = text(from, "to");
  return { by, why, untilMs, to, breaks: from.boolean("breaks") };
}

function readDetail(from: Reader, format: number): EntryDetail {
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
  const mode = format < 2 ? "exclusive" : readWord(from, MODES, "mode");
  const extra = format < 2 ? PLAIN : readExtra(from);
  return new EntryDetail(
    name,
    sub,
    mode,
    owner,
    labels,
    actor,
    ownsLease,
    entered,
    revision,
    granted,
    extra,
  );
}

export function writeWord<T extends string>(into: Writer, words: readonly T[], word: T): void {
  into.u8(words.indexOf(word));
}

export function readWord<T extends string>(from: Reader, words: readonly T[], what: string): T {
  const word = words[from.u8(what)];
  if (word === undefined) throw from.error(what, "is unknown to this format");
  return word;
}
