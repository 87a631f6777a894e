/**
 * What is drawn for a cluster, by name, and what it has when nothing is. Imports nothing of the
 * product, so that a tool can read it without loading that.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** What one start of a node may have otherwise than another: its operator may choose. */
export interface DrawnNode {
  readonly snapshotAfterBytes: number;
  readonly snapshotSliceBytes: number;
  readonly tailBytes: number;
  readonly laggardTailBytes: number;
  readonly windowEntries: number;
  readonly windowBytes: number;
  readonly messageBytes: number;
  readonly committedBytes: number;
  readonly unappliedBytes: number;
  readonly segmentKiB: number;
  readonly pieceKiB: number;
  readonly batchBytes: number;
  readonly synchronousBytes: number;
  readonly sliceEntries: number;
  readonly barrierMs: number;
  readonly maxPeerBacklogBytes: number;
  readonly maxAsksPerPeer: number;
  readonly askTimeoutMs: number;
  readonly maxCommandsPerEntry: number;
  readonly maxLeasesPerBatch: number;
  readonly proposalTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly watchSliceEvents: number;
  readonly watchProgressMs: number;
}

/** And what all nodes have alike: the state's limits, and what one sends that another must take. */
export interface Drawn extends DrawnNode {
  readonly bulkWindowBytes: number;
  readonly maxPendingProposals: number;
  readonly historyRevisions: number;
  readonly maxStateBytes: number;
  readonly maxIdempotencyKeys: number;
  readonly requestWindowPerClient: number;
  readonly maxRequestClients: number;
  readonly maxLeases: number;
  readonly endedLeasesKept: number;
  readonly endedEntriesKept: number;
  readonly recentPerLine: number;
  readonly delayMs: readonly [number, number];
  readonly syncMs: readonly [number, number];
}

/** What a cluster has when nothing is drawn: a shrunk run goes back to it where it can. */
export const PLAIN: Drawn = {
  snapshotAfterBytes: 1_000_000,
  snapshotSliceBytes: 16 * KIB,
  tailBytes: 16 * MIB,
  laggardTailBytes: 128 * MIB,
  windowEntries: 1024,
  windowBytes: 8 * MIB,
  messageBytes: MIB,
  committedBytes: 4 * MIB,
  unappliedBytes: 64 * MIB,
  segmentKiB: 256,
  pieceKiB: 16,
  batchBytes: MIB,
  synchronousBytes: 0,
  sliceEntries: 256,
  barrierMs: 1_000,
  maxPeerBacklogBytes: 64 * MIB,
  maxAsksPerPeer: 65_536,
  askTimeoutMs: 5_000,
  maxCommandsPerEntry: 4_096,
  maxLeasesPerBatch: 10_000,
  proposalTimeoutMs: 5_000,
  readTimeoutMs: 5_000,
  watchSliceEvents: 1_000,
  watchProgressMs: 15_000,
  bulkWindowBytes: 4 * MIB,
  maxPendingProposals: 100_000,
  historyRevisions: 400,
  maxStateBytes: 2 * 1024 * MIB,
  maxIdempotencyKeys: 100_000,
  requestWindowPerClient: 1_024,
  maxRequestClients: 100_000,
  maxLeases: 1_000_000,
  endedLeasesKept: 10_000,
  endedEntriesKept: 32_768,
  recentPerLine: 16,
  delayMs: [0, 1],
  syncMs: [0, 1],
};

/** What the adversary may be up to: see adversary.ts. */
export const PLANS = [
  "powerStorm",
  "leaderHunt",
  "musicalChairs",
  "emptyDisk",
  "figureEight",
  "doubleVote",
  "lonelyCopy",
  "stallingLeader",
  "silentLeader",
  "lonelyChange",
  "lonelyFarewell",
  "hastyCandidate",
] as const;
export type Plan = (typeof PLANS)[number];
