/**
 * More of what clients do (workloads.ts): writes that are large, writes asked again at other nodes
 * while the first may be under way, and a crowd at one lock.
 */

import type { SimClient } from "./client.js";
import {
  ABORTED,
  doubt,
  isTransient,
  pick,
  resultOf,
  TAKING,
  tolerate,
  type Work,
  type Workload,
} from "./work.js";

const BULK_BYTES = [3_000, 20_000, 120_000];

/** Large values, one by one and several in one transaction. */
export const bulks: Workload = async (me, work) => {
  const { truth } = me.cluster;
  const padding = "x".repeat(pick(me, BULK_BYTES));
  while (!work.isOver()) {
    await me.sleep(200 + me.random.below(800));
    const key = pick(me, ["bulk/a", "bulk/b"]);
    const value = `once:${me.name}:${work.nextNumber()}:${padding}`;
    const askedAt = truth.revision;
    let also: string | null = null;
    try {
      if (me.random.below(2) === 0) {
        const { revision } = await me.client.kv.put(key, value);
        truth.acknowledged(key, value, revision, askedAt);
      } else {
        also = `once:${me.name}:${work.nextNumber()}:${padding}`;
        const put = (to: string, what: string) => ({ put: { key: to, value: what } });
        const { revision } = await me.client.kv.txn({
          success: [put(key, value), put(`${key}/also`, also)],
        });
        truth.acknowledged(key, value, revision, askedAt);
        truth.acknowledged(`${key}/also`, also, revision, askedAt);
      }
      work.count("bulk written");
    } catch (error) {
      tolerate(error, work, value, me);
      if (also !== null) doubt(error, also, me);
    }
  }
};

/**
 * One write under an idempotency key, asked of several nodes, of one before another has answered:
 * it takes effect once, and whoever answers it says the same.
 */
export const elsewhere: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    await me.sleep(me.random.below(300));
    const value = `once:${me.name}:${work.nextNumber()}`;
    const call = {
      op: "kv.append" as const,
      params: { prefix: "log", value },
      key: `${me.name}-${work.nextNumber()}`,
    };
    const askedAt = truth.revision;
    const answers = await Promise.all(
      me.cluster.names
        .filter(() => me.random.below(3) > 0)
        .map(async node => {
          await me.sleep(me.random.below(100));
          return askOn(me, work, node, call);
        }),
    );
    const told = answers.flatMap(answer => (typeof answer === "object" ? (answer ?? []) : []));
    const [only] = answers;
    // Asked once, and refused: then it never is.
    if (answers.length === 1 && typeof only === "string") truth.mustNotBe(value, only);
    for (const { key, revision } of told) truth.acknowledged(key, value, revision, askedAt);
    if (new Set(told.map(({ key }) => key)).size > 1)
      truth.fail(`${value} was answered as ${told.map(({ key }) => key).join(" and ")}`);
    if (told.length > 1) work.count("same answer elsewhere");
  }
};

interface Appended {
  readonly key: string;
  readonly revision: number;
}

/**
 * Asks a node, then others, until one says how it went; null: nobody did, or not for sure. A code:
 * the first who was asked refused it.
 */
async function askOn(
  me: SimClient,
  work: Work,
  first: string,
  call: Parameters<SimClient["plainCall"]>[1],
): Promise<Appended | string | null> {
  let node = first;
  for (let tries = 0; tries < 10; tries += 1) {
    const outcome = await me.plainCall(node, call, 100 + me.random.below(3_000));
    resultOf(outcome, work);
    if (outcome?.ok === true) return outcome.result as unknown as Appended;
    if (outcome?.ok === false && !isTransient(outcome))
      return tries === 0 ? outcome.failure.code : null;
    node = pick(me, me.cluster.names);
    await me.sleep(me.random.below(200));
  }
  return null;
}

/** Tasks of one process, all at one lock; some go before it is their turn. */
export const crowds: Workload = async (me, work) => {
  const lock = me.client.lock("lock/crowd");
  const task = async (): Promise<void> => {
    while (!work.isOver()) {
      await me.sleep(me.random.below(200));
      try {
        const leaves = me.random.below(4) === 0;
        const waiting = lock.acquire(leaves ? { waitMs: me.random.below(500) } : {});
        const held = await work.history.acquire(me, lock.name, waiting);
        const forget = me.believe(held);
        work.count("held in a crowd");
        await me.sleep(me.random.below(10));
        await work.history.release(me, held, () => me.release(held)).finally(forget);
      } catch (error) {
        if (error !== ABORTED) tolerate(error, work, null, me, TAKING);
      }
    }
  };
  await Promise.all(Array.from({ length: 2 + me.random.below(10) }, task));
};

export const WRITERS: readonly (readonly [string, Workload])[] = [
  ["bulk", bulks],
  ["elsewhere", elsewhere],
  ["crowd", crowds],
  ["crowd", crowds],
];
