/**
 * The two ways in which a key changes, with everything that hangs on it: lease, line, history, the
 * count of bytes, the news. Called with changes that were checked before; nothing is refused here.
 */
import { assert } from "../../base/assert.js";
import type { Labels } from "../command/command.js";
import type { EndReason } from "../command/result.js";
import { EndedLease } from "../lease/lease.js";
import { EndedEntry } from "../lock/ended.js";
import type { EntryEnd } from "../output.js";
import { type Cause, Change } from "../watch/change.js";
import type { World } from "../world.js";
import { type EntryDetail, KvRecord, labelBytes, recordBytes } from "./record.js";

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
 * Removes a key. If it is an entry that owns its lease, the lease ends with it, and with the lease
 * whatever else hangs on it, all in this write.
 */
export function removeRecord(world: World, record: KvRecord, cause: Cause & EndReason): void {
  removeOne(world, record, cause);
  if (record.entry?.ownsLease === true) endLeaseWithin(world, record.lease, cause);
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
    removeOne(world, record, reason);
  }
  world.endedLeases.push(new EndedLease(id, reason, world.clusterTimeMs));
  world.requests.leaseEnded(id, world.clusterTimeMs, world.limits);
  world.out.leaseEnded(lease, reason);
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
  const line = world.lines.enter(record, entry.name);
  // One that holds from the start needs no admission.
  if (!entry.granted) world.touch(line);
}

function leaveLine(world: World, record: KvRecord, entry: EntryDetail, reason: EndReason): void {
  const line = world.lines.get(entry.name);
  assert(line !== undefined, "an entry stands in a line");
  world.lines.leave(record, line);
  world.touch(line);
  const { granted } = entry;
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
  );
  world.endedEntries.push(ended);
  line.show(ended, world.limits.recentPerLine);
  const { name } = entry;
  const { key, lease } = record;
  const end: EntryEnd = { name, key, token, lease, reason, revision: world.revision };
  if (granted) world.out.grantEnded(end);
  else world.out.waitEnded(end);
}

/** The record with another value, written in the present write. */
export function withValue(
  prev: KvRecord,
  value: string,
  lease: string,
  revision: number,
): KvRecord {
  return new KvRecord(
    prev.key,
    value,
    prev.createRevision,
    revision,
    prev.version + 1,
    lease,
    prev.tag,
    prev.entry,
  );
}
