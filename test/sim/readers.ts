/** A workload: readers and writers of few names; who reads stands beside others, who writes alone. */
import { inSomeWay } from "./holders.js";
import { bear, workUnder } from "./turns.js";
import { pick, type Workload } from "./work.js";

const NAMES = ["rw/a", "rw/b"];

export const readers: Workload = async (me, work) => {
  while (!work.isOver()) {
    const mode = me.random.below(3) > 0 ? "shared" : "exclusive";
    try {
      const held = await inSomeWay(me.client.lock(pick(me, NAMES), { mode }), me);
      if (held !== null) {
        work.count(mode === "shared" ? "read" : "wrote alone");
        await workUnder(held, me, work);
      }
    } catch (error) {
      bear(error, me, work);
    }
    await me.sleep(me.random.below(100));
  }
};
