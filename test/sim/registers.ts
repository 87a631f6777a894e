/** Workloads on the keyspace: registers, which clients contend for, and sequenced keys. */
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
      const before = await work.history.get(me, key, kv.get(key, patience));
      truth.read(key, before, askedAt);
      work.count("read");
      const then = truth.revision;
      if (me.random.below(3) === 0) {
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
        if (history[at - 1]?.revision !== before?.modRevision)
          truth.fail(`${value}: swapped ${String(history[at - 1]?.revision)}, not ${ifRevision}`);
      }
      work.count("written");
    } catch (error) {
      tolerate(error, work, value, me, ["CONDITION_FAILED"]);
    }
    if (me.random.below(4) === 0) await serializableRead(me, work, key);
  }
};

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
