/**
 * Admission: who holds, decided once at the end of each command from the lines it touched.
 * Exclusive lines: the head, and nobody else.
 */
import { assert } from "../../base/assert.js";
import type { Grant } from "../command/result.js";
import { type EntryDetail, KvRecord } from "../kv/record.js";
import type { World } from "../world.js";

/** Grants to every head that does not hold yet. Lines in the order in which they were touched. */
export function settleLines(world: World): void {
  const { touched } = world;
  for (let i = 0; i < touched.length; i++) {
    const line = touched[i];
    assert(line !== undefined, "a list has no holes");
    line.touched = false;
    const key = line.keyAt(0);
    if (key === undefined) world.lines.dropIfUnused(line);
    else admit(world, key);
  }
  touched.length = 0;
}

function admit(world: World, key: string): void {
  const record = world.kv.get(key);
  assert(record !== undefined && record.entry !== null, "a line's entries are records");
  if (record.entry.granted) return;
  const entry = record.entry.holding(world.revision, world.now);
  const holding = withEntry(record, entry);
  world.kv.set(key, holding);
  if (entry.ownsLease) renew(world, record.lease);
  world.out.granted(grantOf(world, holding, entry));
}

/**
 * The grant gives the lease that was made for it its full time: an end that was proposed before,
 * when it was due, and comes behind the grant in the log, does not end it any more.
 */
function renew(world: World, id: string): void {
  const lease = world.leases.get(id);
  assert(lease !== undefined, "an entry's lease is live");
  world.leases.set(id, lease.renewed(world.appliedIndex));
}

/** The grant that an entry holds. */
export function grantOf(world: World, record: KvRecord, entry: EntryDetail): Grant {
  const lease = world.leases.get(record.lease);
  assert(lease !== undefined, "an entry's lease is live");
  return {
    name: entry.name,
    key: record.key,
    token: record.createRevision,
    lease: record.lease,
    ttlMs: lease.ttlMs,
    revision: entry.grantRevision,
    waitedMs: entry.grantedMs - entry.enteredMs,
  };
}

function withEntry(record: KvRecord, entry: EntryDetail): KvRecord {
  return new KvRecord(
    record.key,
    record.value,
    record.createRevision,
    record.modRevision,
    record.version,
    record.lease,
    record.tag,
    entry,
  );
}
