/** Makes a Ready of what has come up: the last moment of a turn, when everything is put together. */
import type { Core } from "./core.js";
import { askLeader } from "./election/timers.js";
import { leaveJoint, mayLeaveJoint, mustStepDown, stepDown } from "./membership/leaving.js";
import { startRound } from "./reads/questions.js";
import type { Leadership, Ready } from "./ready.js";
import { accepts } from "./replication/follow.js";
import { hasToSend, sendToFollowers } from "./replication/send.js";

export function isReady(core: Core, told: Leadership): boolean {
  const { log } = core;
  return (
    core.outbox.length > 0 ||
    core.deferred.length > 0 ||
    core.hardStateDirty ||
    core.cutFrom !== null ||
    core.installed !== null ||
    core.acknowledge !== null ||
    core.reads.length > 0 ||
    core.confirmations.length > 0 ||
    core.snapshotRequests.length > 0 ||
    log.handedToStorage < log.lastIndex ||
    log.handedOut < log.committed ||
    told.term !== core.term ||
    told.leader !== core.leader ||
    wantsToSpeak(core)
  );
}

function wantsToSpeak(core: Core): boolean {
  if (!core.isLeader) return core.forwarding.hasNext;
  const { rounds } = core;
  return (
    (!rounds.hasOpen && rounds.hasWaiting(core.hasCommittedInTerm)) ||
    hasToSend(core) ||
    mayLeaveJoint(core) ||
    mustStepDown(core)
  );
}

export function takeReady(core: Core, told: Leadership): Ready {
  if (core.isLeader) {
    leaveJoint(core);
    startRound(core);
    sendToFollowers(core);
    stepDown(core);
  } else {
    speakToLeader(core);
  }
  const { log, term, leader } = core;
  const hardState = core.hardStateDirty ? { term, votedFor: core.votedFor } : null;
  const { installed: snapshot, cutFrom } = core;
  const entries = log.takeForStorage();
  const changed = told.term !== term || told.leader !== leader;
  const ready: Ready = {
    term,
    lastIndex: log.lastIndex,
    mustPersist: hardState !== null || snapshot !== null || cutFrom !== null || entries.length > 0,
    snapshot,
    hardState,
    cutFrom,
    entries,
    messages: taken(core.outbox),
    messagesAfterPersist: taken(core.deferred),
    committed: log.takeCommitted(core.options.committedBytes),
    snapshotRequests: taken(core.snapshotRequests),
    reads: taken(core.reads),
    confirmations: taken(core.confirmations),
    leadership: changed ? { term, leader } : null,
  };
  handedOver(core);
  return ready;
}

/** A list that goes with the Ready. An empty one stays behind, to be filled later. */
function taken<T>(list: readonly T[]): readonly T[] {
  return list.length > 0 ? list : NOTHING;
}

const NOTHING: readonly never[] = [];

/** Filled lists went with the Ready. */
function handedOver(core: Core): void {
  core.hardStateDirty = false;
  core.installed = null;
  core.cutFrom = null;
  if (core.outbox.length > 0) core.outbox = [];
  if (core.deferred.length > 0) core.deferred = [];
  if (core.snapshotRequests.length > 0) core.snapshotRequests = [];
  if (core.reads.length > 0) core.reads = [];
  if (core.confirmations.length > 0) core.confirmations = [];
}

/** A follower's acknowledgement of this turn's appends, and its reads. */
function speakToLeader(core: Core): void {
  const { leader, acknowledge } = core;
  core.acknowledge = null;
  if (leader === null) {
    core.failForwarded();
    return;
  }
  if (acknowledge !== null) core.deferred.push(accepts(core, leader, acknowledge));
  const batch = core.forwarding.next();
  if (batch !== null) askLeader(core, leader, batch);
}
