/** How a grant stands: finds the entry that a client names, and tells the truth about it. */
import type { GrantRef } from "../command/command.js";
import type {
  EndReason,
  EntryEndedResult,
  EntryView,
  GrantedResult,
  WaitingResult,
} from "../command/result.js";
import type { EntryDetail, KvRecord } from "../kv/record.js";
import { DIGITS, isSequencedForm, lastSegment } from "../kv/sequence.js";
import type { World } from "../world.js";
import { grantOf } from "./admit.js";
import type { EndedEntry } from "./ended.js";

/** The last segment of an entry that is named by its lease. */
const LEASE_ID = /^[1-9a-f][0-9a-f]{0,15}$/;

export type Standing =
  | { readonly held: KvRecord; readonly entry: EntryDetail }
  | {
      readonly held: null;
      readonly reason: EndReason | "waiting" | "never";
      readonly currentToken: number | undefined;
      /** The entry, while it waits. */
      readonly waiting: KvRecord | null;
      /** How it ended, while that is remembered. */
      readonly ended: EndedEntry | null;
    };

/** The entry that stands in line now. */
export function findEntry(world: World, grant: GrantRef): KvRecord | undefined {
  const key = "key" in grant ? grant.key : world.lines.get(grant.name)?.keyOfToken(grant.token);
  const record = key === undefined ? undefined : world.kv.get(key);
  return record !== undefined && record.entry !== null ? record : undefined;
}

export function standing(world: World, grant: GrantRef): Standing {
  const record = findEntry(world, grant);
  if (record?.entry?.granted === true) {
    return { held: record, entry: record.entry };
  }
  const name = "key" in grant ? lineNameOf(grant.key) : grant.name;
  const currentToken = headRecord(world, name)?.createRevision;
  if (record !== undefined) {
    return { held: null, reason: "waiting", currentToken, waiting: record, ended: null };
  }
  const ended = endedOf(world, grant) ?? null;
  const reason = ended !== null ? ended.reason : absentReason(world, grant);
  return { held: null, reason, currentToken, waiting: null, ended };
}

/** The head of a line: in an exclusive line, the holder. */
export function headRecord(world: World, name: string): KvRecord | undefined {
  const key = world.lines.get(name)?.keyAt(0);
  return key === undefined ? undefined : world.kv.get(key);
}

function endedOf(world: World, grant: GrantRef): EndedEntry | undefined {
  if ("key" in grant) return world.endedEntries.byKey(grant.key);
  return world.endedEntries.byToken(grant.name, grant.token);
}

/**
 * Of an entry that neither stands nor is remembered: `forgotten` when one of that token could have
 * been forgotten since, else there never was one.
 */
function absentReason(world: World, grant: GrantRef): "forgotten" | "never" {
  const { forgottenToken } = world.endedEntries;
  if ("token" in grant) {
    return grant.token > 0 && grant.token <= forgottenToken ? "forgotten" : "never";
  }
  const { key } = grant;
  if (lineNameOf(key) === "") return "never";
  if (isSequencedForm(key)) {
    return absentReason(world, { name: "", token: Number(key.slice(-DIGITS)) });
  }
  return LEASE_ID.test(key.slice(lastSegment(key))) && forgottenToken > 0 ? "forgotten" : "never";
}

/** The line that an entry's key names; "" when no line can have it. */
function lineNameOf(key: string): string {
  return key.slice(0, Math.max(lastSegment(key) - 1, 0));
}

/** What became of an entry, by its key: the answer to whoever asks again. */
export function entryTruth(
  world: World,
  key: string,
): GrantedResult | WaitingResult | EntryEndedResult {
  const record = world.kv.get(key);
  if (record !== undefined && record.entry !== null) return presentOf(world, record, record.entry);
  const ended = world.endedEntries.byKey(key);
  if (ended === undefined) return { kind: "entryEnded", key, reason: "forgotten", granted: false };
  return { kind: "entryEnded", key, reason: ended.reason, granted: ended.held };
}

export function presentOf(
  world: World,
  record: KvRecord,
  entry: EntryDetail,
): GrantedResult | WaitingResult {
  const { key, lease } = record;
  if (entry.granted) return { kind: "granted", grant: grantOf(world, record, entry) };
  const position = world.lines.get(entry.name)?.rank(record) ?? 0;
  const ttlMs = world.leases.get(lease)?.ttlMs ?? 0;
  const { name, enteredMs } = entry;
  return { kind: "waiting", name, key, lease, ttlMs, position, enteredMs };
}

export function entryViewOf(record: KvRecord, entry: EntryDetail): EntryView {
  const { granted, owner, labels, actor } = entry;
  return {
    key: record.key,
    token: record.createRevision,
    lease: record.lease,
    ...(owner === "" ? {} : { owner }),
    ...(labels === null ? {} : { labels }),
    ...(actor === "" ? {} : { actor }),
    value: record.value,
    sinceMs: granted ? entry.grantedMs : entry.enteredMs,
    sinceWallMs: granted ? entry.grantedWallMs : entry.enteredWallMs,
    privateLease: entry.ownsLease,
  };
}

/** Entries of a line from `position` on, as they are shown. */
export function entryViews(
  world: World,
  name: string,
  position: number,
  limit: number,
): EntryView[] {
  const views: EntryView[] = [];
  for (const key of world.lines.get(name)?.keys(position, limit) ?? []) {
    const record = world.kv.get(key);
    if (record !== undefined && record.entry !== null)
      views.push(entryViewOf(record, record.entry));
  }
  return views;
}
