/**
 * A workload: locks with leases of their own, call by call, as over HTTP; asks on with a key, or
 * not.
 */
import type { SimClient } from "./client.js";
import type { PlainGrant } from "./history.js";
import { LOCKS } from "./holders.js";
import { isTransient, notDone, pick, resultOf, TAKING, type Work, type Workload } from "./work.js";

export const plainLocks: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    const name = pick(me, LOCKS);
    const ttlMs = 1_000 + me.random.below(1_000);
    const key = me.random.below(3) > 0 ? `${me.name}-${work.nextNumber()}` : undefined;
    const waitMs = me.random.below(4_000);
    const polls = key !== undefined && me.random.below(2) === 0 && waitMs > 0;
    const owner = `${me.name}/${work.nextNumber()}`;
    const params = { name, ttlMs, waitMs, owner, ...(polls ? { pollMs: 200 } : {}) };
    const call = { op: "lock.acquire" as const, params, ...(key === undefined ? {} : { key }) };
    const acquire = work.history.plainAcquire(me, name, owner);
    let granted: PlainGrant | null = null;
    for (let tries = 0; tries < (key === undefined ? 1 : 30); tries += 1) {
      const sentMs = me.process.monotonicMs();
      const sentWallMs = me.process.wallMs();
      const withinMs = me.random.below(4) === 0 ? me.random.below(500) : waitMs + 6_000;
      // Where members change, it may be asking one of the past, who keeps nothing alive.
      if (me.cluster.spareNames.length === 0) truth.kept.add(owner);
      const outcome = await me.plainCall(pick(me, me.cluster.names), call, withinMs);
      truth.kept.delete(owner);
      acquire.answered(outcome);
      const result = resultOf(outcome, work, TAKING);
      if (typeof result?.token === "number") {
        const provenMs = Number(result.remainingMs) * 0.99;
        // Both clocks, since the monotonic one stands still while the machine sleeps.
        const remainingMs = (): number =>
          provenMs - Math.max(me.process.monotonicMs() - sentMs, me.process.wallMs() - sentWallMs);
        granted = { name, key: String(result.key), token: result.token, remainingMs };
        acquire.granted(granted);
        break;
      }
      if (outcome !== null && !outcome.ok && outcome.failure.code === "WAIT_TIMEOUT")
        mustNotHold(me, name, owner);
      if (outcome !== null && !outcome.ok && !isTransient(outcome)) break;
      await me.sleep(me.random.below(100));
    }
    if (granted === null) acquire.over();
    else {
      const grant = granted;
      work.count("plain grant");
      let given = false;
      const forget = me.believeIn(name, granted.key, () => !given && grant.remainingMs() > 0);
      await me.sleep(me.random.below(300));
      given = true;
      for (let tries = 0; tries < 20 && me.random.below(8) > 0; tries += 1) {
        const release = { op: "lock.release" as const, params: { key: granted.key } };
        const node = pick(me, me.cluster.names);
        const outcome = await work.history.plainRelease(me, grant, () =>
          me.plainCall(node, release, 5_000),
        );
        const result = resultOf(outcome, work);
        if (result === null) continue;
        if (truth.holds(granted.key)) truth.fail(`${granted.key} released, and holds`);
        break;
      }
      forget();
    }
    if (granted !== null) await lateWrite(me, work, name, granted.key);
    await me.sleep(me.random.below(200));
  }
};

/** Whoever comes late writes all the same, if nobody looks at what it was granted. */
async function lateWrite(me: SimClient, work: Work, name: string, grant: string): Promise<void> {
  if (me.random.below(3) > 0) return;
  const value = `once:${me.name}:${work.nextNumber()}:${grant}`;
  const params = { key: `guarded/${name.slice(-1)}`, value, heldBy: { key: grant } };
  const outcome = await me.plainCall(pick(me, me.cluster.names), { op: "kv.put", params }, 20_000);
  notDone(me, outcome, value);
  if (resultOf(outcome, work, ["NOT_HELD"]) !== null) work.count("late write");
}

/** Told that the wait is over without a grant, nobody would ever release one. */
function mustNotHold({ cluster: { truth } }: SimClient, name: string, owner: string): void {
  const { holders } = truth.machine.inspect(name, 0);
  if (holders.some(holder => holder.owner === owner))
    truth.fail(`${owner} was told that its wait for ${name} is over, and holds it`);
  truth.gaveUp.add(owner);
}
