/**
 * The commands: what can be asked of the state through the log. Data only; how they look in bytes
 * is codec.ts's, what they do is machine.ts's. The replica makes them from operations. All
 * strings are byte strings, all leases lowercase hex, all revisions and tokens integers.
 */

import type { EntryMode } from "../kv/record.js";

/** One key, or the half-open range from `from` to `to` (null: to the end of the keyspace). */
export type KeySpan =
  | { readonly key: string }
  | { readonly from: string; readonly to: string | null };

/** A grant by its key, or by name and token. */
export type GrantRef = { readonly key: string } | { readonly name: string; readonly token: number };

/** All that are present must hold, else `CONDITION_FAILED` (or `NOT_HELD` for `heldBy`). */
export interface Conditions {
  readonly prevExist?: boolean;
  /** The key's mod revision; 0: the key must not exist. */
  readonly prevRevision?: number;
  readonly prevValue?: string;
  readonly heldBy?: GrantRef;
}

export interface PutCommand extends Conditions {
  readonly kind: "kv.put";
  readonly key: string;
  readonly value: string;
  readonly lease?: string;
  /** Answer with the record as it was. */
  readonly prev?: boolean;
}

/**
 * Creates `<prefix>/<its revision in 20 digits>`. With a lease that is an entry of line `prefix`.
 */
export interface AppendCommand {
  readonly kind: "kv.append";
  readonly prefix: string;
  readonly value: string;
  readonly lease?: string;
  readonly heldBy?: GrantRef;
}

/**
 * With a range, of the conditions only `heldBy` and `prevExist: true` (at least one key) make
 * sense.
 */
export interface DeleteCommand extends Conditions {
  readonly kind: "kv.delete";
  readonly span: KeySpan;
  readonly prev?: boolean;
}

export type CompareOperator = "=" | "!=" | "<" | ">";

/**
 * Over a range, the comparison must hold for every key in it; an empty range compares as one absent
 * key (as in etcd), which has version and revisions 0 and no lease (""). Its `value` never holds,
 * whatever the operator.
 */
export type Compare =
  | {
      readonly target: "version" | "createRevision" | "modRevision";
      readonly span: KeySpan;
      readonly op: CompareOperator;
      readonly to: number;
    }
  | {
      readonly target: "value" | "lease";
      readonly span: KeySpan;
      readonly op: CompareOperator;
      /** For `lease`: "" is none; leases compare as numbers. */
      readonly to: string;
    }
  | { readonly target: "heldBy"; readonly grant: GrantRef; readonly op: "=" | "!=" };

export type SortBy = "key" | "value" | "version" | "createRevision" | "modRevision";

/** What a range read asks; within a transaction and as a read of its own. */
export interface RangeQuery {
  readonly span: KeySpan;
  /** At most so many records; absent: the state's own bound. */
  readonly limit?: number;
  /** Begin after this key, in the order asked for; with `sortBy: "key"` only. */
  readonly after?: string;
  readonly descending?: boolean;
  readonly sortBy?: SortBy;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  /** The keyspace as it was at this revision. Not within a transaction. */
  readonly revision?: number;
}

export type TxnStep =
  | {
      readonly op: "put";
      readonly key: string;
      readonly value: string;
      readonly lease?: string;
      readonly prev?: boolean;
    }
  | {
      readonly op: "append";
      readonly prefix: string;
      readonly value: string;
      readonly lease?: string;
    }
  | { readonly op: "delete"; readonly span: KeySpan; readonly prev?: boolean }
  | { readonly op: "range"; readonly query: RangeQuery }
  | { readonly op: "txn"; readonly txn: Txn };

/**
 * All comparisons, nested ones too, look at the state before the transaction; steps see earlier
 * steps.
 */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly TxnStep[];
  readonly failure: readonly TxnStep[];
}

export interface TxnCommand extends Txn {
  readonly kind: "kv.txn";
  /** Unless the grant stands, the whole is refused with `NOT_HELD`. */
  readonly heldBy?: GrantRef;
}

/** Shown to people; decide nothing. Sorted by name, without duplicates, when they come out. */
export type Labels = Readonly<Record<string, string>>;

export interface LeaseGrantCommand {
  readonly kind: "lease.grant";
  /** Drawn by the origin node or chosen by the client; not part of the request's fingerprint. */
  readonly lease: string;
  readonly ttlMs: number;
  readonly owner?: string;
  readonly labels?: Labels;
}

export interface LeaseRevokeCommand {
  readonly kind: "lease.revoke";
  readonly lease: string;
}

/** Proposed by the leader only, and valid only in its term (the log's `onlyInTerm`). */
export interface LeaseExpireCommand {
  readonly kind: "lease.expire";
  readonly leases: readonly string[];
  /**
   * The last entry that the proposer had applied: leases that were granted after it, under the same
   * ids, are others.
   */
  readonly asOfIndex: number;
}

/** A lease that belongs to the grant: it is made with the entry and ends with it. */
export interface PrivateLease {
  /** Drawn by the origin node; not part of the request's fingerprint. */
  readonly id: string;
  readonly ttlMs: number;
}

export interface AcquireCommand {
  readonly kind: "lock.acquire";
  readonly name: string;
  /** The lease to stand on, or the private one to make. */
  readonly lease: string | PrivateLease;
  /** The entry's value: an election's proclamation. Default "". */
  readonly value?: string;
  readonly owner?: string;
  readonly labels?: Labels;
  readonly actor?: string;
  /** Default exclusive. Shared: beside other readers. Permit: one of a semaphore's `permits`. */
  readonly mode?: EntryMode;
  /** With mode permit only: how many may hold at once, which all who ask must say alike. */
  readonly permits?: number;
  /** All of these at once, or none; `name` is the first of them. Not of a semaphore. */
  readonly names?: readonly string[];
  /** False: `LOCK_HELD`, and nothing written, unless it is granted at once. */
  readonly wait: boolean;
}

/** Gives a wait up. If the grant came first, that is the answer, and it stands. */
export interface CancelCommand {
  readonly kind: "lock.cancel";
  readonly key: string;
}

export interface ReleaseCommand {
  readonly kind: "lock.release";
  readonly grant: GrantRef;
}

/** A release after which an entry that waits in the same line is next, before all ahead of it. */
export interface HandOverCommand {
  readonly kind: "lock.handOver";
  readonly grant: GrantRef;
  /** That entry's key. */
  readonly to: string;
}

export interface ProclaimCommand {
  readonly kind: "election.proclaim";
  readonly grant: GrantRef | { readonly name: string; readonly lease: string };
  readonly value: string;
}

/** Sets a line's rule. What is absent stays as it is; 0 takes it away. */
export interface LockConfigureCommand {
  readonly kind: "lock.configure";
  readonly name: string;
  readonly permits?: number;
  readonly lockDelayMs?: number;
  readonly maxHoldMs?: number;
}

/** What a holder says of its work, for people. */
export interface AnnotateCommand {
  readonly kind: "lock.annotate";
  readonly grant: GrantRef;
  readonly progress: string;
}

/** Asks who holds to hand over; nothing ends by it. */
export interface YieldCommand {
  readonly kind: "lock.yield";
  /** That grant, or all who hold in the line. */
  readonly grant: GrantRef | { readonly name: string };
  readonly graceMs: number;
  /** The key of an entry that waits in the same line: it is to be next. */
  readonly to?: string;
  readonly by?: string;
  readonly why?: string;
}

/** Ends a grant, whoever has it. */
export interface BreakCommand {
  readonly kind: "lock.break";
  readonly grant: GrantRef;
  /** Its holder is asked to hand over, and has so long for it. Absent: it ends at once. */
  readonly afterMs?: number;
  readonly by?: string;
  readonly why?: string;
}

/** Claims one run of a job: of all who ask for it, one holds it at a time, and none once it is over. */
export interface SlotClaimCommand {
  readonly kind: "slot.claim";
  readonly job: string;
  readonly slot: number;
  readonly lease: string | PrivateLease;
  readonly onAbandon: "reclaim" | "close";
  /** Refused when the wall clock is later than the slot by more than this. */
  readonly lateMs?: number;
  readonly owner?: string;
  readonly labels?: Labels;
}

/** Ends a claim with an outcome: that run is over, and never claimed again. */
export interface SlotFinishCommand {
  readonly kind: "slot.finish";
  readonly grant: GrantRef;
  readonly outcome: "done" | "failed";
  /** Shown to people. */
  readonly note?: string;
}

/** Sets replicated limits. Absent ones stay as they are. Proposed by nodes, never by clients. */
export interface ConfigureCommand {
  readonly kind: "system.configure";
  readonly maxStateBytes?: number;
  readonly historyRevisions?: number;
  readonly historyBytes?: number;
}

/** What is asked of lines, and of those who stand in them. */
export type LineCommand =
  | AcquireCommand
  | CancelCommand
  | ReleaseCommand
  | HandOverCommand
  | ProclaimCommand
  | LockConfigureCommand
  | AnnotateCommand
  | YieldCommand
  | BreakCommand
  | SlotClaimCommand
  | SlotFinishCommand;

export type Command =
  | PutCommand
  | AppendCommand
  | DeleteCommand
  | TxnCommand
  | LeaseGrantCommand
  | LeaseRevokeCommand
  | LeaseExpireCommand
  | LineCommand
  | ConfigureCommand;

export type CommandKind = Command["kind"];

/**
 * Who proposed a command: settles it there. `boot` is below 2^48, drawn at each start of a node.
 */
export interface Origin {
  readonly boot: number;
  readonly number: number;
}

/** At most once by (client, number): see design, section 6. */
export interface ClientRequest {
  /** 16 hex digits. */
  readonly client: string;
  readonly number: number;
  /** The lowest number still unanswered: answers below it are forgotten. */
  readonly low: number;
  /** The session's lease: while it lives, the client's window is kept. */
  readonly lease?: string;
}

/** At most once by a key that the caller chose. */
export interface IdempotentRequest {
  readonly key: string;
  /** Of the operation and its canonical parameters, by the caller: 1 … 64 bytes. */
  readonly fingerprint: string;
}

export type RequestIdentity = ClientRequest | IdempotentRequest;
