/**
 * A workload: runs of jobs that several claim. One has each at a time; who is done ends it for
 * ever; who leaves it, or dies, lets others have it, or nobody. Which runs are over is held against
 * the log (runs-of-jobs.ts); here is what claimants are told.
 */
import type { ErrorCode } from "holdfast-protocol";
import type { Claim } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { bear } from "./turns.js";
import { pick, type Work, type Workload } from "./work.js";

const RUN_EVERY_MS = 700;
/** To who comes to finish what is over. */
const OVER: readonly ErrorCode[] = ["SLOT_CLOSED", "NO_SUCH_GRANT"];
const JOBS = [
  { job: "job/again", onAbandon: "reclaim" },
  { job: "job/once", onAbandon: "close" },
] as const;

export const slots: Workload = async (me, work) => {
  while (!work.isOver()) {
    const { job, onAbandon } = pick(me, JOBS);
    // The present run, or one of those before.
    const newest = Math.floor(me.cluster.nowMs / RUN_EVERY_MS);
    const slot = Math.max(0, newest - me.random.below(4));
    try {
      const claim = await me.client.schedule(job, { onAbandon }).claim(slot);
      if (claim !== null) await run(claim, `${job} ${slot}`, me, work);
    } catch (error) {
      bear(error, me, work, OVER);
    }
    await me.sleep(me.random.below(200));
  }
};

async function run(claim: Claim, name: string, me: SimClient, work: Work): Promise<void> {
  const { truth } = me.cluster;
  const forget = me.believe(claim);
  const what = me.random.below(4);
  try {
    await me.sleep(me.random.below(300));
    forget();
    if (what === 0) {
      await claim.release();
      work.count("run abandoned");
      return;
    }
    await (what === 1 ? claim.fail("no disk") : claim.done("all of it"));
    const outcome = truth.outcomeOf(name);
    if (outcome !== (what === 1 ? "failed" : "done"))
      truth.fail(`${name} was finished, and is ${outcome ?? "open"}`);
    work.count("run finished");
  } finally {
    forget();
  }
}
