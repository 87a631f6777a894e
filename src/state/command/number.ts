/**
 * The numbers of the format. A number is never reused. A command that comes later gets a new
 * number and a new format version, so that in an entry of an older version every node refuses it
 * alike.
 */
import type { CommandKind } from "./command.js";

/** The newest entry format that this program reads, and the one it writes. */
export const ENTRY_FORMAT = 2;

export const COMMAND_NUMBER = {
  "kv.put": 1,
  "kv.append": 2,
  "kv.delete": 3,
  "kv.txn": 4,
  "lease.grant": 8,
  "lease.revoke": 9,
  "lease.expire": 10,
  "lock.acquire": 16,
  "lock.cancel": 17,
  "lock.release": 18,
  "lock.configure": 19,
  "lock.annotate": 20,
  "lock.yield": 21,
  "lock.break": 22,
  "lock.handOver": 23,
  "election.proclaim": 24,
  "slot.claim": 28,
  "slot.finish": 29,
  "system.configure": 32,
} as const satisfies Record<CommandKind, number>;

export const REQUEST_TAG = { none: 0, client: 1, idempotent: 2 } as const;
export const LOCK_MODES = ["exclusive", "shared", "permit"] as const;
export const SPAN_TAG = { key: 0, bounded: 1, unbounded: 2 } as const;
export const GRANT_TAG = { none: 0, key: 1, token: 2, lease: 3, line: 4 } as const;
export const STEP_TAG = { put: 1, append: 2, delete: 3, range: 4, txn: 5 } as const;

export const COMPARE_TARGETS = [
  "version",
  "createRevision",
  "modRevision",
  "value",
  "lease",
  "heldBy",
] as const;
export const COMPARE_OPERATORS = ["=", "!=", "<", ">"] as const;
export const SORT_FIELDS = ["key", "value", "version", "createRevision", "modRevision"] as const;

/** Bits of the flags of put and delete. A bit that the format does not know is refused. */
export const WRITE_FLAG = {
  lease: 1,
  prevExistTrue: 2,
  prevExistFalse: 4,
  prevRevision: 8,
  prevValue: 16,
  heldBy: 32,
  prev: 64,
} as const;

export const RANGE_FLAG = {
  limit: 1,
  after: 2,
  descending: 4,
  keysOnly: 8,
  countOnly: 16,
  minCreateRevision: 32,
  maxCreateRevision: 64,
  minModRevision: 128,
  maxModRevision: 256,
} as const;

export const ACQUIRE_FLAG = {
  privateLease: 1,
  value: 2,
  owner: 4,
  labels: 8,
  actor: 16,
  wait: 32,
  permits: 64,
  names: 128,
} as const;

export const SLOT_FLAG = { privateLease: 1, close: 2, lateMs: 4 } as const;
export const SLOT_OUTCOMES = ["done", "failed"] as const;
export const LINE_FLAG = { permits: 1, lockDelayMs: 2, maxHoldMs: 4 } as const;

export const CONFIGURE_FLAG = { maxStateBytes: 1, historyRevisions: 2, historyBytes: 4 } as const;
