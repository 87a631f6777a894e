/**
 * A workload: somebody else who knows a grant's key releases it, while the holder's lease lives on.
 * The holder must be told, over the connection it has or when it comes back: it waits for that, and
 * nothing in its own clock would ever end the waiting.
 */
import type { Held } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { sometimes } from "./sometimes.js";
import { pick, resultOf, TAKING, tolerate, type Work, type Workload } from "./work.js";

const LOOK_MS = 20;
const TRIES = 20;

export const strangers: Workload = async (me, work) => {
  const lock = me.client.lock("lock/given");
  while (!work.isOver()) {
    try {
      const held = await lock.acquire({ waitMs: 4_000 });
      await me.sleep(me.random.below(200));
      if (await releasedBySomebody(me, held, work)) await isTold(me, held, work);
      await held.release();
    } catch (error) {
      tolerate(error, work, null, me, TAKING);
    }
    await me.sleep(me.random.below(200));
  }
};

async function releasedBySomebody(me: SimClient, held: Held, work: Work): Promise<boolean> {
  const release = { op: "lock.release" as const, params: { key: held.key } };
  for (let tries = 0; tries < TRIES; tries += 1) {
    const outcome = await me.plainCall(pick(me, me.cluster.names), release, 5_000);
    if (outcome?.ok === true) return true;
    resultOf(outcome, work);
    if (held.signal.aborted) return false;
    await me.sleep(me.random.below(100));
  }
  return false;
}

async function isTold(me: SimClient, held: Held, work: Work): Promise<void> {
  while (!held.signal.aborted) await me.sleep(LOOK_MS);
  work.count("told that another ended it");
  sometimes("a holder was told that another ended its grant");
}
