/** The leader counts who holds what, and who still follows it. */
import { logIndex } from "../../base/ids.js";
import type { Core } from "../core.js";
import type { AppendReply, HeartbeatReply } from "../message/message.js";
import { reachedByQuorum } from "../quorum/quorum.js";
import { settleRounds } from "../reads/questions.js";
import { nudge } from "./send.js";
import { sendTimeoutNow } from "./transfer.js";

export function onAppendReply(core: Core, message: AppendReply): void {
  if (!core.isLeader) return;
  const progress = core.tracker.find(message.from);
  if (progress === undefined || message.index > core.log.lastIndex) return;
  progress.heard();
  if (message.rejected) {
    // Past the hint the follower's terms are smaller than ours, or it has nothing at all.
    const agreeing = core.log.lastNotPast(message.hintIndex, message.hintTerm);
    progress.refused(message.index, agreeing);
    return;
  }
  const reachesMemory = message.index >= Math.max(core.log.baseIndex, progress.since);
  if (progress.state === "snapshot" && reachesMemory) progress.becomeProbe();
  if (progress.accepted(message.index)) advanceCommit(core);
  if (core.transferee === progress.id) sendTimeoutNow(core);
}

/**
 * Commits what a quorum holds durably, if the last of it is of the leader's own term: an entry of
 * an earlier term can be on a majority and still be overwritten (thesis section 3.6.2).
 */
export function advanceCommit(core: Core): void {
  const reached = reachedByQuorum(core.membership.voters, core.tracker.matchOf);
  if (reached <= core.log.committed || reached > core.log.lastIndex) return;
  if (core.log.termAt(reached) === core.term) core.log.commitTo(logIndex(reached));
}

export function onHeartbeatReply(core: Core, message: HeartbeatReply): void {
  if (!core.isLeader) return;
  const progress = core.tracker.find(message.from);
  if (progress === undefined) return;
  progress.heard();
  progress.paused = false;
  if (message.round > progress.answeredRound && message.round <= core.rounds.newest) {
    progress.answeredRound = message.round;
    settleRounds(core);
  }
  nudge(core, progress);
}
