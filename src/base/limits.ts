/**
 * Every limit of the system, in one table, each with its unit in its name. Whoever enforces one
 * names the error. These are the defaults; the simulator shrinks them at random, so pass a
 * `Limits` down rather than reading `LIMITS` where a test might want another. Replicated
 * decisions (what `apply` refuses) may rest only on limits that are part of the replicated state
 * or of the format's version.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  // Keyspace: what a command may hold. Checked at the doors and again by `apply`.
  maxKeyBytes: 4 * KIB,
  maxNameBytes: 4 * KIB - 32, // a lock's name leaves room for `/` and 20 digits in its keys
  maxValueBytes: MIB,
  maxOwnerBytes: 256,
  maxLabels: 16,
  maxLabelNameBytes: 64,
  maxLabelValueBytes: 256,
  maxTagBytes: 16,
  maxTxnOperations: 128,
  maxTxnCompares: 128,
  maxTxnDepth: 4,
  maxKeysPerCommand: 10_000,
  maxKeysPerLease: 10_000,
  maxNamesPerAcquire: 64,
  maxActorBytes: 256,
  maxProgressBytes: 1_024, // what a holder says of its work, and why another ends it
  maxLeaseIdBytes: 16,

  // Leases and waiting.
  minTtlMs: 1_000,
  defaultTtlMs: 15_000,
  maxTtlMs: 86_400_000,
  maxWaitMs: 2_147_483_647,
  waitForeverMs: -1,
  maxPermits: 1_000_000,
  maxLockDelayMs: 86_400_000,
  maxHoldLimitMs: 31_622_400_000, // a year, as the bound of the bound
  maxGraceMs: 86_400_000,
  maxEntangledEntries: 10_000, // of those in several lines who wait in one
  maxMovesPerCommand: 1_000,
  slotsPerJob: 1_024, // of which the outcome is remembered; older ones are closed
  endedEntriesKept: 32_768, // grants and waits
  endedLeasesKept: 10_000,
  endedLeaseKeptMs: 600_000,
  maxLeases: 1_000_000,

  // The state as a whole: replicated with the cluster's settings.
  maxStateBytes: 2 * 1024 * MIB,
  historyRevisions: 100_000,
  historyBytes: 64 * MIB,

  // At most once.
  requestWindowPerClient: 1_024,
  maxRequestClients: 100_000,
  requestClientKeptMs: 600_000,
  maxIdempotencyKeys: 100_000,
  maxIdempotencyKeyBytes: 256,
  idempotencyKeptMs: 600_000,
  maxKeptAnswerBytes: 64 * KIB,

  // Reads.
  defaultRangeItems: 1_000,
  maxRangeItems: 10_000,
  maxRangeBytes: 4 * MIB,

  // The doors.
  maxRequestBytes: 2 * MIB,
  maxFrameBytes: 4 * MIB, // one frame from a client
  maxMessagesPerFrame: 10_000,
  maxConnections: 10_000,
  maxPendingPerConnection: 10_000,
  maxWatchersPerConnection: 1_000,
  maxWatchBacklogBytes: 8 * MIB, // past it a connection's streams and requests stand still
  maxConnectionBacklogBytes: 64 * MIB, // past it its reads are refused, past twice that it is cut
  maxLeasesPerConnection: 10_000,
  maxPositionEvents: 100,

  // Proposals and the log.
  maxCommandBytes: 2 * MIB,
  maxCommandsPerEntry: 4_096,
  maxEntryBytes: 4 * MIB,
  maxPendingProposals: 100_000,
  maxPendingProposalBytes: 64 * MIB,
  maxUncommittedBytes: 64 * MIB,
  maxSnapshotSliceBytes: MIB,

  // Between nodes.
  maxMembers: 31,
  maxPeerFrameBytes: 16 * MIB,
  maxPeerBacklogBytes: 64 * MIB,
  maxStrangerConnections: 64,
  maxHelloBytes: 4 * KIB,
  helloTimeoutMs: 3_000,
  maxAskBytes: 8 * MIB,
  maxAsksPerPeer: 65_536,
  askTimeoutMs: 5_000,
  bulkChunkBytes: 256 * KIB,
  bulkWindowBytes: 4 * MIB, // sent but not taken yet
} as const;

/** The table's shape, for whoever is given limits instead of reading the defaults. */
export type Limits = { readonly [Name in keyof typeof LIMITS]: number };
