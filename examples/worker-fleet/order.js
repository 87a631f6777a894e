/**
 * Orders a job of the fleet, waits for its result and takes it away.
 *
 *   node examples/worker-fleet/order.js how many words are these
 */
import { connect } from "holdfast-client";
import { JOBS, jobOf } from "./jobs.js";

const hf = connect();
const work = process.argv.slice(2).join(" ");
const { key, revision } = await hf.kv.append(JOBS, JSON.stringify({ work }));
for await (const change of hf.kv.watch({ key, from: revision })) {
  if (change.kind === "delete") break; // somebody else took it away
  const { worker, result } = jobOf(change);
  if (result === undefined) {
    console.error(worker === undefined ? `${key} is ordered` : `${worker} has it`);
    continue;
  }
  console.log(result);
  await hf.kv.delete(key);
  break;
}
await hf.close();
