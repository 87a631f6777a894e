/**
 * How the leases stand that a client names when it comes: one read and one question to the leader
 * for all of them. What hangs on them is nobody's concern here.
 */
import type { LeaseStanding } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { linearizable } from "../operations/call.js";
import { withRemaining } from "../operations/lease.js";
import { endReason } from "../views.js";

/** In the order named; null: no leader could tell in time. */
export function tellStandings(
  core: Core,
  leases: readonly string[],
  done: (standings: readonly LeaseStanding[] | null) => void,
): void {
  const call = { core, fail: () => done(null) };
  if (core.starting) {
    done(null);
    return;
  }
  linearizable(call, () => {
    const standings = leases.map(lease => standingOf(core, lease));
    const alive = standings.filter(({ ended }) => ended === undefined).map(({ lease }) => lease);
    if (alive.length === 0) {
      done(standings);
      return;
    }
    withRemaining(call, alive, times => {
      const remainingMs = new Map(alive.map((lease, at) => [lease, times[at] ?? 0]));
      done(standings.map(one => ({ ...one, ...left(remainingMs.get(one.lease)) })));
    });
  });
}

function standingOf({ machine }: Core, lease: string): LeaseStanding {
  if (machine.lease(lease) !== undefined) return { lease };
  return { lease, ended: { reason: endReason(machine.endedLease(lease) ?? "forgotten") } };
}

const left = (remainingMs: number | undefined) =>
  remainingMs === undefined ? {} : { remainingMs };
