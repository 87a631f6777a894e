/** How a grant stands: finds the entry that a client names, and tells the truth about it. */
import { Allowance } from "../allowance.js";
import type { GrantRef } from "../command/command.js";
import {
  type AskedView,
  type EndReason,
  type EntryEndedResult,
  type EntryView,
  type GrantedResult,
  type Refusal,
  refuse,
  type WaitingResult,
} from "../command/result.js";
import {
  type Asked,
  type EntryDetail,
  isLiveEntry,
  type KvRecord,
  type LiveEntry,
  labelBytes,
} from "../kv/record.js";
import { DIGITS, isSequencedForm, lastSegment } from "../kv/sequence.js";
import type { World } from "../world.js";
import { grantOf, tokenOf } from "./admit.js";
import type { EndedEntry } from "./ended.js";

/** Part of what apply answers, and so of the format: a change parts old nodes from new ones. */
const HOLDERS_SHOWN = 16;
const HOLDERS_SHOWN_BYTES = 32_768;
/** What an entry is shown with beside its texts. */
const ENTRY_BYTES = 96;

/** The last segment of an entry that is named by its lease. */
const LEASE_ID = /^[1-9a-f][0-9a-f]{0,15}$/;

export type Standing =
  | { readonly held: KvRecord; readonly entry: EntryDetail }
  | {
      readonly held: null;
      /** `ambiguous`: by name and token only, and readers may share that token. */
      readonly reason: EndReason | "waiting" | "never" | "ambiguous";
      /** Of those who hold now. */
      readonly currentToken: number | undefined;
      /** The entry, while it waits. */
      readonly waiting: KvRecord | null;
      /** How it ended, while that is remembered. */
      readonly ended: EndedEntry | null;
    };

/** The refusal for whoever speaks of a grant that does not hold. */
export function notHeld(
  reason: string,
  currentToken: number | undefined,
  grant: GrantRef,
): Refusal {
  if (reason === "ambiguous") return refuse("AMBIGUOUS_GRANT", named(grant));
  return refuse("NOT_HELD", currentToken === undefined ? { reason } : { reason, currentToken });
}

export function named(grant: GrantRef): Readonly<Record<string, unknown>> {
  return "key" in grant ? { key: grant.key } : { name: grant.name, token: grant.token };
}

/** The entry that stands in line now, and lives. A reader's is found by its key only. */
export function findEntry(world: World, grant: GrantRef): LiveEntry | undefined {
  const record = recordOf(world, grant);
  if (!isLiveEntry(record)) return undefined;
  return "token" in grant && record.entry.mode === "shared" ? undefined : record;
}

function recordOf(world: World, grant: GrantRef): KvRecord | undefined {
  if ("key" in grant) return world.kv.get(keyNow(world, grant.key));
  const key = world.lines.get(grant.name)?.keyOfToken(grant.token);
  return key === undefined ? undefined : world.kv.get(key);
}

export function standing(world: World, grant: GrantRef): Standing {
  const record = findEntry(world, grant);
  if (record?.entry.granted === true) {
    return { held: record, entry: record.entry };
  }
  const name = "key" in grant ? lineNameOf(grant.key) : grant.name;
  const currentToken = currentTokenOf(world, name);
  if (record !== undefined) {
    return { held: null, reason: "waiting", currentToken, waiting: record, ended: null };
  }
  const ended = endedOf(world, grant) ?? null;
  const reason = isAmbiguous(world, grant, ended)
    ? "ambiguous"
    : ended !== null
      ? ended.reason
      : absentReason(world, grant);
  return { held: null, reason, currentToken, waiting: null, ended };
}

/** A reader's create revision is the token of its whole run, of whom some may still hold. */
function isAmbiguous(world: World, grant: GrantRef, ended: EndedEntry | null): boolean {
  if ("key" in grant) return false;
  if (ended !== null) return ended.isShared;
  return recordOf(world, grant)?.entry?.mode === "shared";
}

/** The head of a line, if its lease lives: in an exclusive line, the holder. */
export function headRecord(world: World, name: string): LiveEntry | undefined {
  const key = world.lines.get(name)?.keyAt(0);
  const record = key === undefined ? undefined : world.kv.get(key);
  return isLiveEntry(record) ? record : undefined;
}

function currentTokenOf(world: World, name: string): number | undefined {
  const line = world.lines.get(name);
  // Readers may hold behind one whose lease has run out, which keeps the line shut to writers.
  for (let at = 0; line !== undefined && at < Math.min(line.granted, HOLDERS_SHOWN); at++) {
    const key = line.keyAt(at);
    const record = key === undefined ? undefined : world.kv.get(key);
    if (isLiveEntry(record)) return tokenOf(record);
  }
  return undefined;
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
export function lineNameOf(key: string): string {
  return key.slice(0, Math.max(lastSegment(key) - 1, 0));
}

/**
 * By any key that an entry ever had: the one that it has now; or, if it stands no more, one by
 * which its end is remembered. However often it entered anew, its first key leads there.
 */
export function keyNow(world: World, key: string): string {
  const present = world.presentKey(key);
  if (isLiveEntry(world.kv.get(present))) return present;
  const ended = world.endedEntries.byKey(key);
  return ended?.reason === "moved" && ended.was !== "" ? world.presentKey(ended.was) : present;
}

/** What became of an entry, by its key: the answer to whoever asks again. */
export function entryTruth(
  world: World,
  key: string,
): GrantedResult | WaitingResult | EntryEndedResult {
  const now = keyNow(world, key);
  const record = world.kv.get(now);
  if (isLiveEntry(record)) return presentOf(world, record, record.entry);
  const ended = world.endedEntries.byKey(now);
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
  const position = positionOf(world, record, entry);
  const ttlMs = world.leases.get(lease)?.ttlMs ?? 0;
  const { name, enteredMs } = entry;
  return { kind: "waiting", name, key, lease, ttlMs, position, enteredMs };
}

/**
 * Where one who waits stands: 1 is next, when one of those who hold has gone. Of a request for
 * several names, where it is furthest back.
 */
export function positionOf(world: World, record: KvRecord, entry: EntryDetail): number {
  const { extra, name } = entry;
  if (extra.group.length === 0) return placeIn(world, record, name);
  return furthestOf(world, record, entry).position;
}

/** The same with the line in which that is: of those where it is as far back, one that is held. */
export function furthestOf(
  world: World,
  record: KvRecord,
  { name }: EntryDetail,
): { readonly name: string; readonly position: number } {
  const group = world.groupOf(record);
  if (group.length === 0) return { name, position: placeIn(world, record, name) };
  let furthest = { name, position: 0, isHeld: false };
  for (const key of group) {
    const part = world.kv.get(key);
    if (part === undefined || part.entry === null) continue;
    const { name: line } = part.entry;
    const place = { name: line, position: placeIn(world, part, line), isHeld: isHeld(world, line) };
    const isAsFar = place.position === furthest.position && place.isHeld && !furthest.isHeld;
    if (place.position > furthest.position || isAsFar) furthest = place;
  }
  return furthest;
}

function isHeld(world: World, name: string): boolean {
  return (world.lines.get(name)?.granted ?? 0) > 0;
}

function placeIn(world: World, record: KvRecord, name: string): number {
  const line = world.lines.get(name);
  return line === undefined ? 0 : Math.max(1, line.rank(record) - line.granted + 1);
}

export function entryViewOf(record: KvRecord, entry: EntryDetail): EntryView {
  const { granted, owner, labels, actor, mode, extra } = entry;
  return {
    key: record.key,
    token: tokenOf(record),
    lease: record.lease,
    ...(owner === "" ? {} : { owner }),
    ...(labels === null ? {} : { labels }),
    ...(actor === "" ? {} : { actor }),
    value: record.value,
    sinceMs: granted ? entry.grantedMs : entry.enteredMs,
    sinceWallMs: granted ? entry.grantedWallMs : entry.enteredWallMs,
    privateLease: entry.ownsLease,
    ...(mode === "exclusive" ? {} : { mode }),
    ...(extra.progress === "" ? {} : { progress: extra.progress }),
    ...(extra.asked === null ? {} : { asked: askedView(extra.asked) }),
    ...endView(record, extra.deadlineMs),
  };
}

function askedView({ by, why, untilMs, to, breaks }: Asked): AskedView {
  return { by, why, untilMs, ...(to === "" ? {} : { to }), ...(breaks ? { breaks } : {}) };
}

function endView(record: KvRecord, deadlineMs: number) {
  if (deadlineMs === 0) return {};
  return record.lease === "" ? { shutUntilMs: deadlineMs } : { endsMs: deadlineMs };
}

export const holdersAllowance = (): Allowance => new Allowance(HOLDERS_SHOWN_BYTES);

/** The first who hold, as they are shown to who asked in vain. */
export function holderViews(
  world: World,
  name: string,
  allowance: Allowance = holdersAllowance(),
): EntryView[] {
  const granted = world.lines.get(name)?.granted ?? 0;
  return entryViews(world, name, 0, Math.min(granted, HOLDERS_SHOWN), allowance);
}

/** Entries of a line from `position` on, as they are shown, as far as they are allowed. */
export function entryViews(
  world: World,
  name: string,
  position: number,
  limit: number,
  allowance: Allowance,
): EntryView[] {
  const views: EntryView[] = [];
  for (const key of world.lines.get(name)?.keys(position, limit) ?? []) {
    const record = world.kv.get(key);
    if (record === undefined || record.entry === null) continue;
    if (!allowance.take(shownBytes(record, record.entry))) break;
    views.push(entryViewOf(record, record.entry));
  }
  return views;
}

/** Its value is not told to those who look at a line. */
function shownBytes({ key, lease }: KvRecord, entry: EntryDetail): number {
  const { owner, labels, actor, extra } = entry;
  const { progress, asked } = extra;
  const own = ENTRY_BYTES + key.length + lease.length + owner.length + actor.length;
  const said = labels === null ? progress.length : progress.length + labelBytes(labels);
  if (asked === null) return own + said;
  return own + said + asked.by.length + asked.why.length + asked.to.length;
}
