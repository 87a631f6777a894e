/** Reads and confirmations: asked, carried by rounds, settled. */
import type { Core } from "../core.js";
import type { Read, ReadReply } from "../message/message.js";
import { reachedByQuorum } from "../quorum/quorum.js";
import { broadcastHeartbeat } from "../replication/heartbeat.js";

/** Begins a round if one is worth beginning, in the turn's last moment. */
export function startRound(core: Core): void {
  const { rounds } = core;
  if (rounds.hasOpen || !rounds.hasWaiting(core.hasCommittedInTerm)) return;
  rounds.begin(core.hasCommittedInTerm, core.log.committed);
  broadcastHeartbeat(core);
  settleRounds(core);
}

export function settleRounds(core: Core): void {
  const { rounds, tracker } = core;
  if (!rounds.hasOpen) return;
  const own = tracker.find(core.id);
  if (own !== undefined) own.answeredRound = rounds.newest;
  const reached = reachedByQuorum(core.membership.voters, tracker.roundOf);
  for (const { index, questions } of rounds.settle(reached)) {
    for (const { kind, context, from } of questions) {
      if (kind === "forwarded") {
        core.replyRead(from, context, index);
      } else {
        const list = kind === "read" ? core.reads : core.confirmations;
        list.push({ context, confirmed: true, term: core.term, index });
      }
    }
  }
}

/** A follower asks for all reads that wait there. */
export function onRead(core: Core, message: Read): void {
  if (core.isLeader) {
    core.rounds.ask({ kind: "forwarded", context: message.batch, from: message.from });
  } else {
    core.replyRead(message.from, message.batch, null);
  }
}

export function onReadReply(core: Core, message: ReadReply): void {
  if (core.isLeader || message.from !== core.leader) return;
  const { confirmed, index } = message;
  for (const context of core.forwarding.answered(message.batch)) {
    if (confirmed) core.reads.push({ context, confirmed, term: core.term, index });
    else core.failRead(context);
  }
}
