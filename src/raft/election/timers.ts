/** What the passing of ticks does, by role; and what a closed link does to a follower. */
import type { NodeId } from "../../base/ids.js";
import type { Core } from "../core.js";
import { settleRounds } from "../reads/questions.js";
import { broadcastHeartbeat } from "../replication/heartbeat.js";
import { startPreVote } from "./campaign.js";

export function tick(core: Core): void {
  core.electionElapsed += 1;
  if (core.sinceFailover < Number.MAX_SAFE_INTEGER) core.sinceFailover += 1;
  if (core.isLeader) tickLeader(core);
  else tickOther(core);
}

function tickOther(core: Core): void {
  if (core.failoverTicks > 0) core.failoverTicks -= 1;
  // Whose disk is slower than an election would begin a new term before it could win this one.
  if (core.role === "candidate" && core.durableTerm < core.term) core.electionElapsed = 0;
  if (isSoleVoter(core) && core.leader === null) {
    // Nobody to wait for but its own disk. One that hears a leader is left alone by it, who is no
    // voter any more, and waits to be told to take over: what that leader was asked is answered.
    if (core.role !== "candidate") startPreVote(core);
  } else if (core.failoverTicks === 0 || core.electionElapsed >= core.timeoutTicks) {
    startPreVote(core);
  }
  tickForwarding(core);
}

function isSoleVoter(core: Core): boolean {
  const { incoming, outgoing } = core.membership.voters;
  return incoming.length === 1 && incoming[0] === core.id && outgoing.length === 0;
}

function tickForwarding(core: Core): void {
  const { heartbeatTicks, electionTicksMin } = core.options;
  const batch = core.forwarding.tick(heartbeatTicks);
  if (core.forwarding.isOverdue(electionTicksMin)) core.failForwarded();
  else if (batch !== null && core.leader !== null) askLeader(core, core.leader, batch);
}

export function askLeader(core: Core, leader: NodeId, batch: number): void {
  core.outbox.push({ type: "read", from: core.id, to: leader, term: core.term, batch });
}

function tickLeader(core: Core): void {
  for (const progress of core.tracker.list) progress.silentTicks += 1;
  if (core.electionElapsed >= core.options.electionTicksMin) {
    core.electionElapsed = 0;
    if (!checkQuorum(core)) return;
    // Who asked has given up by now, and asks again.
    if (!core.hasCommittedInTerm)
      for (const question of core.rounds.takeReads()) core.refuse(question);
  }
  tickTransfer(core);
  tickSnapshots(core);
  core.heartbeatElapsed += 1;
  if (core.heartbeatElapsed >= core.options.heartbeatTicks) {
    core.heartbeatElapsed = 0;
    if (core.rounds.hasWaiting(core.hasCommittedInTerm)) {
      core.rounds.begin(core.hasCommittedInTerm, core.log.committed);
    }
    broadcastHeartbeat(core);
    // Where nobody else votes no answer will come that does it.
    settleRounds(core);
  }
}

/** Steps down unless a quorum was heard since the last look. False if it did. */
function checkQuorum(core: Core): boolean {
  if (!core.holdsFor(core.tracker.heardOf)) {
    core.becomeFollower(core.term, null);
    return false;
  }
  for (const progress of core.tracker.list) {
    progress.recentlyHeard = progress.id === core.id;
  }
  return true;
}

function tickTransfer(core: Core): void {
  if (core.transferee === null) return;
  core.transferElapsed += 1;
  if (core.transferElapsed >= core.options.electionTicksMin) core.transferee = null;
}

/** A snapshot was delivered but the follower never said that it holds it: ask again. */
function tickSnapshots(core: Core): void {
  for (const progress of core.tracker.list) {
    if (progress.state !== "snapshot" || progress.snapshotTicks === 0) continue;
    progress.snapshotTicks -= 1;
    if (progress.snapshotTicks === 0) progress.becomeProbe();
  }
}

/**
 * The established link to the present leader closed: forget that leader, and try to take its
 * place after a few random ticks, once per election timeout.
 */
export function leaderLost(core: Core): void {
  core.follow(null);
  if (core.sinceFailover < core.options.electionTicksMin || !core.mayCampaign) return;
  core.sinceFailover = 0;
  core.failoverTicks = core.random.below(core.options.failoverTicksMax + 1);
  if (core.failoverTicks === 0) startPreVote(core);
}
