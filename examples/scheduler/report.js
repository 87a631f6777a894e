/**
 * The job of the scheduler beside this: what one run does. Put your own in its place.
 *
 * This one asks five shops what they sold, a second each, and writes the sum into the cluster.
 */
import { setTimeout as pause } from "node:timers/promises";

const SHOPS = 5;
const shopMs = Number(process.env.SHOP_MS ?? 1_000);

/**
 * @param {object} run
 * @param {import("holdfast-client").Client} run.hf
 * @param {string} run.job
 * @param {number} run.tick What the run is for, in milliseconds since 1970.
 * @param {import("holdfast-client").Claim} run.claim
 * @param {AbortSignal} run.signal Stop at once: the run is not ours any more.
 * @returns {Promise<string>} A note for whoever looks at the run later.
 */
export async function report({ hf, job, tick, claim, signal }) {
  if (!(shopMs > 0)) throw new Error(`SHOP_MS must be a number: ${process.env.SHOP_MS}`);
  let sold = 0;
  for (let shop = 1; shop <= SHOPS; shop += 1) {
    await pause(shopMs, undefined, { signal }); // in place of a question to the shop
    sold += shop;
    claim.annotate(`${shop} of ${SHOPS} shops`); // `holdfast who` shows it
  }
  // A run may happen twice, so it writes under its tick's name, where the second writes the same.
  // And a process that was frozen in here and wakes when another has the run writes nothing:
  // whether the claim stands is decided by the cluster at the write itself. What is not in the
  // cluster is guarded by `claim.token` instead, see docs/guides/fencing.md.
  const name = `reports/${job}/${new Date(tick).toISOString()}`;
  await hf.kv.put(name, `${sold} sold`, { heldBy: claim });
  return `${sold} sold`;
}
