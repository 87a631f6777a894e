/**
 * `lease.grant`, `lease.revoke`, `lease.expire`. The end of a lease is one write for all its
 * keys.
 */

import { isLeaseId } from "../../base/ids.js";
import type {
  Labels,
  LeaseExpireCommand,
  LeaseGrantCommand,
  LeaseRevokeCommand,
} from "../command/command.js";
import { type CommandResult, type EndReason, type Refusal, refuse } from "../command/result.js";
import { checkRoom, invalid } from "../kv/check.js";
import { endLeaseWithin, leaseBytes } from "../kv/write.js";
import type { World } from "../world.js";
import { Lease } from "./lease.js";

export function applyLeaseGrant(world: World, command: LeaseGrantCommand): CommandResult {
  const { lease: id, ttlMs } = command;
  const owner = command.owner ?? "";
  const labels = command.labels ?? {};
  const lease = new Lease(id, ttlMs, owner, labels, "", world.appliedIndex);
  const refused = checkNewLease(world, id, ttlMs) ?? checkShown(world, owner, labels);
  if (refused !== null) return refused;
  const full = checkRoom(world, leaseBytes(lease));
  if (full !== null) return full;
  addLease(world, lease);
  return { kind: "leaseGranted", lease: id, ttlMs };
}

export function addLease(world: World, lease: Lease): void {
  world.leases.set(lease.id, lease);
  world.bytes += leaseBytes(lease);
  world.out.leaseGranted(lease);
}

export function checkNewLease(world: World, id: string, ttlMs: number): Refusal | null {
  const { minTtlMs, maxTtlMs, maxLeases } = world.limits;
  if (!isLeaseId(id)) return invalid("lease");
  if (ttlMs < minTtlMs || ttlMs > maxTtlMs) return invalid("ttlMs");
  if (world.leases.has(id)) return refuse("LEASE_EXISTS", { lease: id });
  if (world.leases.size >= maxLeases) return refuse("STATE_FULL", { limit: maxLeases });
  return null;
}

/** Owner and labels: what is shown must be short. */
export function checkShown(world: World, owner: string, labels: Labels): Refusal | null {
  const { maxOwnerBytes, maxLabels, maxLabelNameBytes, maxLabelValueBytes } = world.limits;
  if (owner.length > maxOwnerBytes) return invalid("owner");
  const names = Object.keys(labels);
  if (names.length > maxLabels) return invalid("labels");
  for (const name of names) {
    const value = labels[name] ?? "";
    if (name.length > maxLabelNameBytes || value.length > maxLabelValueBytes) {
      return invalid("labels");
    }
  }
  return null;
}

export function applyLeaseRevoke(world: World, command: LeaseRevokeCommand): CommandResult {
  const { lease } = command;
  if (world.leases.has(lease)) {
    endLease(world, lease, "revoked");
    return { kind: "leaseRevoked", lease, revoked: true };
  }
  const ended = world.endedLeases.get(lease);
  if (ended === undefined) return refuse("NO_SUCH_LEASE", { lease });
  return { kind: "leaseRevoked", lease, revoked: false, ended: { reason: ended.reason } };
}

/**
 * Ends the leases that lived when this was proposed and were not given their full time since, in
 * the order given, as many as fit in one command's keys (always at least one); `leaseEnded` tells
 * which. Heads are admitted only when all of them are gone, so that no lock passes through a lease
 * that is about to end.
 */
export function applyLeaseExpire(world: World, command: LeaseExpireCommand): CommandResult {
  const { maxKeysPerCommand } = world.limits;
  let count = 0;
  let keys = 0;
  for (const lease of command.leases) {
    const { sinceIndex } = world.leases.get(lease) ?? { sinceIndex: Number.POSITIVE_INFINITY };
    if (sinceIndex > command.asOfIndex) continue;
    keys += world.leaseKeys.count(lease);
    if (count > 0 && keys > maxKeysPerCommand) break;
    endLease(world, lease, "expired");
    count++;
  }
  return { kind: "leasesExpired", count };
}

function endLease(world: World, lease: string, reason: EndReason & ("expired" | "revoked")): void {
  if (world.leaseKeys.count(lease) > 0) world.beginWrite();
  endLeaseWithin(world, lease, reason);
}
