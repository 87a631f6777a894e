/** Answering those who campaign, and counting their answers. */
import type { NodeId, Term } from "../../base/ids.js";
import type { Core } from "../core.js";
import type { PreVote, PreVoteReply, TimeoutNow, Vote, VoteReply } from "../message/message.js";
import { askPreVote, countPreVotes, countVotes, startVote } from "./campaign.js";

export function onPreVote(core: Core, message: PreVote): void {
  const { from, lastIndex, lastTerm } = message;
  const open = message.term > core.term || isFreeFor(core, from);
  // One whose disk stands would let others campaign, and have no vote for them when they do.
  const isSlow = core.durableTerm < core.term;
  const isCovered = core.log.isCoveredBy(lastIndex, lastTerm);
  if (core.hearsLeader || !open || isSlow || !isCovered) {
    replyPreVote(core, from, core.term, false);
    if (!core.hearsLeader && !isCovered) refusedForItsLog(core, from);
    return;
  }
  if (core.role === "pre-candidate") {
    if (!yieldsTo(core, message)) {
      replyPreVote(core, from, core.term, false);
      // The rival campaigns, so it does not hear the leader any more, though it may have when it
      // was asked. Asked again it withdraws; else both would wait for a timeout.
      askPreVote(core, from);
      return;
    }
    // Once: a greater one that reaches nobody else would keep it from winning for ever.
    if (!core.hasWithdrawn) core.becomeFollower(core.term, null);
    core.hasWithdrawn = true;
  }
  core.failoverTicks = -1;
  replyPreVote(core, from, message.term, true);
}

/** That one cannot win without this node's vote, or not at all: then this one has to. */
function refusedForItsLog(core: Core, rival: NodeId): void {
  // Should it stop leading that one will ask again.
  if (core.isLeader) return;
  core.isCountedOn = true;
  // It may have been asked while it still heard the leader.
  if (core.role === "pre-candidate") askPreVote(core, rival);
}

/** Between two pre-candidates the greater (last term, last index, id) goes on. */
function yieldsTo(core: Core, rival: PreVote): boolean {
  if (rival.lastTerm !== core.log.lastTerm) return rival.lastTerm > core.log.lastTerm;
  if (rival.lastIndex !== core.log.lastIndex) return rival.lastIndex > core.log.lastIndex;
  return rival.from > core.id;
}

function isFreeFor(core: Core, candidate: NodeId): boolean {
  return core.votedFor === candidate || (core.votedFor === null && core.leader === null);
}

function replyPreVote(core: Core, to: NodeId, at: Term, granted: boolean): void {
  core.outbox.push({ type: "pre-vote-reply", from: core.id, to, term: at, granted });
}

export function onPreVoteReply(core: Core, message: PreVoteReply): void {
  if (core.role !== "pre-candidate") return;
  const expected = message.granted ? core.term + 1 : core.term;
  if (message.term !== expected) return;
  core.votes.record(message.from, message.granted);
  countPreVotes(core);
}

/** Comes in this node's term: a greater one was adopted before. */
export function onVote(core: Core, message: Vote): void {
  const { from, lastIndex, lastTerm } = message;
  const granted = isFreeFor(core, from) && core.log.isCoveredBy(lastIndex, lastTerm);
  if (granted && core.votedFor === null) {
    core.votedFor = from;
    core.hardStateDirty = true;
    core.failoverTicks = -1;
    core.drawTimeout();
  }
  const reply: VoteReply = {
    type: "vote-reply",
    from: core.id,
    to: from,
    term: core.term,
    granted,
  };
  if (granted) core.deferred.push(reply);
  else core.outbox.push(reply);
}

export function onVoteReply(core: Core, message: VoteReply): void {
  if (core.role !== "candidate") return;
  core.votes.record(message.from, message.granted);
  countVotes(core);
}

export function onTimeoutNow(core: Core, _message: TimeoutNow): void {
  if (core.role === "leader" || core.role === "candidate" || !core.mayCampaign) return;
  startVote(core, true);
}
