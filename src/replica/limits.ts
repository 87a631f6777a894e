/**
 * The replica's own limits and times, beside those of base's table. All can be changed for a test
 * or a simulation; none is part of the replicated state.
 */
import { LIMITS } from "../base/limits.js";

export const REPLICA_LIMITS = {
  /** How long a command may take from its call to its answer. */
  proposalTimeoutMs: 5_000,
  readTimeoutMs: 5_000,
  keepAliveTimeoutMs: 5_000,
  /** Between two looks at the clocks. */
  tickMs: 20,
  /**
   * The most that one gap between two looks moves the lease clock: a stalled leader ends nothing.
   */
  maxLeaseGapMs: 60,
  /** Before an ask that failed is tried once more. */
  askRetryMs: 60,

  maxPendingProposals: LIMITS.maxPendingProposals as number,
  maxPendingProposalBytes: LIMITS.maxPendingProposalBytes as number,
  maxCommandsPerEntry: LIMITS.maxCommandsPerEntry as number,
  maxEntryBytes: LIMITS.maxEntryBytes as number,
  maxAskBytes: LIMITS.maxAskBytes as number,
  maxPendingReads: 100_000,
  maxPendingKeepAlives: 1_000_000,
  /** Leases in one ask or one expiry command. */
  maxLeasesPerBatch: 10_000,
  maxCallsPerConnection: LIMITS.maxPendingPerConnection as number,
  maxLeasesPerConnection: LIMITS.maxLeasesPerConnection as number,
  /** Waits in line that this node answers for; and as many more for the end of a grant. */
  maxPlaces: 200_000,
  positionEventMs: 1_000,
  maxPositionEvents: LIMITS.maxPositionEvents as number,

  maxWatchers: 100_000,
  maxWatchersPerConnection: LIMITS.maxWatchersPerConnection as number,
  /** History read for one watcher in one turn while it catches up. */
  watchSliceEvents: 1_000,
  watchSliceBytes: 256 * 1024,
  /** Without news for so long, a watcher is told how far the keyspace is. */
  watchProgressMs: 15_000,

  /** Log written since the last snapshot before the next one is begun. */
  snapshotAfterBytes: 64 * 1024 * 1024,
  snapshotSliceBytes: 128 * 1024,
};

export type ReplicaLimits = typeof REPLICA_LIMITS;
