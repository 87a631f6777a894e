/**
 * Admission: who holds, decided once at the end of each command from the lines it touched. Those
 * who hold are always a prefix of the line. In a lock the head holds, and beside it, if it reads,
 * the readers who follow it; in a semaphore the first so many. A request for several names holds
 * when its turn has come in all of them, and blocks whoever is behind it until then.
 */
import { assert } from "../../base/assert.js";
import type { Grant, GrantPart } from "../command/result.js";
import {
  type EntryDetail,
  type EntryExtra,
  type EntryMode,
  KvRecord,
  recordBytes,
} from "../kv/record.js";
import type { World } from "../world.js";
import type { Line } from "./line.js";
import { permitsOf } from "./rule.js";

/** Grants to everyone whose turn has come. Lines in the order in which they were touched. */
export function settleLines(world: World): void {
  const { touched } = world;
  // A grant in several lines touches the others of them, which may be behind this one in the list.
  for (let i = 0; i < touched.length; i++) {
    const line = touched[i];
    assert(line !== undefined, "a list has no holes");
    line.touched = false;
    if (line.size === 0) world.lines.dropIfUnused(line);
    else while (admitNext(world, line)) {}
  }
  touched.length = 0;
}

/** Grants to the first who waits, if it may hold. */
function admitNext(world: World, line: Line): boolean {
  // Most lines: nobody need be looked at to know.
  if (line.granted > 0 && line.isExclusive) return false;
  const key = line.keyAt(line.granted);
  if (key === undefined) return false;
  const record = recordIn(world, key);
  const { entry } = record;
  if (!mayHold(world, line, entry.mode)) return false;
  const group = world.groupOf(record);
  if (group.length === 0) {
    admit(world, line, record, entry);
    return true;
  }
  return admitGroup(world, group);
}

/** Whether one more of this mode may hold beside those who hold in this line now. */
export function mayHold(world: World, line: Line, mode: EntryMode): boolean {
  if (mode === "permit") return line.granted < permitsOf(world, line);
  if (line.granted === 0) return true;
  if (mode === "exclusive") return false;
  const head = line.keyAt(0);
  return head !== undefined && recordIn(world, head).entry.mode === "shared";
}

/** All of them or none: each must be the first who waits in its line, and may hold there. */
function admitGroup(world: World, group: readonly string[]): boolean {
  for (const key of group) {
    const { entry } = recordIn(world, key);
    const line = world.lines.get(entry.name);
    assert(line !== undefined, "an entry stands in a line");
    if (line.keyAt(line.granted) !== key || !mayHold(world, line, entry.mode)) return false;
  }
  const maxHoldMs = shortestHold(
    world,
    group.map(key => recordIn(world, key).entry.name),
  );
  for (const key of group) {
    const record = recordIn(world, key);
    const line = world.lines.get(record.entry.name);
    assert(line !== undefined, "an entry stands in a line");
    hold(world, line, record, record.entry, maxHoldMs);
  }
  for (const key of group) {
    const record = recordIn(world, key);
    world.out.granted(grantOf(world, record, record.entry));
  }
  return true;
}

function admit(world: World, line: Line, record: KvRecord, entry: EntryDetail): void {
  const maxHoldMs = world.ruleOf(entry.name)?.maxHoldMs ?? 0;
  const holding = hold(world, line, record, entry, maxHoldMs);
  world.out.granted(grantOf(world, holding, holding.entry));
}

function hold(
  world: World,
  line: Line,
  record: KvRecord,
  entry: EntryDetail,
  maxHoldMs: number,
): EntryRecord {
  const extra = extraOfGrant(world, entry.name, entry.mode, entry.extra, maxHoldMs);
  const detail = entry.holding(world.revision, world.now, extra);
  const holding = withEntry(record, detail);
  world.kv.set(record.key, holding);
  // What a grant adds is never refused: whoever waits has its place.
  if (extra !== entry.extra) world.bytes += recordBytes(holding) - recordBytes(record);
  line.granted++;
  world.actors.hold(holding);
  if (entry.ownsLease) renew(world, record.lease);
  if (extra.deadlineMs > 0) world.deadlines.set(record.key, extra.deadlineMs);
  return holding as EntryRecord;
}

/** For how long a grant in these lines may be held, by the strictest of their rules; 0: for ever. */
export function shortestHold(world: World, names: readonly string[]): number {
  let shortest = 0;
  for (const name of names) {
    const { maxHoldMs = 0 } = world.ruleOf(name) ?? {};
    if (maxHoldMs > 0 && (shortest === 0 || maxHoldMs < shortest)) shortest = maxHoldMs;
  }
  return shortest;
}

/**
 * What an entry has as it begins to hold: its run's fence, and when it must be over. All entries of
 * one request end with the first of them: `maxHoldMs` is the same for each.
 */
export function extraOfGrant(
  world: World,
  name: string,
  mode: EntryMode,
  extra: EntryExtra,
  maxHoldMs: number,
): EntryExtra {
  const line = mode === "shared" ? world.lines.get(name) : undefined;
  const fence = line === undefined ? 0 : runFence(world, line);
  if (fence === 0 && maxHoldMs === 0) return extra;
  const deadlineMs = maxHoldMs === 0 ? 0 : world.clusterTimeMs + maxHoldMs;
  return { ...extra, fence, deadlineMs };
}

/** The token of the readers who hold now; 0: there are none, and whoever comes opens a run. */
function runFence(world: World, line: Line): number {
  const head = line.granted === 0 ? undefined : line.keyAt(0);
  return head === undefined ? 0 : tokenOf(recordIn(world, head));
}

/** The fencing token of an entry; while it waits, the one it would have if it opened a run. */
export function tokenOf(record: KvRecord): number {
  const fence = record.entry?.extra.fence ?? 0;
  return fence > 0 ? fence : record.createRevision;
}

type EntryRecord = KvRecord & { readonly entry: EntryDetail };

function recordIn(world: World, key: string): EntryRecord {
  const record = world.kv.get(key);
  assert(record !== undefined && record.entry !== null, "a line's entries are records");
  return record as EntryRecord;
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
  assert(lease !== undefined, "a grant is made on a live lease");
  const group = world.groupOf(record);
  const grant = {
    name: entry.name,
    key: record.key,
    token: tokenOf(record),
    lease: record.lease,
    ttlMs: lease.ttlMs,
    revision: entry.grantRevision,
    waitedMs: entry.grantedMs - entry.enteredMs,
  };
  return group.length === 0 ? grant : { ...grant, parts: partsOf(world, group) };
}

function partsOf(world: World, group: readonly string[]): readonly GrantPart[] {
  return group.map(key => ({ name: recordIn(world, key).entry.name, key }));
}

export function withEntry(record: KvRecord, entry: EntryDetail): KvRecord {
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
