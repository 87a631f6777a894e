/**
 * A workload: leases under ids that several clients choose from few, so that they meet. Each is
 * granted, kept or left, carries a key, and is revoked or runs out.
 */
import type { ErrorCode } from "holdfast-protocol";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import type { SimClient } from "./client.js";
import { PLAIN } from "./plain.js";
import { notDone, resultOf, type Work, type Workload } from "./work.js";

const CLOCK_RATE = 0.99;
/** Longer than a node tries: so that it says itself that nobody knows. */
const LONG_MS = 20_000;
/** What may be said of a lease that was granted: it has ended, or nobody remembers it any more. */
const OVER: readonly ErrorCode[] = ["LEASE_ENDED", "NO_SUCH_LEASE"];
const IDS = ["a1", "a2", "a3"];

export const chosenLeases: Workload = async (me, work) => {
  while (!work.isOver()) {
    const lease = IDS[me.random.below(IDS.length)] as string;
    if (await granted(me, work, lease)) await use(me, work, lease);
    await me.sleep(me.random.below(400));
  }
};

async function granted(me: SimClient, work: Work, lease: string): Promise<boolean> {
  const { truth } = me.cluster;
  const lived = truth.hasLease(lease);
  const grants = truth.leaseGrants(lease);
  const call = { op: "lease.grant" as const, params: { lease, ttlMs: 1_000 } };
  const outcome = await me.plainCall(anyNode(me), call, 5_000);
  if (outcome !== null && !outcome.ok && outcome.failure.code === "LEASE_EXISTS") {
    if (!lived && truth.leaseGrants(lease) === grants)
      truth.fail(`${lease} is said to exist and does not`);
  }
  if (resultOf(outcome, work, ["LEASE_EXISTS", "LEASE_ENDED"]) === null) return false;
  if (truth.leaseGrants(lease) === grants)
    truth.fail(`${lease} was answered as granted, and is not`);
  work.count("chosen lease");
  return true;
}

async function use(me: SimClient, work: Work, lease: string): Promise<void> {
  const { truth } = me.cluster;
  const value = `once:${me.name}:${work.nextNumber()}`;
  const key = `leased/${lease}`;
  const askedAt = truth.revision;
  const put = { op: "kv.put" as const, params: { key, value, lease } };
  const outcome = await me.plainCall(anyNode(me), put, LONG_MS);
  notDone(me, outcome, value);
  mustBeKnown(me, lease, outcome);
  const answer = resultOf(outcome, work, OVER);
  if (answer !== null) truth.acknowledged(key, value, Number(answer.revision), askedAt);
  for (let times = me.random.below(8); times > 0; times -= 1) {
    await me.sleep(me.random.below(500));
    await keepAlive(me, work, lease);
  }
  if (me.random.below(3) === 0) return;
  // Some come when it has ended long since, and must be told that.
  if (me.random.below(3) === 0) await me.sleep(1_200 + me.random.below(1_000));
  const revoke = { op: "lease.revoke" as const, params: { lease } };
  const revoked = await me.plainCall(anyNode(me), revoke, 3_000);
  mustBeKnown(me, lease, revoked);
  if (resultOf(revoked, work, OVER) !== null) work.count("revoked");
}

/** It was granted: what has become of it is remembered for longer than a run, unless few are. */
function mustBeKnown(me: SimClient, lease: string, outcome: Outcome | null): void {
  if (me.cluster.drawn.endedLeasesKept < PLAIN.endedLeasesKept) return;
  if (outcome !== null && !outcome.ok && outcome.failure.code === "NO_SUCH_LEASE")
    me.cluster.truth.fail(`${lease} is said never to have been`);
}

/** What is left counts from when it was asked for; clocks differ in rate by less than 1 %. */
async function keepAlive(me: SimClient, work: Work, lease: string): Promise<void> {
  const { truth } = me.cluster;
  const grant = truth.leaseGrants(lease);
  const askedMs = me.cluster.nowMs;
  const call = { op: "lease.keepalive" as const, params: { lease } };
  const outcome = await me.plainCall(anyNode(me), call, 3_000);
  mustBeKnown(me, lease, outcome);
  const kept = resultOf(outcome, work, OVER);
  if (kept !== null)
    truth.provenUntil(lease, grant, askedMs + Number(kept.remainingMs) * CLOCK_RATE);
}

function anyNode(me: SimClient): string {
  const { names } = me.cluster;
  return names[me.random.below(names.length)] as string;
}
