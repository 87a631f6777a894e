/**
 * A workload: holders that stand still, or whose machine sleeps, just after they have asked for
 * their lease to be kept. The answer waits for them; when they wake it is old, and others may hold.
 */
import type { SimClient } from "./client.js";
import { TAKING, tolerate, type Workload } from "./work.js";

/** In the client's own time; keep-alives come more often. */
const LISTEN_MS = 1_500;
const LOOK_MS = 2;

export const sleepers: Workload = async (me, work) => {
  const lock = me.client.lock("lock/s");
  while (!work.isOver()) {
    try {
      const held = await lock.acquire({ waitMs: 4_000 });
      const forget = me.believe(held);
      try {
        await afterNextFrame(me);
        await standStill(me, 500 + me.random.below(4_000), me.random.below(2) === 0);
        work.count("woke up");
        await me.release(held);
      } finally {
        forget();
      }
    } catch (error) {
      tolerate(error, work, null, me, TAKING);
    }
    await me.sleep(me.random.below(100));
  }
};

async function afterNextFrame(me: SimClient): Promise<void> {
  const before = me.framesSent;
  for (let ms = 0; ms < LISTEN_MS && me.framesSent === before; ms += LOOK_MS)
    await me.sleep(LOOK_MS);
}

/** And works on for a little when it wakes. `sleeps`: its monotonic clock will not know. */
export async function standStill(me: SimClient, ms: number, sleeps: boolean): Promise<void> {
  me.cluster.note(`${me.name} ${sleeps ? "sleeps" : "stands still"} for ${ms}`);
  me.process.pause();
  me.cluster.loop.after(ms, () => {
    if (sleeps) me.process.sleptFor(ms);
    me.process.resume();
  });
  await me.sleep((sleeps ? 0 : ms) + 20 + me.random.below(300));
}
