/**
 * The leader's part in changes of members: which it takes up, when it leaves a joint configuration,
 * and that it steps down when it is no voter any more. What a change makes of a configuration is
 * change.ts.
 */
import type { LogIndex, NodeId } from "../../base/ids.js";
import type { Core } from "../core.js";
import { encodeConfiguration } from "../message/configuration.js";
import { type Configuration, ENTRY_KIND, isJoint, MEMBER_ROLE } from "../message/entry.js";
import { majorityVerdict } from "../quorum/quorum.js";
import { settleRounds } from "../reads/questions.js";
import { bestSuccessor } from "../replication/transfer.js";
import { type ChangeFlaw, changed, left, type MembershipChange } from "./change.js";

export type ChangeRefusal =
  | ChangeFlaw
  /** Another configuration is not committed yet, or a joint one not left. */
  | "change-pending"
  /** Whom it would promote has not caught up with the log. */
  | "learner-behind"
  /** Too few of those who would vote can be reached. */
  | "would-lose-quorum";

/** The configuration to append next, or why there is none. Nothing is changed. */
export function admitted(core: Core, change: MembershipChange): Configuration | ChangeRefusal {
  if (isChanging(core)) return "change-pending";
  const next = changed(core.membership.current, change, (core.log.lastIndex + 1) as LogIndex);
  if (typeof next === "string") return next;
  for (const id of change.promote ?? []) if (!hasCaughtUp(core, id)) return "learner-behind";
  if (!isJoint(next)) return next;
  const voters = next.members.filter(({ role }) => role === MEMBER_ROLE.voter);
  const ids = voters.map(({ id }) => id);
  return majorityVerdict(ids, id => isLive(core, id)) === "won" ? next : "would-lose-quorum";
}

/** Only a leader that has committed in its term knows what is committed of the changes before it. */
export function isChanging({ membership, log, hasCommittedInTerm }: Core): boolean {
  return !hasCommittedInTerm || membership.currentIndex > log.committed || membership.isJoint;
}

function hasCaughtUp(core: Core, id: NodeId): boolean {
  const progress = core.tracker.find(id);
  if (progress === undefined || progress.state !== "replicate") return false;
  return progress.match + core.options.windowEntries >= core.log.lastIndex;
}

function isLive(core: Core, id: NodeId): boolean {
  if (id === core.id) return true;
  const progress = core.tracker.find(id);
  if (progress === undefined || !progress.reachable) return false;
  return progress.silentTicks < core.options.electionTicksMin;
}

/** The joint configuration in force is committed: the leader may go on to what follows it. */
export function mayLeaveJoint({ membership, log, transferee }: Core): boolean {
  return membership.isJoint && membership.currentIndex <= log.committed && transferee === null;
}

export function leaveJoint(core: Core): void {
  if (!mayLeaveJoint(core)) return;
  core.appendOwn(ENTRY_KIND.configuration, encodeConfiguration(left(core.membership.current)));
  // Whose answer a round still waits for may not count any more.
  settleRounds(core);
}

/** A leader that is no voter leads until that is committed (thesis section 4.2.2). */
export function mustStepDown({ isVoter, membership, log }: Core): boolean {
  return !isVoter && membership.currentIndex <= log.committed;
}

/** To be called when the commit index has been sent: whoever takes over knows of it, or will. */
export function stepDown(core: Core): void {
  if (!mustStepDown(core)) return;
  const to = bestSuccessor(core);
  if (to !== null && core.tracker.matchOf(to) === core.log.lastIndex) {
    core.outbox.push({ type: "timeout-now", from: core.id, to, term: core.term });
  }
  core.becomeFollower(core.term, null);
}
