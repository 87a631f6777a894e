/**
 * Campaigning: pre-vote (thesis section 9.6), then the vote. Called when a timer runs out, when
 * the link to the leader closed, or when the leader asked for it.
 */
import { term } from "../../base/ids.js";
import type { Core } from "../core.js";

/** Asks around first. A node that does not vote does not campaign. */
export function startPreVote(core: Core): void {
  if (!core.mayCampaign) {
    // Its vote may be needed where it is a voter already, and it does not know.
    core.follow(null);
    core.drawTimeout();
    return;
  }
  core.becomePreCandidate();
  for (const { id } of core.tracker.list) {
    if (id !== core.id && core.membership.isVoter(id)) askPreVote(core, id);
  }
  countPreVotes(core);
}

export function askPreVote(core: Core, to: typeof core.id): void {
  core.outbox.push({
    type: "pre-vote",
    from: core.id,
    to,
    term: term(core.term + 1),
    lastIndex: core.log.lastIndex,
    lastTerm: core.log.lastTerm,
  });
}

/** `forced`: the leader asked for it, so nobody need protect that leader. */
export function startVote(core: Core, forced: boolean): void {
  core.becomeCandidate();
  for (const { id } of core.tracker.list) {
    if (id === core.id || !core.membership.isVoter(id)) continue;
    core.deferred.push({
      type: "vote",
      from: core.id,
      to: id,
      term: core.term,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      forced,
    });
  }
}

export function countPreVotes(core: Core): void {
  const verdict = core.votes.verdict(core.membership.voters);
  if (verdict === "won") startVote(core, false);
  else if (verdict === "lost") core.becomeFollower(core.term, null);
}

export function countVotes(core: Core): void {
  const verdict = core.votes.verdict(core.membership.voters);
  if (verdict === "won") core.becomeLeader();
  else if (verdict === "lost") core.becomeFollower(core.term, null);
}
