/**
 * The two ways in which a key changes, with everything that hangs on it: lease, line, history, the
 * count of bytes, the news. Called with changes that were checked before; nothing is refused here.
 */
import { assert } from "../../base/assert.js";
import type { Labels } from "../command/command.js";
import type { EndReason } from "../command/result.js";
import { EndedLease } from "../lease/lease.js";
import { EndedEntry } from "../lock/ended.js";
import type { Line } from "../lock/line.js";
import type { EntryEnd } from "../output.js";
import { type Cause, Change } from "../watch/change.js";
import type { World } from "../world.js";
import { type EntryDetail, KvRecord, labelBytes, recordBytes, type SlotClaim } from "./record.js";

const LEASE_BYTES = 200;

/** What a lease counts for. */
export function leaseBytes(lease: { readonly owner: string; readonly labels: Labels }): number {
  return LEASE_BYTES + lease.owner.length + labelBytes(lease.labels);
}

/** Puts `record` in the place of `prev` (undefined: the key is new). One change of this write. */
export function putRecord(world: World, prev: KvRecord | undefined, record: KvRecord): void {
  world.kv.set(record.key, record);
  world.bytes += recordBytes(record);
  if (prev !== undefined) world.bytes -= recordBytes(prev);
  const before = prev === undefined ? "" : prev.lease;
  if (before !== record.lease) {
    if (before !== "") world.leaseKeys.delete(before, record.key);
    if (record.lease !== "") world.leaseKeys.add(record.lease, record.key);
  }
  tell(world, "put", record.key, record, prev ?? null);
  if (prev === undefined && record.entry !== null) enterLine(world, record, record.entry);
}

/**
 * Removes a key. An entry of a request for several names takes the others with it; one that owns
 * its lease takes the lease, and with it whatever else hangs on it: all in this write.
 */
export function removeRecord(world: World, record: KvRecord, cause: Cause & EndReason): void {
  const { entry, lease } = record;
  const group = world.groupOf(record);
  let ownsLease = entry?.ownsLease === true;
  if (group.length === 0) removeOne(world, record, cause);
  for (const key of group) {
    const part = world.kv.get(key);
    assert(part !== undefined && part.entry !== null, "the entries of one request go together");
    ownsLease ||= part.entry.ownsLease;
    removeOne(world, part, cause);
  }
  if (ownsLease) endLeaseWithin(world, lease, cause);
}

/**
 * Ends a lease within the present write: the lease is gone, then every key that hung on it, in
 * order of bytes. True when it carried keys.
 */
export function endLeaseWithin(world: World, id: string, reason: Cause & EndReason): void {
  const lease = world.leases.get(id);
  assert(lease !== undefined, "only a live lease can end");
  world.leases.delete(id);
  world.bytes -= leaseBytes(lease);
  for (const key of world.leaseKeys.sorted(id)) {
    const record = world.kv.get(key);
    assert(record !== undefined && record.lease === id, "a lease's keys must carry it");
    const delayMs = reason === "expired" ? lockDelayMs(world, record) : 0;
    if (delayMs > 0) shut(world, record, delayMs);
    else removeOne(world, record, reason);
  }
  world.endedLeases.push(new EndedLease(id, reason, world.clusterTimeMs));
  world.requests.leaseEnded(id, world.clusterTimeMs, world.limits);
  world.out.leaseEnded(lease, reason);
}

/** For how long its line stays shut when this entry's lease runs out; 0: not at all. */
function lockDelayMs(world: World, { entry }: KvRecord): number {
  if (entry === null || !entry.granted) return 0;
  return world.ruleOf(entry.name)?.lockDelayMs ?? 0;
}

/** The grant is over; the entry stays where it is, without its lease, until the delay has ended. */
function shut(world: World, record: KvRecord, delayMs: number): void {
  const { entry, key, lease } = record;
  assert(entry !== null, "only an entry shuts a line");
  const deadlineMs = world.clusterTimeMs + delayMs;
  const staying = withValue(record, record.value, "", world.revision, entry.staying(deadlineMs));
  world.actors.leave(record);
  forgetMoves(world, record, entry);
  world.lines.get(entry.name)?.quit(record);
  world.kv.set(key, staying);
  world.bytes += recordBytes(staying) - recordBytes(record);
  world.leaseKeys.delete(lease, key);
  world.deadlines.set(key, deadlineMs);
  tell(world, "put", key, staying, record);
  endStay(world, record, entry, "expired");
}

/** One of those that enter their line anew: its lease lives on. */
export function removeForMove(world: World, record: KvRecord, to: string): void {
  world.movingTo = to;
  removeOne(world, record, "moved");
}

function removeOne(world: World, record: KvRecord, cause: Cause & EndReason): void {
  world.kv.delete(record.key);
  world.bytes -= recordBytes(record);
  if (record.lease !== "") world.leaseKeys.delete(record.lease, record.key);
  tell(world, cause, record.key, null, record);
  if (record.entry !== null) leaveLine(world, record, record.entry, cause);
}

function tell(
  world: World,
  cause: Cause,
  key: string,
  record: KvRecord | null,
  prev: KvRecord | null,
): void {
  const change = new Change(world.revision, world.sub++, cause, key, record, prev);
  world.history.push(change);
  world.out.wrote(change);
}

function enterLine(world: World, record: KvRecord, entry: EntryDetail): void {
  const line = indexEntry(world, record, entry);
  // One that holds from the start needs no admission.
  if (!entry.granted) world.touch(line);
}

/** Everything by which an entry is found: its line, which is returned, its thread, its time. */
export function indexEntry(world: World, record: KvRecord, entry: EntryDetail): Line {
  const line = world.lines.enter(record, entry.name);
  const { deadlineMs, was } = entry.extra;
  if (record.lease !== "") world.actors.enter(record, line);
  if (deadlineMs > 0) world.deadlines.set(record.key, deadlineMs);
  if (was !== "") world.moved.set(was, record.key);
  return line;
}

function leaveLine(world: World, record: KvRecord, entry: EntryDetail, reason: EndReason): void {
  const line = world.lines.get(entry.name);
  assert(line !== undefined, "an entry stands in a line");
  world.lines.leave(record, line);
  if (entry.extra.deadlineMs > 0) world.deadlines.delete(record.key);
  forgetMoves(world, record, entry);
  world.touch(line);
  // Without its lease it only kept the line shut: its stay has been told as ended before.
  if (record.lease === "") return;
  world.actors.leave(record);
  endStay(world, record, entry, reason);
}

/** Nobody is led to it any more by the key with which it came. */
function forgetMoves({ moved }: World, { key }: KvRecord, { extra }: EntryDetail): void {
  if (extra.was !== "" && moved.get(extra.was) === key) moved.delete(extra.was);
}

/** Remembers how an entry's stay ended, and tells it. */
function endStay(world: World, record: KvRecord, entry: EntryDetail, reason: EndReason): void {
  const line = world.lines.get(entry.name);
  assert(line !== undefined, "an entry stands in a line");
  const { granted } = entry;
  const { blame } = world;
  if (entry.extra.claim !== null) closeSlot(world, record, entry, entry.extra.claim);
  const token = record.createRevision;
  const since = granted ? entry.grantedAt : entry.entered;
  const ended = new EndedEntry(
    entry.name,
    record.key,
    token,
    record.lease,
    entry.owner,
    reason,
    granted,
    since,
    world.now,
    entry.mode,
    entry.extra.fence,
    blame,
    entry.extra.was,
    reason === "moved" ? world.movingTo : "",
  );
  world.endedEntries.push(ended);
  // Who only waited is no news of the lock.
  if (ended.held) line.show(ended, world.limits.recentPerLine);
  const { name, extra } = entry;
  const { key, lease } = record;
  const fence = extra.fence > 0 ? extra.fence : token;
  const { revision } = world;
  const heldMs = world.now.ms - since.ms;
  const end: EntryEnd = { name, key, token: fence, lease, reason, revision, heldMs };
  const told = blame === null ? end : { ...end, blame };
  if (granted) world.out.grantEnded(told);
  else world.out.waitEnded(told);
}

/** A claim is over: with an outcome, or without one and then the job says what becomes of the run. */
function closeSlot(world: World, record: KvRecord, entry: EntryDetail, claim: SlotClaim): void {
  const { outcome, wallTimeMs, limits } = world;
  if (outcome === null && claim.onAbandon === "reclaim") return;
  const { job, slot } = claim;
  world.slots.close(
    {
      job,
      slot,
      outcome: outcome?.outcome ?? "abandoned",
      note: outcome?.note ?? "",
      token: record.createRevision,
      owner: entry.owner,
      endedWallMs: wallTimeMs,
    },
    limits.slotsPerJob,
  );
}

/** The record with another value, written in the present write. */
export function withValue(
  prev: KvRecord,
  value: string,
  lease: string,
  revision: number,
  entry: EntryDetail | null = prev.entry,
): KvRecord {
  return new KvRecord(
    prev.key,
    value,
    prev.createRevision,
    revision,
    prev.version + 1,
    lease,
    prev.tag,
    entry,
  );
}
