/**
 * What users touch: the types of the client, all in one place. Times are milliseconds; revisions
 * and tokens are integers; text stands for its UTF-8 form. Every call takes an `AbortSignal` (its
 * reason is rethrown untouched) and a time limit, and rejects with a `HoldfastError` otherwise.
 */
import type { OperationName, ResultOf, WireParamsOf, WireResultOf } from "holdfast-protocol";
import type { YieldAsked } from "./errors.js";
import type { Key, Value } from "./text.js";

export type { Key, Value };

export interface ConnectOptions {
  /** The time to live of the session's lease: 1,000 … 86,400,000; default 15,000. */
  readonly ttlMs?: number;
  /** A lost session's signal fires so long before the lease can run out; default `ttlMs` / 5. */
  readonly marginMs?: number;
  /** Bounds one call with all its retries, default 10,000. Never bounds waiting in line. */
  readonly timeoutMs?: number;
  /** Told to the node in every hello. */
  readonly token?: string | (() => Promise<string>);
  /** Shown to people beside what this client holds; decides nothing. */
  readonly owner?: string;
  /** As `owner`. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface CallOptions {
  /** Aborting rejects with the signal's own reason, untouched. */
  readonly signal?: AbortSignal;
  /** In place of the client's. */
  readonly timeoutMs?: number;
}

export interface WaitOptions extends CallOptions {
  /**
   * How long to stand in line, 0 … 2,147,483,647; absent: without bound; 0: not at all. A
   * client has room for 8,600 waits: past it one without bound is refused at once
   * (`TOO_MANY_REQUESTS`), and a bounded one waits for room as part of its time.
   */
  readonly waitMs?: number;
  /** Called as the place in line changes, at most once a second, for the first 100 in line. */
  onWaiting?(waiting: Waiting): void;
}

/** Where a wait stands. */
export interface Waiting {
  /** 1 is next. */
  readonly position: number;
  readonly holders: readonly Holder[];
}

/** One who holds, or stands in line. */
export interface Holder {
  readonly key: string;
  readonly token: number;
  /** Absent: it has run out, and `shutForMs` says for how long the line is kept shut. */
  readonly lease?: string;
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly actor?: string;
  /** How long it has held, or waited. */
  readonly sinceMs: number;
  /** Absent: exclusive. */
  readonly mode?: "shared" | "permit";
  /** What its holder says of its work. */
  readonly progress?: string;
  /** It was asked to hand over; `graceMs` is what is left of its time for that. */
  readonly asked?: {
    readonly by?: string;
    readonly why?: string;
    readonly graceMs: number;
    readonly toKey?: string;
    /** Then its grant is broken. */
    readonly breaks?: boolean;
  };
  /** In so long its grant ends, whatever its lease. */
  readonly endsInMs?: number;
  /** Its lease has run out: it holds nothing, and for so long nobody else does. */
  readonly shutForMs?: number;
}

/** Whatever hangs on one lease. */
export interface Coordination {
  /**
   * The lock of this name, or of several: all of them at once or none, under one token, and no
   * two who ask for several ever wait for each other. Asks nothing of the cluster yet.
   */
  lock(name: string | readonly string[], options?: LockOptions): Lock;
  /**
   * So many may hold at once, the first in line first. Who is first decides how many, and who
   * says another number is refused (`RULE_MISMATCH`). Permits have no order among them: tokens of
   * a semaphore do not fence; write guarded by `heldBy`.
   */
  semaphore(name: string, options: { readonly permits: number }): Lock;
  /** The election of this name; election and lock of one name are the same line. */
  election(name: string): Election;
  /**
   * Fires when the session is lost or closed, with a `LockLostError`. The next call of a client
   * that lost its session makes a new one.
   */
  readonly signal: AbortSignal;
  /**
   * For how long the session is certain, by this process's own clock; 0 while there is no lease.
   */
  readonly remainingMs: number;
  /**
   * Ends the session: its locks pass on at once, and who still stands in line on it is told
   * (`UnavailableError`). Bounded; never rejects.
   */
  close(): Promise<void>;
}

export interface LockOptions {
  /** `shared`: beside other readers, never beside a writer. Nobody overtakes. Default: exclusive. */
  readonly mode?: "exclusive" | "shared";
  /**
   * Names a logical thread within the session. The same one cannot stand in one line twice, and a
   * wait that would never end, since others wait for this very actor, is refused (`DEADLOCK`).
   */
  readonly actor?: string;
}

/** One lease, kept alive. Made by `client.session()`; granted when it is first used. */
export interface Session extends Coordination, AsyncDisposable {}

export type ClientState = "connecting" | "ready" | "no-quorum" | "closed";

/** A client with its own default session. */
export interface Client extends Session {
  /** A session of its own, for work whose locks should live and die together. */
  session(options?: { readonly ttlMs?: number; readonly marginMs?: number }): Session;
  readonly kv: Kv;
  /** The runs of a job; claims hang on the client's own session. */
  schedule(job: string, options?: ScheduleOptions): Schedule;
  /** Leases by hand: for tools. A lease made here is kept alive by nobody but you. */
  readonly leases: Leases;
  readonly cluster: Cluster;
  /** The locks that somebody holds, in order of their names. */
  locks(options?: {
    readonly prefix?: string;
    /** Only those that an owner of this name holds. */
    readonly owner?: string;
    readonly signal?: AbortSignal;
  }): AsyncIterable<LockSummary>;
  readonly state: ClientState;
  /** Calls back at every change of `state`. Returns what takes it back. */
  onState(listener: (state: ClientState) => void): () => void;
  /** Connects, and resolves when a node can serve. Rejects with `UnavailableError`. */
  ready(options?: CallOptions): Promise<void>;
  /**
   * Any operation of the protocol by its name, as it travels; the rest of this client is made of
   * it. At most once, with the same retries.
   */
  call<Name extends OperationName>(
    operation: Name,
    params: WireParamsOf<Name>,
    options?: CallOptions,
  ): Promise<WireResultOf<Name>>;
}

/** A lock's name. Has no state: share it freely, acquire from many tasks; they wait in turn. */
export interface Lock {
  /** The only name, or the first of several. */
  readonly name: string;
  readonly names: readonly string[];
  /**
   * Stands in line until it is granted. Rejects with `WaitTimeoutError` when `waitMs` is over.
   * Goes on through lost connections and changes of leader with its place in line.
   */
  acquire(options?: WaitOptions): Promise<Held>;
  /** The lock if it is free now, else null. */
  tryAcquire(options?: CallOptions): Promise<Held | null>;
  /**
   * Acquires, runs `fn`, releases. What `fn` returns or throws is what comes out, even if the
   * release fails; but if the lock was lost while `fn` ran and `fn` itself threw nothing, this
   * rejects with `LockLostError`. Pass `held.signal` on to whatever `fn` does.
   */
  run<T>(fn: (held: Held) => T | Promise<T>, options?: WaitOptions): Promise<T>;
  /** Holders, line and last transitions. */
  inspect(options?: CallOptions): Promise<LockInfo>;
  /** Asks all who hold it to hand over; their `yieldSignal` fires, and nothing ends by it. */
  askToYield(options?: YieldOptions): Promise<void>;
  /**
   * Ends one grant of this name: its holder is asked first, and has what is left of its lease.
   * Resolves when the grant has ended, one way or the other. It is remembered who did it and why.
   * By `force` it is one call, within `timeoutMs` as any. Otherwise a node has the client's
   * `timeoutMs` to answer at all (`UnavailableError`), and the holder's end is waited for without
   * bound, through outages; a `timeoutMs` of this call's own bounds the whole of it, and ends
   * nothing that has begun.
   */
  break(options: BreakOptions): Promise<void>;
}

export interface YieldOptions extends CallOptions {
  /** How long the holder is given, told to it; nothing happens then. 0 … 86,400,000; default 0. */
  readonly graceMs?: number;
  /** Shown to the holder, and in `inspect`. */
  readonly reason?: string;
  /** The key of one who waits: it is to be next. Who stands ahead of it gets a new place. */
  readonly to?: string;
}

/**
 * Which grant, as `inspect` shows it. Readers of one run have one token together: one of them is
 * named by its key (`AMBIGUOUS_GRANT` by its token).
 */
export type BreakOptions = ({ readonly token: number } | { readonly key: string }) &
  CallOptions & {
    /** Shown in `inspect`, and to whoever loses the grant. */
    readonly reason: string;
    /** At once, unasked. */
    readonly force?: boolean;
  };

/** One grant. */
export interface Held extends AsyncDisposable {
  readonly name: string;
  /** Names the grant, for `heldBy`. */
  readonly key: string;
  /** The fencing token: greater than that of every holder before. */
  readonly token: number;
  /**
   * Fires when the lock is lost, or cannot be proven to be held; its reason is a `LockLostError`.
   */
  readonly signal: AbortSignal;
  /**
   * Fires when somebody asks for it, with a `YieldAsked`. It is still held: finish what cannot
   * wait, and release.
   */
  readonly yieldSignal: AbortSignal;
  /**
   * Calls back each time that somebody asks for it, also the second time and by a break that asks
   * first, where `yieldSignal` fires only once. Of what was asked before, the newest is told, soon
   * after this call. Nothing is told once it is lost or released. Returns what takes it back.
   */
  onYieldAsked(listener: (asked: YieldAsked) => void): () => void;
  /** For how long it is certainly held, from the clocks; 0 when it is lost or released. */
  readonly remainingMs: number;
  /** Throws `LockLostError` unless it is certainly held now. Reads clocks; asks nobody. */
  assertHeld(): void;
  /** Asks the cluster. Rejects with `LockLostError` if it is not held. It does not fence. */
  confirm(options?: CallOptions): Promise<void>;
  /**
   * Shown to people beside the grant; cut at 1,024 bytes of UTF-8, at the end of a character. Said
   * again, the last one counts. Never fails but for what is no text.
   */
  annotate(progress: string): void;
  /**
   * Gives it up. `heldToTheEnd` is false if it had ended before, or was lost by the clocks: then
   * it can stand at the cluster for up to a TTL still. If no node answers in time, or the signal
   * fires or has fired, this rejects, and goes on trying for as long as the session lives. Again:
   * the same answer.
   */
  release(options?: CallOptions): Promise<{ readonly heldToTheEnd: boolean }>;
}

export interface LockSummary {
  readonly name: string;
  readonly rule: {
    readonly kind: "lock" | "semaphore";
    readonly permits?: number;
    readonly lockDelayMs?: number;
    readonly maxHoldMs?: number;
  };
  /** The first of them, in order. */
  readonly holders: readonly Holder[];
  /** All who hold. */
  readonly holderCount: number;
  /** All who wait. */
  readonly waiterCount: number;
}

export interface LockInfo extends LockSummary {
  /** The first who wait, in order. */
  readonly waiters: readonly Holder[];
  /** The last ends of grants, newest first. */
  readonly recent: readonly Transition[];
  /** Keys below the name that are no entries of the line: they neither hold nor block. */
  readonly ignored: readonly string[];
  readonly revision: number;
}

export interface Transition {
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly owner?: string;
  readonly reason: string;
  /** Who ended it, where somebody else did, and why. */
  readonly by?: string;
  readonly why?: string;
  /** How long it was held. */
  readonly heldMs: number;
  /** How long ago it ended. */
  readonly sinceMs: number;
}

/** Being the leader: a grant whose value everybody can read. `release` resigns. */
export interface Leadership extends Held {
  /** Changes what the leader proclaims. Rejects with `NOT_HELD` once it leads no more. */
  proclaim(value: Value, options?: CallOptions): Promise<void>;
  /**
   * Resigns; with `to`, the key of a candidate that waits, for that one, and everyone who stood
   * ahead of it stands behind. `NOT_IN_LINE`, `NOT_MOVABLE`: it leads on.
   */
  handOver(options?: CallOptions & { readonly to?: string }): Promise<void>;
}

export interface ScheduleOptions {
  /**
   * What becomes of a run whose claim ends without an outcome: claimable again (the run may
   * happen twice), or over (it may happen not at all). Default: reclaim.
   */
  readonly onAbandon?: "reclaim" | "close";
  /** No claim when the cluster's wall clock is later than the slot by more than this. */
  readonly lateMs?: number;
}

/** The runs of one job, each named by an integer, by custom the time it was scheduled for. */
export interface Schedule {
  readonly job: string;
  /** The claim on that run, or null: another has it, it is over, or it is too late. */
  claim(slot: Date | number, options?: CallOptions): Promise<Claim | null>;
}

/** One run of a job, claimed. Released without an outcome it is abandoned. */
export interface Claim extends Held {
  /** The run is over for ever. */
  done(note?: string, options?: CallOptions): Promise<void>;
  /** The same, as failed: it is not run again. */
  fail(note?: string, options?: CallOptions): Promise<void>;
}

export interface Election {
  readonly name: string;
  /** Stands for election and resolves when elected. */
  campaign(value: Value, options?: WaitOptions): Promise<Leadership>;
  /**
   * Campaigns, and runs `fn` while it leads. When `fn` is done or throws while still leading, it
   * resigns and that is the outcome; when leadership was lost, it campaigns again, after a first
   * term however long no node can be reached. Aborting the signal or closing the client ends it
   * between two terms; within one, that is up to `fn`. A session that was asked for is over when it
   * is lost, and this with it.
   */
  runWhileLeading(
    value: Value,
    fn: (leadership: Leadership) => Promise<void>,
    options?: CallOptions,
  ): Promise<void>;
  leader(options?: CallOptions): Promise<Leader | null>;
  /**
   * Every leader and proclamation from `from` on (absent: the leader of now first), in order;
   * null: nobody leads. Throws `HISTORY_GONE` when `from` has left the window of history.
   */
  observe(options?: ObserveOptions): AsyncIterable<Leader | null>;
}

export interface ObserveOptions {
  readonly from?: number;
  readonly signal?: AbortSignal;
}

/** Who leads, with what it proclaims. */
export interface Leader {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  /** What it proclaims, as text; bytes that are no UTF-8 show as U+FFFD. */
  readonly value: string;
  /** The same, exactly. */
  readonly bytes: Uint8Array;
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How long it has led. */
  readonly sinceMs: number;
}

/** A grant: a {@link Held}, its key, or its name and token. */
export type Grant = Pick<Held, "key"> | { readonly name: string; readonly token: number };

/** What must hold for a write to happen: `CONDITION_FAILED` or `NOT_HELD` otherwise. */
export interface Guard {
  /** The key's `modRevision`, or that it is absent, or that it exists. */
  readonly ifRevision?: number | "absent" | "exists";
  /** Only while this grant stands: decided by the cluster, at the write itself. */
  readonly heldBy?: Grant;
}

export interface PutOptions extends Guard, CallOptions {
  /** The key lives as long as this session's lease. Without it an ordinary key lives for ever. */
  readonly session?: Session;
}

export interface Kv {
  /** The key's record, or null. `serializable` asks only the node itself, which may be behind. */
  get(
    key: Key,
    options?: CallOptions & { readonly consistency?: "linearizable" | "serializable" },
  ): Promise<Entry | null>;
  put(
    key: Key,
    value: Value,
    options?: PutOptions,
  ): Promise<{ readonly revision: number; readonly created: boolean }>;
  /** Whether there was something to delete. */
  delete(key: Key, options?: Guard & CallOptions): Promise<boolean>;
  /** Creates `<prefix>/<20 digits>`, in the order of the cluster. */
  append(
    prefix: Key,
    value: Value,
    options?: CallOptions & Pick<Guard, "heldBy"> & { readonly session?: Session },
  ): Promise<{ readonly key: string; readonly revision: number }>;
  /** All keys with a prefix, in order, as of one moment. Pages by itself. */
  list(options: ListOptions): AsyncIterable<Entry>;
  /**
   * Every change from `from` on (absent: from now), each once, in order, through lost
   * connections.
   */
  watch(options: WatchOptions): AsyncIterable<Change>;
  /** Compares, then does one branch or the other, all at one revision. */
  txn(txn: Txn, options?: CallOptions): Promise<TxnResult>;
}

export interface ListOptions extends CallOptions {
  readonly prefix: Key;
  /** Leave the values out: they are "" then. */
  readonly keysOnly?: boolean;
  readonly order?: "ascend" | "descend";
}

export interface WatchOptions {
  /** One key. Exactly one of `key` and `prefix` is given. */
  readonly key?: Key;
  /** All keys that begin with it. */
  readonly prefix?: Key;
  /** The first revision wanted, inclusive; 0: from now. `HISTORY_GONE` if it has left the window of history. */
  readonly from?: number;
  readonly signal?: AbortSignal;
}

/** A key with its value and revisions. Copied by spreading it, it is without its two `Uint8Array`s. */
export interface Entry {
  /** As text; bytes that are no UTF-8 show as U+FFFD. */
  readonly key: string;
  /** The same, exactly. */
  readonly keyBytes: Uint8Array;
  /** As text; bytes that are no UTF-8 show as U+FFFD. */
  readonly value: string;
  /** The value exactly. */
  readonly bytes: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** How often it was written since it was created. */
  readonly version: number;
  readonly lease?: string;
}

/** One change of one key. */
export interface Change extends Entry {
  readonly kind: "put" | "delete";
  /** At which it happened; several changes may share one. */
  readonly revision: number;
  /** Why the key went: deleted, released, expired, revoked, broken. Absent for puts. */
  readonly cause?: string;
}

/** As in docs/PROTOCOL.md, `kv.txn`; keys and values are text or bytes. */
export type Txn = WireParamsOf<"kv.txn">;
export type TxnResult = WireResultOf<"kv.txn">;

/** A lease that stands. */
export interface LeaseTime {
  readonly lease: string;
  readonly ttlMs: number;
  /** What is left of it, as the node knows it. */
  readonly remainingMs: number;
}

export interface ListedLease extends LeaseTime {
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How many keys it carries. */
  readonly keyCount: number;
}

export interface LeaseDetails extends Partial<LeaseTime> {
  readonly lease: string;
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The keys that end with it: the first of them, as many as go into one answer. */
  readonly keys?: readonly string[];
  /** How many keys it carries. */
  readonly keyCount?: number;
  /** When it is over: why. */
  readonly ended?: { readonly reason: string };
}

export interface LeaseRevoked {
  readonly lease: string;
  /** Whether this call ended it. */
  readonly revoked: boolean;
  /** When it had ended before: why. */
  readonly ended?: { readonly reason: string };
}

export interface LeaseGrantOptions extends CallOptions {
  readonly ttlMs: number;
  /** Its id, lowercase hex; absent: the node draws one. */
  readonly lease?: string;
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Leases by hand. */
export interface Leases {
  grant(options: LeaseGrantOptions): Promise<LeaseTime>;
  /** Its full time again, once. Rejects with `LEASE_ENDED` or `NO_SUCH_LEASE`. */
  keepalive(lease: string, options?: CallOptions): Promise<LeaseTime>;
  /** Ends it, with its keys and grants. */
  revoke(lease: string, options?: CallOptions): Promise<LeaseRevoked>;
  get(lease: string, options?: CallOptions): Promise<LeaseDetails>;
  list(options?: CallOptions): AsyncIterable<ListedLease>;
}

export type ClusterStatus = ResultOf<"cluster.status">;
export type ClusterMembers = ResultOf<"cluster.members">;

export type MembersChanged = ResultOf<"cluster.add">;

/**
 * What the connected node tells of itself and its cluster, and changes of the cluster's members.
 *
 * A change is whole or not at all, and there is one at a time (`CHANGE_PENDING`). It is answered
 * when it is committed to its end. Nodes keep no answers of changes, so one whose answer is lost
 * rejects with `OUTCOME_UNKNOWN` and is never sent again: look at `members()`. A member is named
 * by its id or by its name (`NO_SUCH_MEMBER`).
 */
export interface Cluster {
  status(options?: CallOptions): Promise<ClusterStatus>;
  members(options?: CallOptions): Promise<ClusterMembers>;
  /**
   * Makes a new member, a learner: it will get the log and counts for nothing. Its process is
   * started afterwards, on an empty directory, with `--initial-cluster-state existing`. `name` is
   * its `--name`, `peerUrls` (like `http://10.0.0.4:2380`, 1 … 16) is where the other members
   * will reach it. `MEMBER_EXISTS`: a member has that name or one of the URLs; its id is in
   * `details`.
   */
  add(
    member: { readonly name: string; readonly peerUrls: readonly string[] },
    options?: CallOptions,
  ): Promise<MembersChanged>;
  /**
   * Lets a learner vote; with `replacing`, that member is taken out in the same step, dead or
   * alive. `LEARNER_BEHIND` (retryable): it has not started, or not caught up.
   * `WOULD_LOSE_QUORUM`: too few of those who would vote can be reached.
   */
  promote(
    member: string,
    options?: CallOptions & { readonly replacing?: string },
  ): Promise<MembersChanged>;
  /**
   * Takes a member out; its process ends by itself if it runs. `WOULD_LOSE_QUORUM`, `LAST_VOTER`:
   * the others could not go on without it.
   */
  remove(member: string, options?: CallOptions): Promise<MembersChanged>;
  /**
   * Hands leadership over to `to`, or to the follower that is furthest; who leads now. Nobody is
   * refused meanwhile for longer than an election takes. `NOT_TAKEN_OVER` (retryable).
   */
  transfer(options?: CallOptions & { readonly to?: string }): Promise<{ readonly leader: string }>;
}
