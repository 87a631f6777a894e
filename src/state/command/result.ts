/**
 * What a command answers. Plain data, since answers are kept in the request tables and in
 * snapshots: strings, integers, booleans, null, arrays and objects of those, nothing else.
 */
import type { ErrorCode } from "holdfast-protocol";
import type { Labels } from "./command.js";

/**
 * Why an entry or a lease ended. `cancelled`: its wait was given up. `overdue`: it was held for as
 * long as the lock's rule allows. `moved`: another was let go before it, and it stands in line anew
 * under another key. `forgotten`: nobody knows now.
 */
export type EndReason =
  | "released"
  | "cancelled"
  | "expired"
  | "revoked"
  | "deleted"
  | "broken"
  | "overdue"
  | "moved"
  | "forgotten";

/** A record as it is answered. `lease` is absent when it has none. */
export interface RecordView {
  readonly key: string;
  /** Absent where only keys were asked for. */
  readonly value?: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease?: string;
}

/** An entry that holds. Times of the cluster's clock unless they say `Wall`. */
export interface Grant {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly ttlMs: number;
  /** The state's revision when it was granted. */
  readonly revision: number;
  readonly waitedMs: number;
  /** Of a request for several names: each of them, in their order. All have the same token. */
  readonly parts?: readonly GrantPart[];
}

export interface GrantPart {
  readonly name: string;
  readonly key: string;
}

/** A line's rule, as it is shown. */
export interface RuleView {
  readonly kind: "lock" | "semaphore";
  /** Of a semaphore: how many may hold at once. */
  readonly permits?: number;
  readonly lockDelayMs?: number;
  readonly maxHoldMs?: number;
}

export interface AskedView {
  readonly by: string;
  readonly why: string;
  readonly untilMs: number;
  readonly to?: string;
  /** Then its grant is broken. */
  readonly breaks?: boolean;
}

/** An entry as it is shown to people. */
export interface EntryView {
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly owner?: string;
  readonly labels?: Labels;
  readonly actor?: string;
  readonly value: string;
  /** Cluster time since when it holds, or else waits. */
  readonly sinceMs: number;
  /** The same by the leader's wall clock, milliseconds since 1970. */
  readonly sinceWallMs: number;
  /** True: the lease belongs to this entry and ends with it. */
  readonly privateLease: boolean;
  /** Absent: exclusive. */
  readonly mode?: "shared" | "permit";
  readonly progress?: string;
  /** It was asked to hand over. */
  readonly asked?: AskedView;
  /** Its lease has ended; it stays until this cluster time, so that nobody is granted before. */
  readonly shutUntilMs?: number;
  /** Cluster time at which its grant ends, whatever its lease. */
  readonly endsMs?: number;
}

export interface PutResult {
  readonly kind: "put";
  readonly key: string;
  readonly revision: number;
  readonly created: boolean;
  readonly prev?: RecordView;
}
export interface AppendResult {
  readonly kind: "append";
  readonly key: string;
  readonly revision: number;
}
export interface DeleteResult {
  readonly kind: "delete";
  readonly deleted: number;
  /** Of the delete, or the present one when nothing was deleted. */
  readonly revision: number;
  readonly prev?: readonly RecordView[];
}
export interface RangeResult {
  readonly kind: "range";
  readonly records: readonly RecordView[];
  /** All that match, whatever the limit. */
  readonly count: number;
  readonly more: boolean;
  readonly revision: number;
}
export type TxnStepResult = PutResult | AppendResult | DeleteResult | RangeResult | TxnResult;
export interface TxnResult {
  readonly kind: "txn";
  readonly succeeded: boolean;
  readonly revision: number;
  readonly results: readonly TxnStepResult[];
}
export interface LeaseGrantResult {
  readonly kind: "leaseGranted";
  readonly lease: string;
  readonly ttlMs: number;
}
export interface LeaseRevokeResult {
  readonly kind: "leaseRevoked";
  readonly lease: string;
  readonly revoked: boolean;
  /** Present when it had ended before. */
  readonly ended?: { readonly reason: EndReason };
}
export interface LeaseExpireResult {
  readonly kind: "leasesExpired";
  readonly count: number;
}
export interface GrantedResult {
  readonly kind: "granted";
  readonly grant: Grant;
}
/** In line. Asked again, the same entry's key. */
export interface WaitingResult {
  readonly kind: "waiting";
  readonly name: string;
  readonly key: string;
  readonly lease: string;
  readonly ttlMs: number;
  /** How many stand before it; 1 is next. */
  readonly position: number;
  /** The cluster's time when it entered the line. */
  readonly enteredMs: number;
}
/**
 * To a repeated acquire, or to a cancel: the entry is gone already. `granted` tells whether it had
 * held; `forgotten` as reason: nobody knows.
 */
export interface EntryEndedResult {
  readonly kind: "entryEnded";
  readonly key: string;
  readonly reason: EndReason;
  readonly granted: boolean;
}
export interface CancelledResult {
  readonly kind: "cancelled";
  readonly key: string;
  /** How many had stood before it. */
  readonly position: number;
  readonly holders: readonly EntryView[];
}
export interface ReleasedResult {
  readonly kind: "released";
  readonly released: boolean;
  readonly ended?: { readonly reason: EndReason };
}
export interface ProclaimedResult {
  readonly kind: "proclaimed";
  readonly key: string;
  readonly token: number;
  readonly revision: number;
}
export interface LockConfiguredResult {
  readonly kind: "lockConfigured";
  readonly name: string;
  readonly rule: RuleView;
}
export interface AnnotatedResult {
  readonly kind: "annotated";
}
export interface YieldAskedResult {
  readonly kind: "yieldAsked";
  /** Keys of those who were asked. */
  readonly keys: readonly string[];
}
export interface BrokenResult {
  readonly kind: "broken";
  readonly broken: boolean;
  /** Present while its holder has time left to hand over; then it is broken. */
  readonly pending?: { readonly key: string; readonly endsMs: number };
  /** Present when it had ended before. */
  readonly ended?: { readonly reason: EndReason };
}
export interface SlotFinishedResult {
  readonly kind: "slotFinished";
  readonly job: string;
  readonly slot: number;
  readonly outcome: "done" | "failed";
}
export interface ConfiguredResult {
  readonly kind: "configured";
}

/** The codes that commands and reads of the state can meet. */
export type StateErrorCode = Extract<
  ErrorCode,
  | "LOCK_HELD"
  | "NOT_HELD"
  | "ALREADY_IN_LINE"
  | "ONE_ENTRY_PER_LINE"
  | "RULE_MISMATCH"
  | "NO_UPGRADE"
  | "AMBIGUOUS_GRANT"
  | "DEADLOCK"
  | "NOT_IN_LINE"
  | "NOT_MOVABLE"
  | "SLOT_TAKEN"
  | "SLOT_CLOSED"
  | "SLOT_LATE"
  | "NOT_A_CLAIM"
  | "NO_SUCH_GRANT"
  | "LEASE_ENDED"
  | "LEASE_EXISTS"
  | "NO_SUCH_LEASE"
  | "LEASE_FULL"
  | "CONDITION_FAILED"
  | "ENTRY_PROTECTED"
  | "RESERVED_NAME"
  | "HISTORY_GONE"
  | "REVISION_IN_FUTURE"
  | "STATE_FULL"
  | "TOO_MANY_KEYS"
  | "REQUEST_EXPIRED"
  | "REQUEST_ID_REUSED"
  | "IDEMPOTENCY_FULL"
  | "REQUESTS_FULL"
  | "INVALID_PARAMETER"
  | "KEY_TOO_LARGE"
  | "VALUE_TOO_LARGE"
  | "RESULT_TOO_LARGE"
>;

/** Refused: nothing was changed. `details` as the error table says. */
export interface Refusal {
  readonly kind: "refused";
  readonly code: StateErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
}

export type CommandResult =
  | PutResult
  | AppendResult
  | DeleteResult
  | TxnResult
  | LeaseGrantResult
  | LeaseRevokeResult
  | LeaseExpireResult
  | GrantedResult
  | WaitingResult
  | EntryEndedResult
  | CancelledResult
  | ReleasedResult
  | ProclaimedResult
  | LockConfiguredResult
  | AnnotatedResult
  | YieldAskedResult
  | BrokenResult
  | SlotFinishedResult
  | ConfiguredResult
  | Refusal;

export function refuse(code: StateErrorCode, details: Readonly<Record<string, unknown>>): Refusal {
  return { kind: "refused", code, details };
}

/** The entry that an answer speaks of; "" for all but acquires. */
export function entryKeyOf(result: CommandResult): string {
  if (result.kind === "granted") return result.grant.key;
  return result.kind === "waiting" ? result.key : "";
}
