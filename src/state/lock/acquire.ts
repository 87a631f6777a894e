/**
 * `lock.acquire`: a place in one line, or in several at once. Who is not granted at once waits as
 * an entry; admit.ts decides when its turn has come.
 */
import { assert } from "../../base/assert.js";
import type { AcquireCommand, PrivateLease } from "../command/command.js";
import { type CommandResult, type Grant, type Refusal, refuse } from "../command/result.js";
import {
  checkLease,
  checkLeaseRoom,
  checkName,
  checkRoom,
  checkValue,
  invalid,
} from "../kv/check.js";
import { ALONE, EntryDetail, type EntryExtra, KvRecord, PLAIN, recordBytes } from "../kv/record.js";
import { leaseBytes, putRecord } from "../kv/write.js";
import { Lease } from "../lease/lease.js";
import { addLease, checkNewLease, checkShown } from "../lease/lease-commands.js";
import { NEVER } from "../moment.js";
import type { World } from "../world.js";
import { extraOfGrant, grantOf, mayHold, shortestHold } from "./admit.js";
import { checkCircle } from "./circle.js";
import { checkRule } from "./rule.js";
import { holderViews, presentOf } from "./standing.js";

const NO_LABELS = {};

export function applyAcquire(world: World, command: AcquireCommand): CommandResult {
  const names = namesOf(command);
  const refused = checkAcquire(world, command, names);
  if (refused !== null) return refused;
  const isFree = holdAtOnce(world, command, names);
  if (!isFree && !command.wait) return lockHeld(world, names);
  // Who wrote entries of the first format looked for no circles.
  const circle = world.format < 2 ? null : checkCircle(world, command, names, isFree);
  if (circle !== null) return circle;
  return names.length === 1
    ? enterOne(world, command, isFree)
    : enterAll(world, command, names, isFree);
}

/** What nearly all ask for: it is done without lists. */
function enterOne(world: World, command: AcquireCommand, isFree: boolean): CommandResult {
  const { name, lease } = command;
  const key = world.keys.of(name, world.revision + 1);
  const made = typeof lease === "string" ? null : ownLease(world, command, lease, key);
  const record = newEntry(world, command, name, key, 0, ALONE, isFree);
  const full = checkRoom(world, recordBytes(record) + (made === null ? 0 : leaseBytes(made)));
  if (full !== null) return full;
  world.beginWrite();
  if (made !== null) addLease(world, made);
  putRecord(world, undefined, record);
  const result = presentOf(world, record, entryOf(record));
  if (result.kind === "granted") world.out.granted(result.grant);
  return result;
}

/** An entry in each of the lines, all by one write. */
function enterAll(
  world: World,
  command: AcquireCommand,
  names: readonly string[],
  isFree: boolean,
): CommandResult {
  const { lease } = command;
  const keys = names.map(name => world.keys.of(name, world.revision + 1));
  const made = typeof lease === "string" ? null : ownLease(world, command, lease, keys[0] ?? "");
  // Else so many names would be so many times so many.
  const first = keys.slice(0, 1);
  const records = keys.map((key, sub) =>
    newEntry(world, command, names[sub] ?? "", key, sub, sub === 0 ? keys : first, isFree),
  );
  let needed = made === null ? 0 : leaseBytes(made);
  for (const record of records) needed += recordBytes(record);
  const full = checkRoom(world, needed);
  if (full !== null) return full;
  world.beginWrite();
  if (made !== null) addLease(world, made);
  for (const record of records) putRecord(world, undefined, record);
  const [leading] = records;
  assert(leading !== undefined, "several are more than none");
  const result = presentOf(world, leading, entryOf(leading));
  if (result.kind === "granted") tellGrants(world, records, result.grant);
  return result;
}

function entryOf({ entry }: KvRecord): EntryDetail {
  assert(entry !== null, "an acquire makes entries");
  return entry;
}

/** One for each line, in order; the first is what is answered. */
function tellGrants(world: World, records: readonly KvRecord[], first: Grant): void {
  world.out.granted(first);
  for (const record of records.slice(1)) world.out.granted(grantOf(world, record, entryOf(record)));
}

/** The names asked for, `name` first. */
function namesOf({ name, names }: AcquireCommand): readonly string[] {
  return names === undefined || names.length === 0 ? [name] : names;
}

function checkAcquire(
  world: World,
  command: AcquireCommand,
  names: readonly string[],
): Refusal | null {
  const { lease, mode = "exclusive", permits = 0 } = command;
  const owner = command.owner ?? "";
  const actor = command.actor ?? "";
  const refused =
    checkNames(world, command) ??
    checkValue(world, command.value ?? "") ??
    checkShown(world, owner, command.labels ?? NO_LABELS);
  if (refused !== null) return refused;
  const { maxActorBytes, maxPermits } = world.limits;
  if (actor.length > maxActorBytes) return invalid("actor");
  const hasPermits = permits > 0 && permits <= maxPermits;
  if (mode === "permit" ? !hasPermits : permits !== 0) return invalid("permits");
  if (typeof lease !== "string") {
    return checkNewLease(world, lease.id, lease.ttlMs) ?? checkRules(world, command, names);
  }
  return (
    checkLease(world, lease) ??
    checkLeaseRoom(world, lease, names.length) ??
    checkAgain(world, command, lease, names) ??
    checkRules(world, command, names)
  );
}

function checkNames(world: World, command: AcquireCommand): Refusal | null {
  const { name, names, mode } = command;
  if (names === undefined || names.length === 0) return checkName(world, name);
  if (names.length > world.limits.maxNamesPerAcquire || names[0] !== name) return invalid("names");
  // One token for all: readers of one line have their run's, which differs from line to line.
  if (mode !== undefined && mode !== "exclusive") return invalid("names");
  for (const one of names) {
    const refused = checkName(world, one);
    if (refused !== null) return refused;
  }
  return new Set(names).size === names.length ? null : invalid("names");
}

/** There is no reentrancy: a second entry of one thread would wait for its first one for ever. */
function checkAgain(
  world: World,
  command: AcquireCommand,
  lease: string,
  names: readonly string[],
): Refusal | null {
  const { actor = "", mode = "exclusive" } = command;
  if (actor === "") return null;
  for (const name of names) {
    const key = world.lines.get(name)?.keyOfActor(lease, actor);
    if (key === undefined) continue;
    const standing = world.kv.get(key)?.entry?.mode ?? mode;
    const isOther = standing !== mode;
    return refuse(isOther ? "NO_UPGRADE" : "ALREADY_IN_LINE", { key, mode: standing });
  }
  return null;
}

function checkRules(
  world: World,
  { mode = "exclusive", permits = 0 }: AcquireCommand,
  names: readonly string[],
): Refusal | null {
  for (const name of names) {
    const refused = checkRule(world, name, mode, permits);
    if (refused !== null) return refused;
  }
  return null;
}

/** Whether one who comes last in these lines would hold in all of them. */
function holdAtOnce(
  world: World,
  { mode = "exclusive" }: AcquireCommand,
  names: readonly string[],
): boolean {
  for (const name of names) {
    const line = world.lines.get(name);
    if (line === undefined || line.size === 0) continue;
    if (line.granted < line.size || !mayHold(world, line, mode)) return false;
  }
  return true;
}

function lockHeld(world: World, names: readonly string[]): Refusal {
  let position = 0;
  let blocked = names[0] ?? "";
  for (const name of names) {
    const line = world.lines.get(name);
    const ahead = line === undefined ? 0 : line.size - line.granted + 1;
    if (line === undefined || line.size === 0 || ahead <= position) continue;
    position = ahead;
    blocked = name;
  }
  return refuse("LOCK_HELD", { name: blocked, position, holders: holderViews(world, blocked) });
}

function ownLease(
  world: World,
  command: AcquireCommand,
  { id, ttlMs }: PrivateLease,
  key: string,
): Lease {
  const { owner = "", labels = NO_LABELS } = command;
  return new Lease(id, ttlMs, owner, labels, key, world.appliedIndex);
}

/** The entry's record, for the next revision. `isFree`: it holds from the start. */
function newEntry(
  world: World,
  command: AcquireCommand,
  name: string,
  key: string,
  sub: number,
  group: readonly string[],
  isFree: boolean,
): KvRecord {
  const { now } = world;
  const revision = world.revision + 1;
  const { lease, mode = "exclusive" } = command;
  const id = typeof lease === "string" ? lease : lease.id;
  const entry = new EntryDetail(
    name,
    sub,
    mode,
    command.owner === undefined || command.owner === ""
      ? (world.leases.get(id)?.owner ?? "")
      : command.owner,
    command.labels ?? world.leases.get(id)?.shownLabels ?? null,
    command.actor ?? "",
    // With it the lease goes, and with the lease all others of the group.
    typeof lease !== "string" && sub === 0,
    now,
    isFree ? revision : 0,
    isFree ? now : NEVER,
    extraOf(world, command, name, group, isFree),
  );
  return new KvRecord(key, command.value ?? "", revision, revision, 1, id, "", entry);
}

function extraOf(
  world: World,
  command: AcquireCommand,
  name: string,
  group: readonly string[],
  isFree: boolean,
): EntryExtra {
  const { permits = 0, mode = "exclusive" } = command;
  const extra = permits === 0 && group.length === 0 ? PLAIN : { ...PLAIN, permits, group };
  if (!isFree) return extra;
  const maxHoldMs = world.rules.size === 0 ? 0 : shortestHold(world, namesOf(command));
  return extraOfGrant(world, name, mode, extra, maxHoldMs);
}
