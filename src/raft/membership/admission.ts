/**
 * Which changes of members a leader takes up. What a change makes of a configuration is change.ts,
 * how it comes to its end leaving.ts.
 */
import type { LogIndex, NodeId } from "../../base/ids.js";
import type { Core } from "../core.js";
import { type Configuration, isJoint, MEMBER_ROLE } from "../message/entry.js";
import { majorityVerdict } from "../quorum/quorum.js";
import { type ChangeFlaw, changed, type MembershipChange } from "./change.js";

export type ChangeRefusal =
  | ChangeFlaw
  /** Another configuration is not committed yet, or a joint one not left. */
  | "change-pending"
  /** Whom it would promote has not caught up with the log. */
  | "learner-behind"
  /** Too few of those who would vote can be reached, or hold the log. */
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
  // Who answers but takes a snapshot just now would hold up every write until it is done.
  const counts = (id: NodeId): boolean =>
    id === core.id || (isLive(core, id) && hasCaughtUp(core, id));
  return majorityVerdict(ids, counts) === "won" ? next : "would-lose-quorum";
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
  const progress = core.tracker.find(id);
  if (progress === undefined || !progress.reachable) return false;
  return progress.silentTicks < core.options.electionTicksMin;
}
