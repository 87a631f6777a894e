/**
 * The watchdog: a process of its own that ends CMD when the hold can no longer be proven, also when
 * `holdfast` itself was killed or stopped. Reads orders (watchdog-protocol.ts) from standard input.
 * The end of that input without a `finished` means that `holdfast` is gone: CMD is asked to end at
 * once, and killed at its hard deadline.
 */
import { createInterface } from "node:readline";
import { signalTree } from "./process-tree.js";
import type { WatchdogOrder } from "./watchdog-protocol.js";

const CHECK_MS = 10;

let pid: number | null = null;
let ownGroup = false;
let softNs: bigint | null = null;
let hardNs: bigint | null = null;
let orphaned = false;
let asked = false;

function carryOut(order: WatchdogOrder): void {
  if (order.finished) process.exit(0);
  if (order.pid !== undefined) pid = order.pid;
  if (order.ownGroup !== undefined) ownGroup = order.ownGroup;
  if (order.softNs !== undefined) softNs = BigInt(order.softNs);
  if (order.hardNs !== undefined) hardNs = BigInt(order.hardNs);
}

function check(): void {
  if (pid === null) {
    if (orphaned) process.exit(0);
    return;
  }
  const now = process.hrtime.bigint();
  const target = { pid, ownGroup };
  if (hardNs !== null && now >= hardNs) {
    signalTree(target, "SIGKILL");
    // Once more on the next look, for what was being started just now; then nothing is left.
    if (!signalTree(target, "SIGKILL")) process.exit(0);
    return;
  }
  if (orphaned || (softNs !== null && now >= softNs)) {
    if (!asked) signalTree(target, "SIGTERM");
    asked = true;
    if (orphaned && !isAlive(ownGroup ? -pid : pid)) process.exit(0);
  }
}

function isAlive(one: number): boolean {
  try {
    process.kill(one, 0);
    return true;
  } catch {
    return false;
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
  process.on(signal, () => {}); // it outlives them, as long as CMD does
}
const lines = createInterface({ input: process.stdin });
lines.on("line", line => carryOut(JSON.parse(line) as WatchdogOrder));
lines.on("close", () => {
  orphaned = true;
});
setInterval(check, CHECK_MS);
