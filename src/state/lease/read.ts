/** Lists of leases. */
import type { LeaseDetails, LeaseList } from "../face.js";
import type { World } from "../world.js";

/** The leases after `after` in order of id, at most `limit`. */
export function listLeases(world: World, after: string, limit: number): LeaseList {
  const leases: LeaseDetails[] = [];
  let more = false;
  world.leases.scan(after === "" ? "" : `${after}\0`, null, (id, lease) => {
    more = leases.length >= limit;
    if (!more) leases.push({ lease, keyCount: world.leaseKeys.count(id) });
    return !more;
  });
  return { leases, more };
}
