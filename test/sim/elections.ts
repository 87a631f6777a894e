/** Workloads of an election: those who stand for it, and those who look on. */
import type { Leader } from "../../clients/typescript/core/index.js";
import type { Grant } from "../../src/state/index.js";
import type { SimClient } from "./client.js";
import { ABORTED, abortAfter, endWhen, TAKING, tolerate, type Workload } from "./work.js";

const BOSS = "boss";

/** Stands for election, proclaims, resigns. */
export const elections: Workload = async (me, work) => {
  const election = me.client.election(BOSS);
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
        await leadership
          .proclaim(value)
          .catch(error => tolerate(error, work, value, me, ["NOT_HELD"]));
        await work.history.resign(me, leadership, () => me.release(leadership));
      } finally {
        forget();
      }
      if (me.random.below(3) === 0) await work.history.leader(me, election.name, election.leader());
    } catch (error) {
      tolerate(error, work, null, me, TAKING);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Sees every leader once, in order. */
export const observers: Workload = async (me, work) => {
  while (!work.isOver()) {
    const controller = new AbortController();
    const observation = new Observation(me);
    const isDone = (): boolean => observation.isCaughtUp;
    const giveUp = endWhen(me, work, isDone, () => controller.abort(ABORTED));
    try {
      const { signal } = controller;
      for await (const leader of me.client.election(BOSS).observe({ signal })) {
        observation.came(leader);
        work.count("observed");
      }
    } catch (error) {
      tolerate(error, work, null, me, ["HISTORY_GONE"]);
    } finally {
      giveUp();
    }
    await me.sleep(me.random.below(100));
  }
};

/** What one observer is told, held against who led. */
class Observation {
  readonly #me: SimClient;
  /** The reign that was the newest when it was asked for; all by their number. */
  readonly #newestThen: number;
  /** The newest when the first word came: each after it is to be told. */
  #newestAtFirst: number | null = null;
  #reign = -1;
  #valueAt = -1;
  /** Who leads, by what was told last; null: nobody. */
  #present: string | null = null;

  constructor(me: SimClient) {
    this.#me = me;
    this.#newestThen = this.#reigns.length - 1;
  }

  came(leader: Leader | null): void {
    this.#newestAtFirst ??= this.#reigns.length - 1;
    this.#present = leader?.key ?? null;
    if (leader === null) return;
    const { cluster, name } = this.#me;
    const { key, token, value } = leader;
    const before = this.#reign;
    const at = this.#reigns.findIndex(grant => grant.token === token && grant.key === key);
    if (at < 0) cluster.truth.fail(`${name} observes ${key}, who never led`);
    if (before < 0 && at < this.#newestThen)
      cluster.truth.fail(`${name} observes ${key} first, who had been followed`);
    if (before < 0 && at > this.#newestAtFirst + 1)
      cluster.truth.fail(`${name} observes ${key} first, who was not the next`);
    if (before >= 0 && at !== before && at !== before + 1)
      cluster.truth.fail(`${name} observes ${key} after ${this.#reigns[before]?.key}`);
    const valueAt = cluster.truth
      .history(key)
      .findIndex(told => told.kind === "put" && told.value === value);
    if (valueAt < 0) cluster.truth.fail(`${name} observes ${value}, which ${key} never said`);
    if (at === before && valueAt < this.#valueAt)
      cluster.truth.fail(`${name} observes ${value} of ${key} after what came later`);
    this.#reign = at;
    this.#valueAt = valueAt;
  }

  /** It stands, knows who leads, and has missed no reign that began since its first word. */
  get isCaughtUp(): boolean {
    if (this.#newestAtFirst === null) return false;
    if (this.#present !== this.#me.cluster.truth.holder(BOSS)) return false;
    const newest = this.#reigns.length - 1;
    return newest <= this.#newestAtFirst || newest === this.#reign;
  }

  get #reigns(): readonly Grant[] {
    return this.#me.cluster.truth.grantsOf(BOSS);
  }
}
