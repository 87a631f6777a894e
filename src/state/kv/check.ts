/**
 * What must hold before a key may change: lengths, conditions, guards, leases. Changes nothing.
 */
import type { Conditions, GrantRef } from "../command/command.js";
import { type Refusal, refuse } from "../command/result.js";
import { checkRule } from "../lock/rule.js";
import { notHeld, standing } from "../lock/standing.js";
import type { World } from "../world.js";
import { type KvRecord, viewOf } from "./record.js";
import { isSequencedForm, lineOfNewKey, twentyDigits } from "./sequence.js";

/** Names the parameter that no door lets through: only a faulty node proposes it. */
export function invalid(parameter: string): Refusal {
  return refuse("INVALID_PARAMETER", { parameter });
}

export function checkKey(world: World, key: string): Refusal | null {
  const limitBytes = world.limits.maxKeyBytes;
  if (key.length > limitBytes) return refuse("KEY_TOO_LARGE", { limitBytes });
  return key === "" ? invalid("key") : null;
}

export function checkName(world: World, name: string): Refusal | null {
  const limitBytes = world.limits.maxNameBytes;
  if (name.length > limitBytes) return refuse("KEY_TOO_LARGE", { limitBytes });
  return name === "" ? invalid("name") : null;
}

export function checkValue(world: World, value: string): Refusal | null {
  const limitBytes = world.limits.maxValueBytes;
  return value.length > limitBytes ? refuse("VALUE_TOO_LARGE", { limitBytes }) : null;
}

/** What is held now, in the bytes that the limit counts. */
export function totalBytes(world: World): number {
  return world.bytes + world.requests.bytes + world.slots.bytes;
}

/** `STATE_FULL` when something that grows no longer fits. */
export function checkRoom(world: World, growth: number): Refusal | null {
  const limitBytes = world.limits.maxStateBytes;
  if (growth <= 0 || totalBytes(world) + growth <= limitBytes) return null;
  return refuse("STATE_FULL", { limitBytes });
}

/** The lease must live. */
export function checkLease(world: World, lease: string): Refusal | null {
  if (world.leases.has(lease)) return null;
  const ended = world.endedLeases.get(lease);
  if (ended !== undefined) return refuse("LEASE_ENDED", { lease, reason: ended.reason });
  return refuse("NO_SUCH_LEASE", { lease });
}

/** Room on the lease for `more` keys. */
export function checkLeaseRoom(world: World, lease: string, more: number): Refusal | null {
  const limit = world.limits.maxKeysPerLease;
  return world.leaseKeys.count(lease) + more > limit ? refuse("LEASE_FULL", { limit }) : null;
}

/** What a put of this lease on this key must fulfil, beside its conditions. */
export function checkPut(
  world: World,
  prev: KvRecord | undefined,
  key: string,
  lease: string,
  revision: number,
): Refusal | null {
  if (prev !== undefined && prev.entry !== null) {
    return lease === "" || lease === prev.lease ? null : refuse("ENTRY_PROTECTED", { key });
  }
  if (lease !== "") {
    const gone = checkLease(world, lease);
    if (gone !== null) return gone;
  }
  if (prev === undefined && isSequencedForm(key) && !key.endsWith(twentyDigits(revision))) {
    return refuse("RESERVED_NAME", { key });
  }
  return prev === undefined ? checkForeign(world, key, revision, lease) : null;
}

/** What comes as a plain key knows of no permits: in a semaphore's line it would think to be alone. */
export function checkForeign(
  world: World,
  key: string,
  revision: number,
  lease: string,
): Refusal | null {
  const line = lineOfNewKey(key, revision, lease);
  return line === "" ? null : checkRule(world, line, "exclusive", 0);
}

/** The guard: `NOT_HELD` unless the grant stands. */
export function checkGuard(world: World, guard: GrantRef | undefined): Refusal | null {
  if (guard === undefined) return null;
  const found = standing(world, guard);
  return found.held === null ? notHeld(found.reason, found.currentToken, guard) : null;
}

/** The conditions on one key, its guard first. */
export function checkConditions(
  world: World,
  conditions: Conditions,
  record: KvRecord | undefined,
): Refusal | null {
  const { prevExist, prevRevision, prevValue } = conditions;
  const unguarded = checkGuard(world, conditions.heldBy);
  if (unguarded !== null) return unguarded;
  const holds =
    (prevExist === undefined || prevExist === (record !== undefined)) &&
    (prevRevision === undefined || prevRevision === (record?.modRevision ?? 0)) &&
    (prevValue === undefined || prevValue === record?.value);
  if (holds) return null;
  const { revision } = world;
  const current = record === undefined ? {} : { current: viewOf(record) };
  return refuse("CONDITION_FAILED", { ...current, revision });
}
