/** A workload: watches from a past revision or from now; every change must come once, in order. */
import { type Change, HoldfastError } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { sometimes } from "./sometimes.js";
import type { Told } from "./truth.js";
import { ABORTED, endWhen, pick, tolerate, type Workload } from "./work.js";

export const watches: Workload = async (me, work) => {
  const { truth } = me.cluster;
  const prefix = pick(me, ["reg/", "log/", "guarded/", "lock/"]);
  for (;;) {
    const fromNow = me.random.below(3) === 0;
    const from = Math.max(2, truth.revision - me.random.below(30));
    const matching = (told: Told): boolean =>
      told.key.startsWith(prefix) && (fromNow || told.revision >= from);
    let at = 0;
    let known = 0;
    let connections = me.connections;
    /** It goes on from there; what is remembered reaches back farther than that, mostly. */
    let next = fromNow ? truth.revision : from;
    let expected: Told[] = [];
    const refill = (): void => {
      for (; known < truth.changes.length; known += 1) {
        const told = truth.changes[known] as Told;
        if (matching(told)) expected.push(told);
      }
    };
    const controller = new AbortController();
    const options = { prefix, signal: controller.signal };
    const changes = me.client.kv.watch(fromNow ? options : { ...options, from });
    const caughtUp = (): boolean => {
      refill();
      // From when one from now on begins is only known once something has come.
      return at >= expected.length || (fromNow && at === 0);
    };
    const giveUp = endWhen(me, work, caughtUp, () => controller.abort(ABORTED));
    try {
      for await (const change of changes) {
        refill();
        if (fromNow && at === 0 && expected.length > 0) {
          const first = expected.findIndex(told => same(told, change));
          if (first > 0) expected = expected.slice(first);
        }
        const told = expected[at];
        if (told === undefined || !same(told, change))
          truth.fail(
            `${me.name}'s watch of ${prefix} from ${fromNow ? "now" : from}: ` +
              `${describe(change)} came, expected ${told === undefined ? "nothing" : describe(told)}`,
          );
        if (at > 0 && me.connections > connections) sometimes("a watch went on elsewhere");
        connections = me.connections;
        next = change.revision + 1;
        at += 1;
        work.count("watched");
        if (me.random.below(80) === 0) break;
        if (me.random.below(20) === 0) await me.sleep(me.random.below(300));
      }
      giveUp();
    } catch (error) {
      giveUp();
      if (error instanceof HoldfastError && error.code === "HISTORY_GONE")
        mustBeGone(me, prefix, next);
      tolerate(error, work, null, me);
      if (error === ABORTED) return;
    }
    if (work.isOver()) return;
    await me.sleep(me.random.below(100));
  }
};

function mustBeGone({ cluster, name }: SimClient, prefix: string, from: number): void {
  const { historyRevisions } = cluster.settings.stateLimits;
  const { revision } = cluster.truth;
  if (from > revision - historyRevisions + 1)
    cluster.truth.fail(`${name}'s watch of ${prefix}: ${from} is said to be gone at ${revision}`);
}

const same = (told: Told, change: Change): boolean =>
  told.revision === change.revision &&
  told.key === change.key &&
  told.kind === change.kind &&
  (told.kind === "delete" || told.value === change.value);

const describe = (one: Told | Change): string => `${one.kind} ${one.key}@${one.revision}`;
