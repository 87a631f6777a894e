/** Lists of leases, and of what one carries: as much as an answer may show. */
import { Allowance } from "../allowance.js";
import type { LeaseDetails, LeaseKeyList, LeaseList } from "../face.js";
import { labelBytes } from "../kv/record.js";
import type { World } from "../world.js";
import type { Lease } from "./lease.js";

/** What a lease and a key are shown with beside their texts. */
const LEASE_BYTES = 96;
const KEY_BYTES = 4;

/** The leases after `after` in order of id, at most `limit`; one at least. */
export function listLeases(world: World, after: string, limit: number): LeaseList {
  const leases: LeaseDetails[] = [];
  let more = false;
  const allowance = new Allowance(world.limits.maxRangeBytes);
  world.leases.scan(after === "" ? "" : `${after}\0`, null, (id, lease) => {
    more = leases.length >= limit || !allowance.take(shownBytes(lease));
    if (!more) leases.push({ lease, keyCount: world.leaseKeys.count(id) });
    return !more;
  });
  return { leases, more };
}

function shownBytes({ id, owner, labels }: Lease): number {
  return LEASE_BYTES + id.length + owner.length + labelBytes(labels);
}

/** The first keys of a lease in order of bytes, and how many it carries. */
export function listLeaseKeys(world: World, id: string): LeaseKeyList {
  const allowance = new Allowance(world.limits.maxRangeBytes);
  const all = world.leaseKeys.sorted(id);
  const end = all.findIndex(key => !allowance.take(KEY_BYTES + key.length));
  return { keys: end < 0 ? all : all.slice(0, end), keyCount: all.length };
}
