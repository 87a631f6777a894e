/** Handing leadership over: the successor is brought up to date, then told to campaign at once. */
import type { NodeId } from "../../base/ids.js";
import type { Core } from "../core.js";

/** The reachable voter that holds most of the log; the smallest id among equals. Null: none. */
export function bestSuccessor(core: Core): NodeId | null {
  let best: NodeId | null = null;
  let bestMatch = -1;
  for (const progress of core.tracker.list) {
    if (progress.id === core.id || !progress.reachable) continue;
    if (progress.silentTicks >= core.options.electionTicksMin) continue;
    if (!core.membership.voters.incoming.includes(progress.id)) continue;
    if (progress.match > bestMatch) {
      best = progress.id;
      bestMatch = progress.match;
    }
  }
  return best;
}

export function startTransfer(core: Core, to: NodeId): void {
  core.transferee = to;
  core.transferElapsed = 0;
  core.transferSent = false;
  sendTimeoutNow(core);
}

/** Once, when the successor holds the whole log. */
export function sendTimeoutNow(core: Core): void {
  const to = core.transferee;
  if (to === null || core.transferSent) return;
  if (core.tracker.matchOf(to) !== core.log.lastIndex) return;
  core.transferSent = true;
  core.outbox.push({ type: "timeout-now", from: core.id, to, term: core.term });
}
