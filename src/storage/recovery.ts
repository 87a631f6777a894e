/**
 * From the files of a locked directory to what the node knew: reads, judges, and makes durable what
 * it hands over. It changes nothing before it has judged everything. Called by open.ts alone.
 */
import type { Entry, SnapshotMetadata } from "../raft/message/entry.js";
import type { Identity } from "./contract.js";
import type { DataDirectory } from "./data-directory.js";
import { FILE_KIND, HEAD_BYTES, isZero, readHead, readIdentity } from "./layout.js";
import { type RecoveredLog, readLog } from "./log-reader.js";
import {
  DAMAGED_SUFFIX,
  type DirectoryListing,
  IDENTITY_NAME,
  type SnapshotName,
  segmentName,
  sortNames,
} from "./names.js";
import { copySegment, readFile, readSegmentHead } from "./segment-file.js";
import { openSnapshotFile } from "./snapshot-reader.js";
import { done, type Steps, value } from "./steps.js";
import { damaged, StopError } from "./stop.js";
import type { WalStart } from "./wal.js";

export interface RecoveredState {
  readonly identity: Identity;
  readonly snapshot: SnapshotMetadata | null;
  /** Newest first, whole ones only as far as known. */
  readonly snapshots: readonly SnapshotName[];
  readonly entries: readonly Entry[];
  readonly start: WalStart;
  /** The log does not reach the snapshot, or goes another way: it must be reset before use. */
  readonly needsReset: boolean;
  readonly notes: readonly string[];
}

/** Null for an empty directory. @throws StopError */
export function* recover(directory: DataDirectory): Steps<RecoveredState | null> {
  const { disk, path } = directory;
  const names = yield* value<readonly string[]>(end => disk.list(path, end));
  const listing = sortNames(names);
  if (!listing.hasIdentity) {
    yield* checkEmpty(directory, listing);
    return null;
  }
  directory.identity = yield* readIdentityFile(directory);
  const choice = yield* chooseSnapshot(directory, listing.snapshots);
  const log = yield* readLog(directory, listing.segments, choice.snapshot?.index ?? 0);
  const needsReset = reconcile(directory, log, choice);
  const start = yield* settle(directory, listing, log, choice);
  const notes = [...choice.notes, ...log.notes];
  const entries = needsReset ? [] : log.replay.entries;
  const { snapshot, snapshots } = choice;
  return { identity: directory.known, snapshot, snapshots, entries, start, needsReset, notes };
}

/** Nothing, or what a crash inside `initialize` leaves. @throws StopError */
function* checkEmpty(directory: DataDirectory, listing: DirectoryListing): Steps<void> {
  const file = directory.file(IDENTITY_NAME);
  const lost = damaged(file, null, "the file is missing, but the directory holds a node's data");
  if (listing.snapshots.length > 0) throw new StopError(lost);
  for (const sequence of listing.segments) {
    const bytes = yield* readFile(directory, directory.file(segmentName(sequence)));
    readSegmentHead(directory, sequence, bytes);
    const isUnused = sequence === 1 && isZero(bytes, HEAD_BYTES, bytes.length);
    if (!isUnused) throw new StopError(lost);
  }
}

function* readIdentityFile(directory: DataDirectory): Steps<Identity> {
  const file = directory.file(IDENTITY_NAME);
  const bytes = yield* readFile(directory, file);
  const view = readHead(file, bytes, FILE_KIND.identity, directory.checksum);
  return readIdentity(file, view);
}

interface SnapshotChoice {
  readonly snapshot: SnapshotMetadata | null;
  readonly snapshots: readonly SnapshotName[];
  /** A newer one that is damaged; the log must reach over it, or else `damage` stops. */
  readonly passedOver: SnapshotName | null;
  readonly damage: StopError | null;
  readonly notes: readonly string[];
}

/** The newest, read whole; if it is damaged the one before it, which the log may reach back to. */
function* chooseSnapshot(
  directory: DataDirectory,
  snapshots: readonly SnapshotName[],
): Steps<SnapshotChoice> {
  const [newest, older] = snapshots;
  if (newest === undefined) {
    return { snapshot: null, snapshots, passedOver: null, damage: null, notes: [] };
  }
  try {
    const snapshot = yield* verifySnapshot(directory, newest);
    return { snapshot, snapshots, passedOver: null, damage: null, notes: [] };
  } catch (error) {
    const isDamage = error instanceof StopError && error.stop.code === "DAMAGED";
    if (!isDamage || older === undefined) throw error;
    const snapshot = yield* verifySnapshot(directory, older);
    const notes = [`${error.stop.message}; going on from the snapshot before it and the log`];
    return { snapshot, snapshots: snapshots.slice(1), passedOver: newest, damage: error, notes };
  }
}

function* verifySnapshot(directory: DataDirectory, name: SnapshotName): Steps<SnapshotMetadata> {
  const reader = yield* openSnapshotFile(directory, name);
  try {
    yield* reader.verify();
    return reader.metadata;
  } finally {
    reader.close();
  }
}

/**
 * Whether log and snapshot fit. Answers true when the log ends before the snapshot, or holds
 * another term at its index: an installed snapshot, or one of entries that others made durable.
 */
function reconcile(directory: DataDirectory, log: RecoveredLog, choice: SnapshotChoice): boolean {
  const { firstPlace, runs } = log.replay;
  const begin = Math.max(firstPlace ?? 0, runs.baseIndex);
  const { passedOver, snapshot } = choice;
  const from = snapshot?.index ?? 0;
  const reachesOver =
    passedOver === null || (begin <= from && runs.termAt(passedOver.index) === passedOver.term);
  if (!reachesOver) throw choice.damage as StopError;
  if (begin > from) {
    const file = directory.file(segmentName(log.places[0]?.sequence ?? log.last.sequence));
    const what = `the log begins after entry ${begin}, but the newest snapshot ends at ${from}`;
    throw new StopError(damaged(file, null, what));
  }
  if (snapshot === null) return false;
  return runs.termAt(snapshot.index) !== snapshot.term;
}

/** Everything is judged: makes durable what stands and removes what does not. */
function* settle(
  directory: DataDirectory,
  listing: DirectoryListing,
  log: RecoveredLog,
  choice: SnapshotChoice,
): Steps<WalStart> {
  const { disk, path } = directory;
  for (const part of listing.parts) {
    yield* done(end => disk.remove(directory.file(part), end));
  }
  const { bytes, end, sequence } = log.last;
  const segment = yield* copySegment(directory, sequence, bytes, end);
  // The last one first, each durable before the next: a crash must not leave a gap.
  for (const [at, later] of listing.segments
    .filter(each => each > sequence)
    .reverse()
    .entries()) {
    if (at > 0) yield* done(synced => disk.syncDirectory(path, synced));
    yield* done(removed => disk.remove(directory.file(segmentName(later)), removed));
  }
  if (choice.passedOver !== null) {
    const from = directory.file(choice.passedOver.name);
    yield* done(renamed => disk.rename(from, from + DAMAGED_SUFFIX, renamed));
  }
  yield* done(synced => disk.syncDirectory(path, synced));
  const { chain, places, replay } = log;
  const { hardState, peers, runs } = replay;
  return { segment, position: end, chain, places: [...places], runs, hardState, peers };
}
