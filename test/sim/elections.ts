/** Workloads of an election: those who stand for it, and those who look on. */
import { ABORTED, abortAfter, endWhen, tolerate, type Workload } from "./work.js";

/** Stands for election, proclaims, resigns. */
export const elections: Workload = async (me, work) => {
  const election = me.client.election("boss");
  while (!work.isOver()) {
    try {
      const signal = abortAfter(me, 500 + me.random.below(4_000));
      const campaign = { key: election.name, value: `campaign:${me.name}:${work.nextNumber()}` };
      const standing = election.campaign(campaign.value, { signal });
      const leadership = await work.history.lead(me, campaign, standing);
      const forget = me.believe(leadership);
      work.count("elected");
      try {
        await me.sleep(me.random.below(200));
        const value = `once:${me.name}:${work.nextNumber()}`;
        await leadership.proclaim(value).catch(error => tolerate(error, work, value, me));
        await work.history.resign(me, leadership, () => me.release(leadership));
      } finally {
        forget();
      }
    } catch (error) {
      tolerate(error, work, null, me);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Sees every leader once, in order. */
export const observers: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    const controller = new AbortController();
    const giveUp = endWhen(
      me,
      work,
      () => true,
      () => controller.abort(ABORTED),
    );
    let token = 0;
    try {
      for await (const leader of me.client
        .election("boss")
        .observe({ signal: controller.signal })) {
        if (leader === null) continue;
        const reigns = truth.grants.filter(grant => grant.name === "boss");
        const at = reigns.findIndex(grant => grant.token === leader.token);
        const before = reigns.findIndex(grant => grant.token === token);
        if (at < 0) truth.fail(`${me.name} observes ${leader.key}, who never led`);
        if (token > 0 && at !== before && at !== before + 1)
          truth.fail(`${me.name} observes ${leader.key} after token ${token}`);
        token = leader.token;
        work.count("observed");
      }
      giveUp();
    } catch (error) {
      giveUp();
      tolerate(error, work, null, me);
    }
    await me.sleep(me.random.below(100));
  }
};
