/**
 * A workload: a semaphore, and somebody who changes how many it lets in while it is in use. Who
 * names another number than is allowed is told which one is.
 */
import type { HoldfastError } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { inSomeWay } from "./holders.js";
import { bear, isCode, workUnder } from "./turns.js";
import type { Work, Workload } from "./work.js";

const POOL = "pool";
const RESIZED_ONE_IN = 6;

export const permits: Workload = async (me, work) => {
  let says = 3;
  while (!work.isOver()) {
    try {
      if (me.random.below(RESIZED_ONE_IN) === 0) await resize(me, work);
      const held = await inSomeWay(me.client.semaphore(POOL, { permits: says }), me);
      if (held !== null) await workUnder(held, me, work);
    } catch (error) {
      if (isCode(error, "RULE_MISMATCH")) says = allowed(error);
      bear(error, me, work, ["RULE_MISMATCH"]);
    }
    await me.sleep(me.random.below(100));
  }
};

/** 0: as many as those say who ask. */
async function resize(me: SimClient, work: Work): Promise<void> {
  const number = me.random.below(5);
  await me.client.call("lock.configure", { name: POOL, permits: number });
  work.count("resized");
}

function allowed({ details }: HoldfastError): number {
  const { permits: told } = details.rule as { readonly permits?: number };
  return told ?? 3;
}
