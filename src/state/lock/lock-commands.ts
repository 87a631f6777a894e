/**
 * `lock.acquire`, `lock.cancel`, `lock.release`, `election.proclaim`. Who is granted in the place
 * of one that left is decided in admit.ts when the command ends.
 */
import { assert } from "../../base/assert.js";
import type {
  AcquireCommand,
  CancelCommand,
  GrantRef,
  PrivateLease,
  ProclaimCommand,
  ReleaseCommand,
} from "../command/command.js";
import {
  type CommandResult,
  type EntryEndedResult,
  type Refusal,
  refuse,
} from "../command/result.js";
import {
  checkLease,
  checkLeaseRoom,
  checkName,
  checkRoom,
  checkValue,
  invalid,
} from "../kv/check.js";
import { growth } from "../kv/put.js";
import { EntryDetail, KvRecord, recordBytes } from "../kv/record.js";
import { leaseBytes, putRecord, removeRecord, withValue } from "../kv/write.js";
import { Lease } from "../lease/lease.js";
import { addLease, checkNewLease, checkShown } from "../lease/lease-commands.js";
import { NEVER } from "../moment.js";
import type { World } from "../world.js";
import { entryViews, findEntry, headRecord, presentOf, standing } from "./standing.js";

const NO_LABELS = {};
const RELEASED: CommandResult = { kind: "released", released: true };

export function applyAcquire(world: World, command: AcquireCommand): CommandResult {
  const refused = checkAcquire(world, command);
  if (refused !== null) return refused;
  const { name, lease } = command;
  const line = world.lines.get(name);
  const ahead = line === undefined ? 0 : line.size;
  if (ahead > 0 && !command.wait) {
    return refuse("LOCK_HELD", { position: ahead, holders: entryViews(world, name, 0, 1) });
  }
  const owned = typeof lease !== "string";
  const key = world.keys.of(name, world.revision + 1);
  const made = owned ? ownLease(world, command, lease, key) : null;
  const record = newEntry(world, command, key, owned ? lease.id : lease, owned, ahead === 0);
  const needed = recordBytes(record) + (made === null ? 0 : leaseBytes(made));
  const full = checkRoom(world, needed);
  if (full !== null) return full;
  world.beginWrite();
  if (made !== null) addLease(world, made);
  putRecord(world, undefined, record);
  const { entry } = record;
  assert(entry !== null, "an acquire makes an entry");
  const result = presentOf(world, record, entry);
  if (result.kind === "granted") world.out.granted(result.grant);
  return result;
}

function checkAcquire(world: World, command: AcquireCommand): Refusal | null {
  const { name, lease } = command;
  const owner = command.owner ?? "";
  const actor = command.actor ?? "";
  const refused =
    checkName(world, name) ??
    checkValue(world, command.value ?? "") ??
    checkShown(world, owner, command.labels ?? NO_LABELS);
  if (refused !== null) return refused;
  if (actor.length > world.limits.maxActorBytes) return invalid("actor");
  if (typeof lease !== "string") return checkNewLease(world, lease.id, lease.ttlMs);
  const gone = checkLease(world, lease) ?? checkLeaseRoom(world, lease, 1);
  if (gone !== null) return gone;
  if (actor === "") return null;
  const standing = world.lines.get(name)?.keyOfActor(lease, actor);
  return standing === undefined ? null : refuse("ALREADY_IN_LINE", { key: standing });
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

/** The entry's record, for the next revision; `alone`: it holds from the start. */
function newEntry(
  world: World,
  command: AcquireCommand,
  key: string,
  lease: string,
  ownsLease: boolean,
  alone: boolean,
): KvRecord {
  const { now } = world;
  const revision = world.revision + 1;
  const entry = new EntryDetail(
    command.name,
    0,
    command.owner === undefined || command.owner === ""
      ? (world.leases.get(lease)?.owner ?? "")
      : command.owner,
    command.labels ?? null,
    command.actor ?? "",
    ownsLease,
    now,
    alone ? revision : 0,
    alone ? now : NEVER,
  );
  return new KvRecord(key, command.value ?? "", revision, revision, 1, lease, "", entry);
}

export function applyCancel(world: World, command: CancelCommand): CommandResult {
  const { key } = command;
  const record = world.kv.get(key);
  if (record === undefined || record.entry === null) return endedResult(world, key);
  const { entry } = record;
  const present = presentOf(world, record, entry);
  if (present.kind === "granted") return present;
  const holders = entryViews(world, entry.name, 0, 1);
  world.beginWrite();
  removeRecord(world, record, "cancelled");
  return { kind: "cancelled", key, position: present.position, holders };
}

function endedResult(world: World, key: string): EntryEndedResult | Refusal {
  const found = standing(world, { key });
  if (found.held === null && found.reason === "never") return refuse("NO_SUCH_GRANT", { key });
  const ended = found.held === null ? found.ended : null;
  if (ended === null) return { kind: "entryEnded", key, reason: "forgotten", granted: false };
  return { kind: "entryEnded", key, reason: ended.reason, granted: ended.held };
}

export function applyRelease(world: World, command: ReleaseCommand): CommandResult {
  const { grant } = command;
  const record = findEntry(world, grant);
  if (record?.entry?.granted === true) {
    world.beginWrite();
    removeRecord(world, record, "released");
    return RELEASED;
  }
  const found = standing(world, grant);
  assert(found.held === null, "what holds is released");
  const { reason, ended } = found;
  const onlyWaited = ended !== null && !ended.held;
  if (onlyWaited || reason === "waiting" || reason === "never") {
    return refuse("NO_SUCH_GRANT", { ...named(grant), reason });
  }
  return { kind: "released", released: false, ended: { reason } };
}

function named(grant: GrantRef): Readonly<Record<string, unknown>> {
  return "key" in grant ? { key: grant.key } : { name: grant.name, token: grant.token };
}

export function applyProclaim(world: World, command: ProclaimCommand): CommandResult {
  const { value } = command;
  const tooLarge = checkValue(world, value);
  if (tooLarge !== null) return tooLarge;
  const grant = "lease" in command.grant ? headOfLease(world, command.grant) : command.grant;
  const found = standing(world, grant);
  if (found.held === null) {
    const { reason, currentToken } = found;
    return refuse("NOT_HELD", currentToken === undefined ? { reason } : { reason, currentToken });
  }
  const prev = found.held;
  const record = withValue(prev, value, prev.lease, world.revision + 1);
  const full = checkRoom(world, growth(prev, record));
  if (full !== null) return full;
  const revision = world.beginWrite();
  putRecord(world, prev, record);
  return { kind: "proclaimed", key: prev.key, token: prev.createRevision, revision };
}

/** The head, if it stands on this lease; else a grant that nobody has. */
function headOfLease(
  world: World,
  by: { readonly name: string; readonly lease: string },
): GrantRef {
  const head = headRecord(world, by.name);
  return head !== undefined && head.lease === by.lease
    ? { key: head.key }
    : { name: by.name, token: 0 };
}
