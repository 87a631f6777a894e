/** Heartbeats: the leader's sign of life, which carries the commit index and the read round. */
import type { Core } from "../core.js";
import type { Commit, Heartbeat } from "../message/message.js";

export function broadcastHeartbeat(core: Core): void {
  const { committed } = core.log;
  const commitTerm = core.log.termAt(committed) ?? core.log.baseTerm;
  for (const progress of core.tracker.list) {
    if (progress.id === core.id) continue;
    core.outbox.push({
      type: "heartbeat",
      from: core.id,
      to: progress.id,
      term: core.term,
      commit: committed,
      commitTerm,
      round: core.rounds.newest,
      held: progress.match,
    });
    if (progress.state === "replicate" && committed < progress.next) {
      progress.sentCommit = committed;
    }
  }
}

/** Follower. */
export function onHeartbeat(core: Core, message: Heartbeat): void {
  commitAsTold(core, message);
  core.outbox.push({
    type: "heartbeat-reply",
    from: core.id,
    to: message.from,
    term: core.term,
    round: message.round,
  });
}

/** Follower: a log that holds the very entry the leader names equals the leader's up to there. */
export function commitAsTold(core: Core, message: Heartbeat | Commit): void {
  const { commit, commitTerm } = message;
  if (commit > core.log.committed && core.log.termAt(commit) === commitTerm) {
    core.log.commitTo(commit);
  }
}
