/**
 * The operations with all that is known of them, in one table: routes, validation, the OpenAPI
 * document, the clients' types and the docs follow from it. Loading it loads TypeBox, so clients
 * and the command line take only types from here.
 */
import type { ErrorCode } from "../errors.js";
import * as cluster from "./cluster.js";
import * as election from "./election.js";
import * as kv from "./kv.js";
import * as lease from "./lease.js";
import * as lock from "./lock.js";
import * as slot from "./slot.js";
import * as txn from "./txn.js";
import * as watch from "./watch.js";

/** What every operation may answer, beside its own errors. */
export const COMMON_ERRORS = [
  "INVALID_PARAMETER",
  "UNKNOWN_FIELD",
  "UNAVAILABLE",
  "NO_QUORUM",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "INTERNAL",
] as const satisfies readonly ErrorCode[];

/** What every operation that changes the keyspace may answer as well. */
export const WRITE_ERRORS = [
  "OUTCOME_UNKNOWN",
  "REQUEST_EXPIRED",
  "REQUEST_ID_REUSED",
  "REQUESTS_FULL",
  "IDEMPOTENCY_FULL",
] as const satisfies readonly ErrorCode[];

const GUARDED = [
  "NOT_HELD",
  "NO_SUCH_GRANT",
  "AMBIGUOUS_GRANT",
] as const satisfies readonly ErrorCode[];
const LEASED = [
  "LEASE_ENDED",
  "NO_SUCH_LEASE",
  "LEASE_FULL",
] as const satisfies readonly ErrorCode[];
const LINED = [
  "LOCK_HELD",
  "WAIT_TIMEOUT",
  "CANCELLED",
  "ALREADY_IN_LINE",
  "NO_UPGRADE",
  "DEADLOCK",
  "RULE_MISMATCH",
  "NOT_HELD",
  "LEASE_EXISTS",
  "STATE_FULL",
  "KEY_TOO_LARGE",
  ...LEASED,
] as const satisfies readonly ErrorCode[];
const RELEASED = [
  "NO_SUCH_GRANT",
  "AMBIGUOUS_GRANT",
  "NOT_IN_LINE",
  "NOT_MOVABLE",
  "TOO_MANY_KEYS",
] as const satisfies readonly ErrorCode[];
const SIZED = [
  "KEY_TOO_LARGE",
  "VALUE_TOO_LARGE",
  "STATE_FULL",
] as const satisfies readonly ErrorCode[];
const WATCHED = [
  "HISTORY_GONE",
  "TOO_MANY_WATCHES",
  "KEY_TOO_LARGE",
] as const satisfies readonly ErrorCode[];

const CHANGED = ["CHANGE_PENDING", "OUTCOME_UNKNOWN"] as const satisfies readonly ErrorCode[];
const REDUCED = ["WOULD_LOSE_QUORUM", "LAST_VOTER"] as const satisfies readonly ErrorCode[];

export const OPERATIONS = {
  "kv.put": {
    description: "Writes a key, if the conditions hold.",
    params: kv.KvPutParams,
    result: kv.KvPutResult,
    errors: [
      "CONDITION_FAILED",
      "ENTRY_PROTECTED",
      "RESERVED_NAME",
      ...SIZED,
      ...LEASED,
      ...GUARDED,
    ],
  },
  "kv.append": {
    description: "Creates the next sequenced key below a prefix.",
    params: kv.KvAppendParams,
    result: kv.KvAppendResult,
    errors: [...SIZED, ...LEASED, ...GUARDED],
  },
  "kv.get": {
    description: "Reads one key.",
    params: kv.KvGetParams,
    result: kv.KvGetResult,
    errors: ["NO_SUCH_KEY", "HISTORY_GONE", "REVISION_IN_FUTURE", "KEY_TOO_LARGE"],
  },
  "kv.range": {
    description: "Lists the keys of a range, in order.",
    params: kv.KvRangeParams,
    result: kv.KvRangeResult,
    errors: ["HISTORY_GONE", "REVISION_IN_FUTURE", "KEY_TOO_LARGE", "RESULT_TOO_LARGE"],
  },
  "kv.delete": {
    description: "Deletes a key or a range, if the conditions hold.",
    params: kv.KvDeleteParams,
    result: kv.KvDeleteResult,
    errors: ["CONDITION_FAILED", "TOO_MANY_KEYS", "KEY_TOO_LARGE", "RESULT_TOO_LARGE", ...GUARDED],
  },
  "kv.txn": {
    description: "Compares, then does one branch or the other, all at one revision.",
    params: txn.KvTxnParams,
    result: txn.KvTxnResult,
    errors: [
      "ENTRY_PROTECTED",
      "RESERVED_NAME",
      "ONE_ENTRY_PER_LINE",
      "TOO_MANY_KEYS",
      "HISTORY_GONE",
      "REVISION_IN_FUTURE",
      "RESULT_TOO_LARGE",
      ...SIZED,
      ...LEASED,
      ...GUARDED,
    ],
  },
  "watch.start": {
    description: "Pushes the changes of a key or range, from a revision on.",
    params: watch.WatchStartParams,
    result: watch.WatchStartResult,
    errors: WATCHED,
  },
  "lease.grant": {
    description: "Makes a lease, which ends when nobody keeps it alive for its time.",
    params: lease.LeaseGrantParams,
    result: lease.LeaseGrantResult,
    errors: ["LEASE_EXISTS", "STATE_FULL"],
  },
  "lease.keepalive": {
    description: "Gives one lease, or several, their full time again.",
    params: lease.LeaseKeepaliveParams,
    result: lease.LeaseKeepaliveResult,
    errors: ["LEASE_ENDED", "NO_SUCH_LEASE"],
  },
  "lease.revoke": {
    description: "Ends a lease, and with it its keys and grants, at once.",
    params: lease.LeaseRevokeParams,
    result: lease.LeaseRevokeResult,
    errors: ["NO_SUCH_LEASE"],
  },
  "lease.get": {
    description: "Tells of one lease, or how it ended.",
    params: lease.LeaseGetParams,
    result: lease.LeaseGetResult,
    errors: ["NO_SUCH_LEASE"],
  },
  "lease.list": {
    description: "Lists the leases, in order of their ids.",
    params: lease.LeaseListParams,
    result: lease.LeaseListResult,
    errors: [],
  },
  "lock.acquire": {
    description: "Stands in line for a lock and answers when it is granted.",
    params: lock.LockAcquireParams,
    result: lock.LockAcquireResult,
    errors: LINED,
  },
  "lock.release": {
    description: "Ends a grant, or gives up a place in line.",
    params: lock.LockReleaseParams,
    result: lock.LockReleaseResult,
    errors: RELEASED,
  },
  "lock.check": {
    description: "Tells whether a grant stands. It diagnoses; it does not fence.",
    params: lock.LockCheckParams,
    result: lock.LockCheckResult,
    errors: GUARDED,
  },
  "lock.inspect": {
    description: "Explains a lock: holders, line, last transitions, stray keys.",
    params: lock.LockInspectParams,
    result: lock.LockInspectResult,
    errors: [],
  },
  "lock.list": {
    description: "Lists the locks that somebody holds, in order of their names.",
    params: lock.LockListParams,
    result: lock.LockListResult,
    errors: [],
  },
  "lock.annotate": {
    description: "Says, for people, how far a holder's work has come.",
    params: lock.LockAnnotateParams,
    result: lock.LockAnnotateResult,
    errors: ["STATE_FULL", ...GUARDED],
  },
  "lock.yield": {
    description: "Asks those who hold a lock to hand it over. Nothing ends by it.",
    params: lock.LockYieldParams,
    result: lock.LockYieldResult,
    errors: ["NOT_IN_LINE", "TOO_MANY_KEYS", "STATE_FULL", ...GUARDED],
  },
  "lock.break": {
    description: "Ends another's grant: asks first, unless forced. It is remembered who, and why.",
    params: lock.LockBreakParams,
    result: lock.LockBreakResult,
    errors: ["NO_SUCH_GRANT", "AMBIGUOUS_GRANT", "STATE_FULL"],
  },
  "lock.configure": {
    description: "Sets a line's rule while it is in use: permits, delay, longest hold.",
    params: lock.LockConfigureParams,
    result: lock.LockConfigureResult,
    errors: ["RULE_MISMATCH", "STATE_FULL", "KEY_TOO_LARGE"],
  },
  "slot.claim": {
    description: "Claims one run of a job, which nobody else has then and nobody has again.",
    params: slot.SlotClaimParams,
    result: slot.SlotClaimResult,
    errors: [
      "SLOT_TAKEN",
      "SLOT_CLOSED",
      "SLOT_LATE",
      "RULE_MISMATCH",
      "NOT_HELD",
      "LEASE_EXISTS",
      "STATE_FULL",
      "KEY_TOO_LARGE",
      ...LEASED,
    ],
  },
  "slot.finish": {
    description: "Ends a claim with an outcome: that run is over.",
    params: slot.SlotFinishParams,
    result: slot.SlotFinishResult,
    errors: ["SLOT_CLOSED", "NOT_A_CLAIM", ...GUARDED],
  },
  "election.campaign": {
    description: "Stands for election and answers when elected.",
    params: election.ElectionCampaignParams,
    result: election.ElectionCampaignResult,
    errors: ["VALUE_TOO_LARGE", ...LINED],
  },
  "election.proclaim": {
    description: "Changes what the leader proclaims, while it leads.",
    params: election.ElectionProclaimParams,
    result: election.ElectionProclaimResult,
    errors: [...SIZED, ...GUARDED],
  },
  "election.resign": {
    description: "Gives up leadership, or the candidacy.",
    params: election.ElectionResignParams,
    result: election.ElectionResignResult,
    errors: RELEASED,
  },
  "election.leader": {
    description: "Tells who leads, if anyone does.",
    params: election.ElectionLeaderParams,
    result: election.ElectionLeaderResult,
    errors: [],
  },
  "election.observe": {
    description: "Pushes every leader and proclamation, in order.",
    params: election.ElectionObserveParams,
    result: election.ElectionObserveResult,
    errors: WATCHED,
  },
  "cluster.status": {
    description: "Tells how this node sees itself and the cluster, without asking others.",
    params: cluster.ClusterStatusParams,
    result: cluster.ClusterStatusResult,
    errors: [],
  },
  "cluster.members": {
    description: "Lists the members of the cluster, as this node knows them.",
    params: cluster.ClusterMembersParams,
    result: cluster.ClusterMembersResult,
    errors: [],
  },
  "cluster.add": {
    description: "Makes a new member, a learner; its process may be started afterwards.",
    params: cluster.ClusterAddParams,
    result: cluster.ClusterAddResult,
    errors: ["MEMBER_EXISTS", "MEMBERS_FULL", ...CHANGED],
  },
  "cluster.promote": {
    description: "Lets a learner vote that has caught up; another may go in the same step.",
    params: cluster.ClusterPromoteParams,
    result: cluster.ClusterPromoteResult,
    errors: ["NO_SUCH_MEMBER", "NOT_A_LEARNER", "LEARNER_BEHIND", ...REDUCED, ...CHANGED],
  },
  "cluster.remove": {
    description: "Takes a member out; its process ends by itself.",
    params: cluster.ClusterRemoveParams,
    result: cluster.ClusterRemoveResult,
    errors: ["NO_SUCH_MEMBER", ...REDUCED, ...CHANGED],
  },
  "cluster.transfer": {
    description: "Hands leadership over to another voter.",
    params: cluster.ClusterTransferParams,
    result: cluster.ClusterTransferResult,
    errors: ["NO_SUCH_MEMBER", "NOT_A_VOTER", "NOT_TAKEN_OVER", "OUTCOME_UNKNOWN"],
  },
} as const;

export type Registry = typeof OPERATIONS;
