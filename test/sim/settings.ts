/**
 * What one seed's cluster is made with: limits shrunk at random, so that rare paths are common, and
 * refusals are part of a run and not of a bad day alone. What is drawn has names in plain.ts.
 */
import type { SeededRandom } from "../../src/base/random.js";
import { DEFAULT_LOG_LIMITS, type LogLimits } from "../../src/log/index.js";
import type { ReplicaLimits } from "../../src/replica/limits.js";
import { STATE_LIMITS, type StateLimits } from "../../src/state/index.js";
import { type Drawn, type DrawnNode, PLAIN } from "./plain.js";

/** What a node is started with: its operator may choose others the next time. */
export interface NodeLimits {
  readonly logLimits: LogLimits;
  readonly replicaLimits: Partial<ReplicaLimits>;
}

export interface Settings extends NodeLimits {
  readonly stateLimits: StateLimits;
  /** Every so many entries the states' hashes are compared. */
  readonly hashEvery: number;
  readonly delayMs: readonly [number, number];
  readonly syncMs: readonly [number, number];
}

type Pick = <T>(...from: readonly T[]) => T;

const pickOf =
  (random: SeededRandom): Pick =>
  (...from) =>
    from[random.below(from.length)] as (typeof from)[number];

export function draw(random: SeededRandom): Drawn {
  const pick = pickOf(random);
  return {
    ...drawNode(random),
    bulkWindowBytes: pick(10_000, PLAIN.bulkWindowBytes),
    maxPendingProposals: pick(6, PLAIN.maxPendingProposals, PLAIN.maxPendingProposals),
    historyRevisions: pick(60, 400, 400),
    maxStateBytes: pick(12_000, 24_000, ...Array(4).fill(PLAIN.maxStateBytes)),
    maxIdempotencyKeys: pick(5, 40, PLAIN.maxIdempotencyKeys),
    // The client's own bound on what it has under way rests on a window of 1,024.
    requestWindowPerClient: pick(48, PLAIN.requestWindowPerClient),
    maxRequestClients: pick(6, PLAIN.maxRequestClients, PLAIN.maxRequestClients),
    maxLeases: pick(8, PLAIN.maxLeases, PLAIN.maxLeases),
    endedLeasesKept: pick(4, PLAIN.endedLeasesKept),
    endedEntriesKept: pick(4, PLAIN.endedEntriesKept),
    recentPerLine: pick(2, PLAIN.recentPerLine),
    delayMs: [pick(0, 0, 1), pick(1, 2, 8, 30)],
    syncMs: [pick(0, 1), pick(1, 3, 10)],
  };
}

export function drawNode(random: SeededRandom): DrawnNode {
  const pick = pickOf(random);
  return {
    snapshotAfterBytes: pick(3_000, 10_000, 40_000, PLAIN.snapshotAfterBytes),
    snapshotSliceBytes: pick(700, PLAIN.snapshotSliceBytes),
    tailBytes: pick(2_000, 20_000, PLAIN.tailBytes),
    laggardTailBytes: pick(40_000, PLAIN.laggardTailBytes),
    windowEntries: pick(2, 64, PLAIN.windowEntries),
    windowBytes: pick(4_000, PLAIN.windowBytes),
    messageBytes: pick(2_000, PLAIN.messageBytes),
    committedBytes: pick(1_000, PLAIN.committedBytes),
    unappliedBytes: pick(30_000, PLAIN.unappliedBytes, PLAIN.unappliedBytes),
    segmentKiB: pick(16, 64, 256),
    pieceKiB: pick(4, 16),
    batchBytes: pick(4_000, PLAIN.batchBytes),
    synchronousBytes: pick(0, 0, 64 * 1024),
    sliceEntries: pick(2, PLAIN.sliceEntries),
    barrierMs: pick(300, PLAIN.barrierMs),
    maxPeerBacklogBytes: pick(20_000, PLAIN.maxPeerBacklogBytes, PLAIN.maxPeerBacklogBytes),
    maxAsksPerPeer: pick(8, PLAIN.maxAsksPerPeer, PLAIN.maxAsksPerPeer),
    askTimeoutMs: pick(1_000, PLAIN.askTimeoutMs),
    maxCommandsPerEntry: pick(1, 3, PLAIN.maxCommandsPerEntry),
    maxLeasesPerBatch: pick(1, PLAIN.maxLeasesPerBatch),
    proposalTimeoutMs: pick(1_500, PLAIN.proposalTimeoutMs),
    readTimeoutMs: pick(1_500, PLAIN.readTimeoutMs),
    watchSliceEvents: pick(1, 7, PLAIN.watchSliceEvents),
    watchProgressMs: pick(1_000, PLAIN.watchProgressMs),
  };
}

export function settingsOf(drawn: Drawn): Settings {
  const { historyRevisions, maxStateBytes, maxIdempotencyKeys, requestWindowPerClient } = drawn;
  const { maxRequestClients, maxLeases, endedLeasesKept, endedEntriesKept, recentPerLine } = drawn;
  return {
    ...nodeLimitsOf(drawn),
    stateLimits: {
      ...STATE_LIMITS,
      historyRevisions,
      maxStateBytes,
      maxIdempotencyKeys,
      requestWindowPerClient,
      maxRequestClients,
      maxLeases,
      endedLeasesKept,
      endedEntriesKept,
      recentPerLine,
    },
    hashEvery: 32,
    delayMs: drawn.delayMs,
    syncMs: drawn.syncMs,
  };
}

export function nodeLimitsOf(drawn: Drawn): NodeLimits {
  const { raft, storage, peer } = DEFAULT_LOG_LIMITS;
  const { tailBytes, windowEntries, windowBytes, messageBytes } = drawn;
  const { committedBytes, unappliedBytes, batchBytes, synchronousBytes } = drawn;
  const { maxPeerBacklogBytes, maxAsksPerPeer, askTimeoutMs, bulkWindowBytes } = drawn;
  const { maxCommandsPerEntry, maxPendingProposals, maxLeasesPerBatch } = drawn;
  const { proposalTimeoutMs, readTimeoutMs, watchSliceEvents, watchProgressMs } = drawn;
  const { sliceEntries, barrierMs, snapshotAfterBytes, snapshotSliceBytes } = drawn;
  const segmentBytes = drawn.segmentKiB * 1024;
  const pieceBytes = drawn.pieceKiB * 1024;
  // Less than usual while a snapshot travels would make laggards of those who are none.
  const laggardTailBytes = Math.max(tailBytes, drawn.laggardTailBytes);
  const tail = { tailBytes, laggardTailBytes };
  const window = { windowEntries, windowBytes, messageBytes, committedBytes, unappliedBytes };
  return {
    logLimits: {
      ...DEFAULT_LOG_LIMITS,
      raft: { ...raft, ...tail, ...window },
      storage: { ...storage, segmentBytes, batchBytes, pieceBytes, synchronousBytes },
      peer: { ...peer, maxPeerBacklogBytes, maxAsksPerPeer, askTimeoutMs, bulkWindowBytes },
      sliceEntries,
      barrierMs,
    },
    replicaLimits: {
      snapshotAfterBytes,
      snapshotSliceBytes,
      maxCommandsPerEntry,
      maxPendingProposals,
      maxLeasesPerBatch,
      proposalTimeoutMs,
      readTimeoutMs,
      watchSliceEvents,
      watchProgressMs,
    },
  };
}
