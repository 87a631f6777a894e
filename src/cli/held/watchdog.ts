/**
 * The watchdog: a process of its own that ends CMD when the hold can no longer be proven, also
 * when `holdfast` itself was killed or stopped. Reads orders (watchdog-protocol.ts) from standard
 * input. The end of that input without a `finished` means that `holdfast` is gone, or that the
 * hold is lost: what is left of CMD is asked to end at once, and killed at its hard deadline.
 */
import { createInterface } from "node:readline";
import { ProcessTree } from "./process-tree.js";
import type { WatchdogOrder } from "./watchdog-protocol.js";

/** How often it looks whether CMD, once asked to, has ended. */
const LOOK_MS = 20;
/** The longest that a timer takes in one piece. */
const LONGEST_MS = 60_000;
/**
 * A process in the kernel's hands may outlive SIGKILL for a moment; then it is no use to try on.
 */
const GIVE_UP_NS = 2_000_000_000n;

let tree: ProcessTree | null = null;
let order: WatchdogOrder = {};
let orphaned = false;
let asked = false;
let timer: NodeJS.Timeout | null = null;

function carryOut(next: WatchdogOrder): void {
  if (next.finished) process.exit(0);
  order = { ...order, ...next };
  const { pid, ownGroup } = order;
  if (tree === null && pid !== undefined)
    tree = new ProcessTree({ pid, ownGroup: ownGroup === true });
  check();
}

function lookAgain(delayMs: number): void {
  if (timer !== null) clearTimeout(timer);
  timer = setTimeout(check, delayMs);
}

function check(): void {
  const { softNs, hardNs } = order;
  if (tree === null || softNs === undefined || hardNs === undefined) {
    if (orphaned) process.exit(0); // CMD was never started
    return;
  }
  const now = process.hrtime.bigint();
  if (!orphaned && now < BigInt(softNs)) {
    const untilMs = Math.ceil(Number(BigInt(softNs) - now) / 1e6);
    lookAgain(Math.min(untilMs, LONGEST_MS));
    return;
  }
  end(tree, now, BigInt(hardNs));
}

function end(target: ProcessTree, now: bigint, hardNs: bigint): void {
  if (now >= hardNs) target.signal("SIGKILL");
  else if (!asked) target.signal("SIGTERM");
  asked = true;
  if ((orphaned && !target.isAlive) || now >= hardNs + GIVE_UP_NS) process.exit(0);
  const untilHardMs = Math.max(Number(hardNs - now) / 1e6, 1);
  lookAgain(Math.min(LOOK_MS, Math.ceil(untilHardMs)));
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
  process.on(signal, () => {}); // it outlives them, as long as CMD does
}
const lines = createInterface({ input: process.stdin });
lines.on("line", line => carryOut(JSON.parse(line) as WatchdogOrder));
lines.on("close", () => {
  orphaned = true;
  check();
});
process.stdout.on("error", () => {}); // nobody listens any more; its stdin tells so, too
process.stdout.write("ready\n");
