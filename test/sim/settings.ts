/**
 * What one seed's cluster is made with: limits shrunk at random, so that rare paths are common.
 * What decides how a state machine answers is one for all nodes; the rest may differ between nodes
 * and from one start of a node to the next.
 */
import type { SeededRandom } from "../../src/base/random.js";
import { DEFAULT_LOG_LIMITS, type LogLimits } from "../../src/log/index.js";
import type { ReplicaLimits } from "../../src/replica/limits.js";
import { STATE_LIMITS, type StateLimits } from "../../src/state/index.js";

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

export function drawSettings(random: SeededRandom): Settings {
  const pick = pickOf(random);
  return {
    ...drawNodeLimits(random),
    stateLimits: drawStateLimits(pick),
    hashEvery: 32,
    delayMs: [pick(0, 0, 1), pick(1, 2, 8, 30)],
    syncMs: [pick(0, 1), pick(1, 3, 10)],
  };
}

export function drawNodeLimits(random: SeededRandom): NodeLimits {
  const pick = pickOf(random);
  return {
    logLimits: {
      ...DEFAULT_LOG_LIMITS,
      raft: {
        ...DEFAULT_LOG_LIMITS.raft,
        tailBytes: pick(2_000, 20_000, 16 * 1024 * 1024),
        tailBytesDuringSnapshot: pick(40_000, 128 * 1024 * 1024),
        windowEntries: pick(2, 64, 1024),
        windowBytes: pick(4_000, 8 * 1024 * 1024),
        messageBytes: pick(2_000, 1024 * 1024),
        committedBytes: pick(1_000, 4 * 1024 * 1024),
        unappliedBytes: pick(30_000, 64 * 1024 * 1024, 64 * 1024 * 1024),
      },
      storage: {
        ...DEFAULT_LOG_LIMITS.storage,
        segmentBytes: pick(16, 64, 256) * 1024,
        batchBytes: pick(4_000, 1024 * 1024),
        pieceBytes: pick(4, 16) * 1024,
        synchronousBytes: pick(0, 0, 64 * 1024),
      },
      peer: {
        ...DEFAULT_LOG_LIMITS.peer,
        maxPeerBacklogBytes: pick(20_000, 64 * 1024 * 1024, 64 * 1024 * 1024),
        maxAsksPerPeer: pick(8, 65_536, 65_536),
        askTimeoutMs: pick(1_000, 5_000),
        bulkWindowBytes: pick(2_000, 4 * 1024 * 1024),
      },
      sliceEntries: pick(2, 256),
      barrierMs: pick(300, 1_000),
    },
    replicaLimits: {
      snapshotAfterBytes: pick(3_000, 10_000, 40_000, 1_000_000),
      snapshotSliceBytes: pick(700, 16 * 1024),
      maxCommandsPerEntry: pick(1, 3, 4_096),
      maxPendingProposals: pick(6, 100_000, 100_000),
      maxLeasesPerBatch: pick(1, 10_000),
      proposalTimeoutMs: pick(1_500, 5_000),
      readTimeoutMs: pick(1_500, 5_000),
      watchSliceEvents: pick(1, 7, 1_000),
      watchProgressMs: pick(1_000, 15_000),
    },
  };
}

/** Near full, so that refusals are part of a run and not of a bad day alone. */
function drawStateLimits(pick: Pick): StateLimits {
  return {
    ...STATE_LIMITS,
    historyRevisions: pick(60, 400, 400),
    maxStateBytes: pick(12_000, 24_000, ...Array(4).fill(STATE_LIMITS.maxStateBytes)),
    maxIdempotencyKeys: pick(5, 40, STATE_LIMITS.maxIdempotencyKeys),
    requestWindowPerClient: pick(48, STATE_LIMITS.requestWindowPerClient),
    maxRequestClients: pick(6, STATE_LIMITS.maxRequestClients, STATE_LIMITS.maxRequestClients),
    maxLeases: pick(8, STATE_LIMITS.maxLeases, STATE_LIMITS.maxLeases),
    endedLeasesKept: pick(4, STATE_LIMITS.endedLeasesKept),
    endedEntriesKept: pick(4, STATE_LIMITS.endedEntriesKept),
    recentPerLine: pick(2, STATE_LIMITS.recentPerLine),
  };
}
