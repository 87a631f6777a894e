/** Workloads on the keyspace: registers, which clients contend for, and sequenced keys. */
import type { Entry } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { abortAfter, pick, tolerate, type Work, type Workload } from "./work.js";

/** A register by compare-and-swap, plain puts and reads. */
export const registers: Workload = async (me, work) => {
  const { truth } = me.cluster;
  const { kv } = me.client;
  while (!work.isOver()) {
    await me.sleep(me.random.below(60));
    const key = pick(me, ["reg/a", "reg/b", "reg/c"]);
    const value = `once:${me.name}:${work.nextNumber()}`;
    const signal = me.random.below(6) === 0 ? { signal: abortAfter(me, me.random.below(200)) } : {};
    const patience = { timeoutMs: pick(me, [100, 1_000, 10_000]), ...signal };
    const askedAt = truth.revision;
    try {
      const asked = me.random.below(6) === 0 ? listed(me, key) : kv.get(key, patience);
      const before = await work.history.get(me, key, asked);
      truth.read(key, before, askedAt);
      work.count("read");
      const then = truth.revision;
      const how = me.random.below(6);
      if (how === 0 && before !== null) {
        await deleted(me, work, key, before.modRevision, then);
        continue;
      }
      if (how < 2) {
        const put = kv.put(key, value, patience);
        const { revision } = await work.history.put(me, { key, value }, put);
        truth.acknowledged(key, value, revision, then);
      } else {
        const ifRevision = before?.modRevision ?? "absent";
        const swap = { key, expect: before, value };
        const put = kv.put(key, value, { ifRevision, ...patience });
        const { revision } = await work.history.swap(me, swap, put);
        truth.acknowledged(key, value, revision, then);
        const history = truth.history(key);
        const at = history.findIndex(one => one.revision === revision);
        const swapped = history[at - 1];
        const was = swapped?.kind === "put" ? swapped.revision : undefined;
        if (was !== before?.modRevision)
          truth.fail(`${value}: swapped ${String(was)}, not ${ifRevision}`);
      }
      work.count("written");
    } catch (error) {
      tolerate(error, work, value, me, ["CONDITION_FAILED"]);
    }
    if (me.random.below(4) === 0) await serializableRead(me, work, key);
  }
};

/** The key as a list of those that begin as it does knows it. */
async function listed(me: SimClient, key: string): Promise<Entry | null> {
  for await (const entry of me.client.kv.list({ prefix: key })) if (entry.key === key) return entry;
  return null;
}

/** Deletes the key if it is as it was seen. */
async function deleted(
  me: SimClient,
  work: Work,
  key: string,
  ifRevision: number,
  askedAt: number,
): Promise<void> {
  const { truth } = me.cluster;
  const asked = me.client.kv.delete(key, { ifRevision });
  const isDeleted = await work.history.delete(me, key, asked);
  const history = truth.history(key);
  const at = history.findIndex(one => one.revision === ifRevision);
  const next = history[at + 1];
  const isThere = next?.kind === "delete" && next.revision > askedAt;
  if (!isDeleted || !isThere) truth.fail(`${key}@${ifRevision} was said to be deleted, and is not`);
  work.count("deleted");
}

async function serializableRead(me: SimClient, work: Work, key: string): Promise<void> {
  try {
    const found = await me.client.kv.get(key, { consistency: "serializable" });
    me.cluster.truth.read(key, found, 0);
  } catch (error) {
    tolerate(error, work, null, me);
  }
}

/** Sequenced keys, several at once, in the order of the calls. */
export const appends: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    await me.sleep(me.random.below(150));
    const askedAt = truth.revision;
    const many = 1 + me.random.below(4);
    const patience = { timeoutMs: pick(me, [150, 2_000, 10_000]) };
    await Promise.all(
      Array.from({ length: many }, async () => {
        // Some fill several sectors of a disk and messages of their own.
        const padding = me.random.below(4) === 0 ? `:${"x".repeat(me.random.below(3_000))}` : "";
        const value = `once:${me.name}:${work.nextNumber()}${padding}`;
        try {
          const { key, revision } = await me.client.kv.append("log", value, patience);
          truth.acknowledged(key, value, revision, askedAt);
          work.count("appended");
        } catch (error) {
          tolerate(error, work, value, me);
        }
      }),
    );
  }
};
