/** A workload: takes locks in every way there is, works under them, and lets go or does not. */
import { type Held, type Lock, LockLostError } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { standStill } from "./sleepers.js";
import { sometimes } from "./sometimes.js";
import { abortAfter, pick, TAKING, tolerate, type Work, type Workload } from "./work.js";

export const LOCKS = ["lock/a", "lock/b"];
/** Less than any margin: who runs on is through before anybody else is granted. */
const BETWEEN_MS = 20;
/** So seldom a holder's process stands still there by its own doing; blind faults seldom hit it. */
const STALLS_ONE_IN = 60;

export const lockCycles: Workload = async (me, work) => {
  const session =
    me.random.below(2) === 0
      ? me.client
      : me.client.session({ ttlMs: 1_500, marginMs: me.marginMs });
  let coordination: Pick<typeof session, "lock"> = session;
  while (!work.isOver()) {
    const lock = coordination.lock(pick(me, LOCKS));
    let held: Held | null = null;
    try {
      held = await work.history.acquire(me, lock.name, inSomeWay(lock, me));
    } catch (error) {
      if (error instanceof LockLostError) coordination = me.client;
      tolerate(error, work, null, me, TAKING);
    }
    if (held === null) await me.sleep(me.random.below(50));
    else await workUnder(held, me, work);
  }
};

export function inSomeWay(lock: Lock, me: SimClient): Promise<Held | null> {
  const how = me.random.below(4);
  if (how === 0) return lock.tryAcquire();
  if (how === 1) return lock.acquire({ waitMs: me.random.below(3_000) });
  if (how === 2) return lock.acquire({ signal: abortAfter(me, me.random.below(3_000)) });
  return lock.acquire();
}

async function workUnder(held: Held, me: SimClient, work: Work): Promise<void> {
  work.count("held");
  const forget = me.believe(held);
  try {
    await guardedWork(held, me, work);
    if (me.random.below(6) === 0) await confirmed(held, me, work);
    if (me.random.below(4) === 0) await me.sleep(me.random.below(400));
    const { heldToTheEnd } = await work.history.release(me, held, () => me.release(held));
    work.count(heldToTheEnd ? "released" : "ended before");
  } catch (error) {
    tolerate(error, work, null, me, TAKING);
    // The margin is there to stop in, and some need all of it.
    if (error instanceof LockLostError && error.reason === "unproven") await me.sleep(me.marginMs);
  } finally {
    forget();
  }
}

/** Confirmed, it stood when that was asked for; refused, it does not stand. */
async function confirmed(held: Held, me: SimClient, work: Work): Promise<void> {
  const { truth } = me.cluster;
  const stood = truth.holds(held.key);
  try {
    await held.confirm();
    work.count("confirmed");
  } catch (error) {
    const isSaid = error instanceof LockLostError && error.reason !== "unproven";
    if (isSaid && truth.holds(held.key))
      truth.fail(`${held.key} was answered as lost (${error.reason}), and holds`);
    throw error;
  }
  if (!stood) truth.fail(`${held.key} was confirmed, and had ended before`);
}

async function guardedWork(held: Held, me: SimClient, work: Work): Promise<void> {
  const { fenced, unfenced } = work.resources.of(held.name);
  for (const resource of [fenced, unfenced]) {
    const before = resource.read(held.token);
    await me.sleep(me.random.below(40));
    try {
      held.assertHeld();
    } catch (error) {
      work.count("lost in time");
      if (resource === unfenced) throw error;
    }
    // Between the look and the write anything may happen to it: that is what tokens are for.
    await me.sleep(me.random.below(BETWEEN_MS));
    if (!me.cluster.truth.isCalm && me.random.below(STALLS_ONE_IN) === 0)
      await standStill(me, 500 + me.random.below(4_000), false);
    if (before !== null && !resource.write(held.token, before + 1)) {
      work.count("fenced off");
      sometimes("fenced off");
    }
  }
  if (me.random.below(3) > 0) return;
  const value = `once:${me.name}:${work.nextNumber()}:${held.key}`;
  const { truth } = me.cluster;
  const askedAt = truth.revision;
  const key = `guarded/${held.name.slice(-1)}`;
  try {
    const { revision } = await me.client.kv.put(key, value, { heldBy: held });
    truth.acknowledged(key, value, revision, askedAt);
    work.count("guarded write");
  } catch (error) {
    tolerate(error, work, value, me, ["NOT_HELD"]);
  }
}
