/** `kv.put` and `kv.append`: one key, one write, no plan needed. */
import type { AppendCommand, PutCommand } from "../command/command.js";
import type { CommandResult, Refusal } from "../command/result.js";
import { NEVER } from "../moment.js";
import type { World } from "../world.js";
import {
  checkConditions,
  checkForeign,
  checkGuard,
  checkKey,
  checkLease,
  checkLeaseRoom,
  checkName,
  checkPut,
  checkRoom,
  checkValue,
} from "./check.js";
import { EntryDetail, FOREIGN, KvRecord, PLAIN, recordBytes, viewOf } from "./record.js";
import { lineOfNewKey } from "./sequence.js";
import { putRecord, withValue } from "./write.js";

export function applyPut(world: World, command: PutCommand): CommandResult {
  const { key, value } = command;
  const lease = command.lease ?? "";
  const prev = world.kv.get(key);
  const refused =
    checkKey(world, key) ??
    checkValue(world, value) ??
    checkConditions(world, command, prev) ??
    checkPut(world, prev, key, lease, world.revision + 1) ??
    checkMoveToLease(world, prev, lease);
  if (refused !== null) return refused;
  const record = nextRecord(world, prev, key, value, lease, world.revision + 1, 0);
  const full = checkRoom(world, growth(prev, record));
  if (full !== null) return full;
  const revision = world.beginWrite();
  putRecord(world, prev, record);
  if (prev === undefined) return { kind: "put", key, revision, created: true };
  // The record's own string of the key: the command's need not live on.
  const result = { kind: "put", key: prev.key, revision, created: false } as const;
  return command.prev === true ? { ...result, prev: viewOf(prev) } : result;
}

export function applyAppend(world: World, command: AppendCommand): CommandResult {
  const { prefix, value } = command;
  const lease = command.lease ?? "";
  const refused =
    checkName(world, prefix) ??
    checkValue(world, value) ??
    checkGuard(world, command.heldBy) ??
    (lease === "" ? null : (checkLease(world, lease) ?? checkLeaseRoom(world, lease, 1)));
  if (refused !== null) return refused;
  const key = world.keys.of(prefix, world.revision + 1);
  const mismatch = checkForeign(world, key, world.revision + 1, lease);
  if (mismatch !== null) return mismatch;
  const record = nextRecord(world, undefined, key, value, lease, world.revision + 1, 0);
  const full = checkRoom(world, growth(undefined, record));
  if (full !== null) return full;
  const revision = world.beginWrite();
  putRecord(world, undefined, record);
  return { kind: "append", key, revision };
}

/** The record that a put makes: an entry keeps its lease, anything else takes the one given. */
export function nextRecord(
  world: World,
  prev: KvRecord | undefined,
  key: string,
  value: string,
  lease: string,
  revision: number,
  sub: number,
): KvRecord {
  if (prev !== undefined) {
    return withValue(prev, value, prev.entry === null ? lease : prev.lease, revision);
  }
  const line = lineOfNewKey(key, revision, lease);
  const entry = line === "" ? null : plainEntry(world, line, sub, lease);
  return new KvRecord(key, value, revision, revision, 1, lease, "", entry);
}

/** An entry that came as a plain key: it shows what its lease says. */
function plainEntry(world: World, line: string, sub: number, lease: string): EntryDetail {
  const shown = world.leases.get(lease);
  return new EntryDetail(
    line,
    sub,
    "exclusive",
    shown?.owner ?? "",
    shown?.shownLabels ?? null,
    "",
    false,
    world.now,
    0,
    NEVER,
    world.format < 2 ? PLAIN : FOREIGN,
  );
}

/** Room on the lease that the key would newly hang on. */
export function checkMoveToLease(
  world: World,
  prev: KvRecord | undefined,
  lease: string,
): Refusal | null {
  if (lease === "" || prev?.lease === lease) return null;
  return checkLeaseRoom(world, lease, 1);
}

export function growth(prev: KvRecord | undefined, next: KvRecord): number {
  return recordBytes(next) - (prev === undefined ? 0 : recordBytes(prev));
}
