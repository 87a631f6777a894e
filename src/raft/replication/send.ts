/**
 * What the leader sends to its followers, composed once per turn when the Ready is taken, so that
 * everything that came in the turn goes out together.
 */
import { type LogIndex, logIndex } from "../../base/ids.js";
import type { Core } from "../core.js";
import type { Entry } from "../message/entry.js";
import type { Progress } from "../progress/progress.js";

/** Brings every follower up to date as far as its window allows. */
export function sendToFollowers(core: Core): void {
  for (const progress of core.tracker.list) {
    if (progress.id === core.id) continue;
    if (progress.state !== "snapshot") sendEntries(core, progress);
    sendCommit(core, progress);
  }
}

/** True if {@link sendToFollowers} would send something. */
export function hasToSend(core: Core): boolean {
  for (const progress of core.tracker.list) {
    if (progress.id === core.id) continue;
    if (progress.state !== "snapshot" && maySend(core, progress)) return true;
    if (owesCommit(core, progress)) return true;
  }
  return false;
}

function maySend(core: Core, progress: Progress): boolean {
  if (progress.state === "probe") return !progress.paused && progress.reachable;
  const { windowEntries, windowBytes } = core.options;
  return (
    progress.next <= core.log.lastIndex &&
    progress.inFlight < windowEntries &&
    core.log.bytesBetween(progress.match, logIndex(progress.next - 1)) < windowBytes
  );
}

function sendEntries(core: Core, progress: Progress): void {
  while (maySend(core, progress)) {
    if (progress.next <= Math.max(core.log.baseIndex, progress.since)) {
      requestSnapshot(core, progress);
      return;
    }
    const { lastIndex } = core.log;
    const window = progress.match + core.options.windowEntries;
    const to = progress.state === "replicate" ? Math.min(lastIndex, window) : lastIndex;
    const entries = core.log.slice(progress.next, to, core.options.messageBytes);
    sendAppend(core, progress, entries);
    progress.sent(entries.length);
  }
}

function sendAppend(core: Core, progress: Progress, entries: readonly Entry[]): void {
  const previousIndex = logIndex(progress.next - 1);
  const { committed } = core.log;
  core.outbox.push({
    type: "append",
    from: core.id,
    to: progress.id,
    term: core.term,
    previousIndex,
    previousTerm: core.log.termAt(previousIndex) ?? core.log.baseTerm,
    commit: committed,
    entries,
  });
  if (progress.state !== "replicate") return;
  const known = logIndex(Math.min(committed, previousIndex + entries.length));
  if (known > progress.sentCommit) progress.sentCommit = known;
}

/**
 * Leader: the oldest entry that a follower still has to get, 1 for one to whom a snapshot is on its
 * way; past the last if there is none. Who is silent gets a snapshot when it is back.
 */
export function wantedFrom(core: Core): LogIndex {
  let oldest = logIndex(core.log.lastIndex + 1);
  if (!core.isLeader) return oldest;
  for (const { id, state, match, silentTicks } of core.tracker.list) {
    if (id === core.id) continue;
    if (state === "snapshot") return logIndex(1);
    const isHeard = match > 0 && silentTicks < core.options.electionTicksMin;
    if (isHeard && match < oldest) oldest = logIndex(match + 1);
  }
  return oldest;
}

function requestSnapshot(core: Core, progress: Progress): void {
  const atLeast = logIndex(Math.max(core.log.baseIndex, progress.since));
  progress.becomeSnapshot(atLeast);
  core.snapshotRequests.push({ to: progress.id, term: core.term, atLeast });
}

function owesCommit(core: Core, progress: Progress): boolean {
  const { committed } = core.log;
  return (
    progress.state === "replicate" &&
    progress.sentCommit < committed &&
    committed < progress.next &&
    progress.reachable
  );
}

function sendCommit(core: Core, progress: Progress): void {
  if (!owesCommit(core, progress)) return;
  const { committed } = core.log;
  core.outbox.push({
    type: "commit",
    from: core.id,
    to: progress.id,
    term: core.term,
    commit: committed,
    commitTerm: core.log.termAt(committed) ?? core.log.baseTerm,
  });
  progress.sentCommit = committed;
}

/**
 * A follower that answers heartbeats but has acknowledged nothing since the last one, although
 * entries are in flight: an empty append finds out whether it lost them (then it refuses) or is
 * merely slow.
 */
export function nudge(core: Core, progress: Progress): void {
  const stuck = progress.match === progress.matchAtHeartbeat && progress.inFlight > 0;
  progress.matchAtHeartbeat = progress.match;
  if (stuck && progress.state === "replicate") sendAppend(core, progress, NO_ENTRIES);
}

const NO_ENTRIES: readonly Entry[] = [];
