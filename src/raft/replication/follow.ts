/** A follower takes what the leader sends: entries, and snapshots that have been received whole. */
import { type LogIndex, logIndex, type NodeId } from "../../base/ids.js";
import type { Core } from "../core.js";
import type { Append, AppendReply, Snapshot } from "../message/message.js";

export function onAppend(core: Core, message: Append): void {
  const { log } = core;
  const { previousIndex, entries } = message;
  const last = logIndex(previousIndex + entries.length);
  if (last <= log.committed) {
    // Nothing new, and perhaps older than what is in memory: what is committed agrees for sure.
    acknowledge(core, log.committed);
    return;
  }
  if (previousIndex > log.committed && log.termAt(previousIndex) !== message.previousTerm) {
    refuse(core, message);
    return;
  }
  for (const entry of entries) {
    if (entry.index <= log.committed) continue;
    const present = log.termAt(entry.index);
    if (present === entry.term) continue;
    if (present !== null) core.cutLog(entry.index);
    core.append(entry);
  }
  if (message.commit > log.committed) log.commitTo(logIndex(Math.min(message.commit, last)));
  acknowledge(core, last);
}

/** One answer per turn, for the furthest; it leaves when all of that is durable. */
function acknowledge(core: Core, index: LogIndex): void {
  if (core.acknowledge === null || index > core.acknowledge) core.acknowledge = index;
}

/** Says how far the logs may still agree, so that the leader skips a whole term at a time. */
function refuse(core: Core, message: Append): void {
  const hintIndex = core.log.lastNotPast(message.previousIndex, message.previousTerm);
  core.outbox.push({
    type: "append-reply",
    from: core.id,
    to: message.from,
    term: core.term,
    index: message.previousIndex,
    rejected: true,
    hintIndex,
    hintTerm: core.log.termAt(hintIndex) ?? core.log.baseTerm,
  });
}

/**
 * A snapshot that is durable here. What it holds was committed, so it is welcome whatever the
 * term it was sent in. It does not say who leads.
 */
export function onSnapshot(core: Core, message: Snapshot): void {
  const { metadata } = message;
  const { index, term } = metadata;
  if (index > core.log.committed) {
    if (core.log.termAt(index) === term) {
      core.log.commitTo(index);
    } else {
      // A leader that lacks what is committed was deposed and does not know. A candidate's
      // completions under way speak of the log as it was, so it must not win this term.
      if (core.role !== "follower") core.becomeFollower(core.term, null);
      core.log.restore(index, term);
      core.membership.restore(index, metadata.configuration);
      core.membershipChanged();
      core.cutFrom = null;
      core.installed = metadata;
    }
  }
  // Whoever sent it may still lead; this node may not have heard of a leader since it started.
  const to = core.leader ?? message.from;
  if (to !== core.id) core.deferred.push(accepts(core, to, core.log.committed));
}

/** "I hold your log up to `index`", to be sent when that is durable. */
export function accepts(core: Core, to: NodeId, index: LogIndex): AppendReply {
  return {
    type: "append-reply",
    from: core.id,
    to,
    term: core.term,
    index,
    rejected: false,
    hintIndex: index,
    hintTerm: core.log.lastTerm,
  };
}
