/**
 * A workload: taking a lock from its holder, in steps. Holders are asked, asked for somebody who
 * waits, broken after a while or at once; leaders hand over to whom they choose. The lock has, at
 * times, a delay after a holder that ran out, and an end to how long it is held.
 */
import type { ErrorCode } from "holdfast-protocol";
import type { Held, Leadership, Lock } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { sometimes } from "./sometimes.js";
import { bear, guardedWrite } from "./turns.js";
import { abortAfter, type Work, type Workload } from "./work.js";

const LOCK = "ladder";
const CHIEF = "chief";
/** To who asks for, or breaks, what has changed meanwhile. */
const CHANGED: readonly ErrorCode[] = ["NOT_IN_LINE", "NOT_MOVABLE", "NO_SUCH_GRANT"];

export const ladder: Workload = async (me, work) => {
  const lock = me.client.lock(LOCK);
  while (!work.isOver()) {
    const what = me.random.below(8);
    try {
      if (what < 2) await takeAway(lock, me, work);
      else if (what === 2) await ask(lock, me, work);
      else if (what < 5) await lead(me, work);
      else if (what === 5) await forget(me, work);
      else await hold(await lock.acquire({ waitMs: me.random.below(3_000) }), me, work);
      if (me.random.below(12) === 0) await changeRule(me);
    } catch (error) {
      bear(error, me, work, CHANGED);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Some let go when they are asked, some never, some die first. */
async function hold(held: Held, me: SimClient, work: Work): Promise<void> {
  // Longer than any lease, now and then: so that it is broken.
  const holdMs = me.random.below(3) === 0 ? 5_000 : me.random.below(1_500);
  const untilMs = me.process.monotonicMs() + holdMs;
  const isPolite = me.random.below(2) === 0;
  while (me.process.monotonicMs() < untilMs && !work.isOver() && !held.signal.aborted) {
    if (held.yieldSignal.aborted) {
      sometimes("a holder heard that it is asked to hand over");
      if (isPolite) break;
    }
    await me.sleep(20);
  }
  if (me.random.below(3) === 0) held.annotate(`step ${work.nextNumber()}`);
  if (me.random.below(3) === 0) await guardedWrite(held, me, work);
  await me.release(held);
  work.count("ladder: held");
}

/** Takes it and never speaks of it again: its lease runs out, and others wait for the delay. */
async function forget(me: SimClient, work: Work): Promise<void> {
  const lockDelayMs = me.random.below(2) * 400;
  await me.client.call("lock.configure", { name: LOCK, lockDelayMs, maxHoldMs: 0 });
  await me.client.call("lock.acquire", { name: LOCK, ttlMs: 1_000, waitMs: 1_000 });
  work.count("ladder: forgotten");
}

async function ask(lock: Lock, me: SimClient, work: Work): Promise<void> {
  const { waiters } = await lock.inspect();
  const to = waiters[me.random.below(waiters.length + 1)]?.key;
  const graceMs = me.random.below(500);
  await lock.askToYield({ graceMs, reason: "wanted", ...(to === undefined ? {} : { to }) });
  work.count("ladder: asked");
}

/** Some ask again meanwhile, to break it and not: it must not last longer for that. */
async function takeAway(lock: Lock, me: SimClient, work: Work): Promise<void> {
  const { holders } = await lock.inspect();
  const [holder] = holders;
  if (holder === undefined) return;
  const { token, key } = holder;
  const force = me.random.below(3) === 0;
  const signal = abortAfter(me, 10_000);
  const broken = lock.break({ token, reason: "stuck", force, signal });
  if (!force && me.random.below(2) === 0)
    await Promise.allSettled([broken, again(lock, token, me, work)]);
  await broken;
  const { truth } = me.cluster;
  if (truth.holds(key)) truth.fail(`${key} was answered as broken, and holds`);
  work.count(force ? "ladder: broken at once" : "ladder: broken in steps");
}

async function again(lock: Lock, token: number, me: SimClient, work: Work): Promise<void> {
  await me.sleep(me.random.below(300));
  try {
    await lock.askToYield({ graceMs: 5_000 });
    await lock.break({ token, reason: "stuck still", signal: abortAfter(me, 10_000) });
  } catch (error) {
    bear(error, me, work, CHANGED);
  }
}

async function lead(me: SimClient, work: Work): Promise<void> {
  const election = me.client.election(CHIEF);
  const signal = abortAfter(me, 500 + me.random.below(3_000));
  const value = `campaign:${me.name}:${work.nextNumber()}`;
  const leadership = await election.campaign(value, { signal });
  // Where two more stand in line, the second is let go before the first.
  const rivals = me.random.below(2) === 0 ? [stand(me, work), stand(me, work)] : [];
  try {
    await me.sleep(me.random.below(200));
    const { waiters } = await me.client.lock(CHIEF).inspect();
    const isLast = me.random.below(2) === 0;
    const to = (isLast ? waiters.at(-1) : waiters[me.random.below(waiters.length + 1)])?.key;
    await handOver(leadership, to, me, work);
  } finally {
    await Promise.all(rivals);
  }
}

/** Leads when its turn comes, and lets go at once. */
async function stand(me: SimClient, work: Work): Promise<void> {
  const signal = abortAfter(me, 500 + me.random.below(3_000));
  try {
    const value = `rival:${me.name}:${work.nextNumber()}`;
    await me.release(await me.client.election(CHIEF).campaign(value, { signal }));
  } catch (error) {
    bear(error, me, work, CHANGED);
  }
}

async function handOver(
  leadership: Leadership,
  to: string | undefined,
  me: SimClient,
  work: Work,
): Promise<void> {
  const { truth } = me.cluster;
  try {
    await leadership.handOver(to === undefined ? {} : { to });
    if (truth.holds(leadership.key)) truth.fail(`${leadership.key} handed over, and leads`);
    work.count(to === undefined ? "resigned" : "handed over");
    if (to !== undefined) sometimes("a leader handed over to whom it chose");
  } catch (error) {
    bear(error, me, work, CHANGED);
    await leadership.release();
  }
}

async function changeRule(me: SimClient): Promise<void> {
  const [lockDelayMs, maxHoldMs] = [me.random.below(3) * 400, me.random.below(3) * 600];
  await me.client.call("lock.configure", { name: LOCK, lockDelayMs, maxHoldMs });
}
