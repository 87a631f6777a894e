/**
 * The limits that decide what apply does. They are part of the replicated state: given once, when
 * a cluster's state is new, and from then on only changed through the log.
 */
import { LIMITS } from "../base/limits.js";

export const STATE_LIMITS = {
  maxKeyBytes: LIMITS.maxKeyBytes,
  maxNameBytes: LIMITS.maxNameBytes,
  maxValueBytes: LIMITS.maxValueBytes,
  maxOwnerBytes: LIMITS.maxOwnerBytes,
  maxActorBytes: LIMITS.maxActorBytes,
  maxProgressBytes: LIMITS.maxProgressBytes,
  maxNamesPerAcquire: LIMITS.maxNamesPerAcquire,
  maxPermits: LIMITS.maxPermits,
  maxLockDelayMs: LIMITS.maxLockDelayMs,
  maxHoldLimitMs: LIMITS.maxHoldLimitMs,
  maxGraceMs: LIMITS.maxGraceMs,
  maxEntangledEntries: LIMITS.maxEntangledEntries,
  maxMovesPerCommand: LIMITS.maxMovesPerCommand,
  slotsPerJob: LIMITS.slotsPerJob,
  maxLabels: LIMITS.maxLabels,
  maxLabelNameBytes: LIMITS.maxLabelNameBytes,
  maxLabelValueBytes: LIMITS.maxLabelValueBytes,
  maxTxnOperations: LIMITS.maxTxnOperations,
  maxTxnCompares: LIMITS.maxTxnCompares,
  maxTxnDepth: LIMITS.maxTxnDepth,
  maxKeysPerCommand: LIMITS.maxKeysPerCommand,
  maxKeysPerLease: LIMITS.maxKeysPerLease,
  maxLeases: LIMITS.maxLeases,
  minTtlMs: LIMITS.minTtlMs,
  maxTtlMs: LIMITS.maxTtlMs,
  endedLeasesKept: LIMITS.endedLeasesKept,
  endedLeaseKeptMs: LIMITS.endedLeaseKeptMs,
  endedEntriesKept: LIMITS.endedEntriesKept,
  endedEntryKeptMs: LIMITS.endedLeaseKeptMs,
  recentPerLine: 16,
  maxStateBytes: LIMITS.maxStateBytes,
  historyRevisions: LIMITS.historyRevisions,
  historyBytes: LIMITS.historyBytes,
  requestWindowPerClient: LIMITS.requestWindowPerClient,
  maxRequestClients: LIMITS.maxRequestClients,
  requestClientKeptMs: LIMITS.requestClientKeptMs,
  maxIdempotencyKeys: LIMITS.maxIdempotencyKeys,
  idempotencyKeptMs: LIMITS.idempotencyKeptMs,
  maxKeptAnswerBytes: LIMITS.maxKeptAnswerBytes,
  maxRangeItems: LIMITS.maxRangeItems,
  maxRangeBytes: LIMITS.maxRangeBytes,
} as const;

export type StateLimits = { readonly [Name in keyof typeof STATE_LIMITS]: number };

/** The names in their canonical order. */
export const LIMIT_NAMES = (Object.keys(STATE_LIMITS) as (keyof StateLimits)[]).sort();
