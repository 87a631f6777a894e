/**
 * A process that runs one seed after the other as it is told, with a bug planted in its own copy of
 * the product or none. The pool starts it and ends it; it shares nothing with other workers.
 */
import { register } from "node:module";
import { MessageChannel } from "node:worker_threads";
import type { Overrides } from "../script.js";
import type { Change, HookData } from "./hooks.js";

export interface Task {
  readonly seed: number;
  readonly overrides?: Overrides;
  /** Run it again and compare. */
  readonly twice?: boolean;
}

const change = JSON.parse(process.argv[2] ?? "null") as Change | null;
const { port1, port2 } = new MessageChannel();
let planted = change === null;
port1.on("message", () => {
  planted = true;
});
port1.unref();
register<HookData>("./hooks.js", import.meta.url, {
  data: { change, port: port2 },
  transferList: [port2],
});
const { runSeed } = await import("../run.js");
// The message of the hooks' thread may take a moment.
for (let tries = 0; !planted && tries < 200; tries += 1)
  await new Promise(resolve => setTimeout(resolve, 10));
if (!planted) throw new Error(`${change?.file} is not part of the simulator: nothing was planted`);

process.on("message", (task: Task) => {
  run(task).then(
    verdict => process.send?.(verdict),
    (error: unknown) => {
      console.error(error);
      process.exit(70);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");

async function run({ seed, overrides = {}, twice = false }: Task) {
  const verdict = await runSeed(seed, { overrides });
  if (!twice || verdict.violation !== null) return verdict;
  const again = await runSeed(seed, { overrides });
  if (again.digest === verdict.digest)
    return { ...verdict, events: 2 * verdict.events, cpuMs: verdict.cpuMs + again.cpuMs };
  const what = `run twice, seed ${seed} went two ways`;
  return { ...verdict, violation: { kind: "run twice, went two ways", what, details: what } };
}
