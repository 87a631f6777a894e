/**
 * How a change of members comes to its end on the leader: it leaves a joint configuration once that
 * is committed, and steps down when it is no voter any more. Called as each Ready is taken.
 */
import type { Core } from "../core.js";
import { encodeConfiguration } from "../message/configuration.js";
import { ENTRY_KIND } from "../message/entry.js";
import { settleRounds } from "../reads/questions.js";
import { bestSuccessor } from "../replication/transfer.js";
import { left } from "./change.js";

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
export function mustStepDown({ isVoter, membership, log, hasCommittedInTerm }: Core): boolean {
  // One that won as no voter has what others lack: that is committed first.
  return !isVoter && membership.currentIndex <= log.committed && hasCommittedInTerm;
}

/** To be called when the commit index has been sent: whoever takes over knows of it, or will. */
export function stepDown(core: Core): void {
  if (!mustStepDown(core)) return;
  // Where writes are under way nobody has acknowledged all of them. What was sent goes before this.
  const to = bestSuccessor(core);
  if (to !== null) core.outbox.push({ type: "timeout-now", from: core.id, to, term: core.term });
  core.becomeFollower(core.term, null);
}
