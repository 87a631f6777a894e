/**
 * The replicated log as one port: what a state machine needs of it, and what it asks of the state
 * machine's host. Knows nothing of Raft, so that a log kept by another engine can stand here.
 *
 * Everything runs on one thread; callbacks never run inside the call that registered them, except
 * where a line below says so. Nothing here throws for reasons outside this process.
 */
import type { LogIndex, NodeId, Term } from "../../base/ids.js";

/** Who leads, as this node sees it. */
export interface Leadership {
  readonly term: Term;
  /** null while no leader is known. */
  readonly leader: NodeId | null;
  /**
   * True on the leader, once the first entry of its own term is committed and handed to the host:
   * from then on it may serve. Always false elsewhere.
   */
  readonly serving: boolean;
}

/** Why an append was refused. A refused append has had no effect and never will have. */
export type AppendRefusal =
  | "not-leader" // this node does not lead, or not in the term asked for
  | "no-quorum" // it leads but is cut from a quorum, or is handing over
  | "overloaded"; // the uncommitted part of the log is at its limit

export type AppendOutcome =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly refusal: AppendRefusal };

/**
 * A snapshot being written. One at a time. Slices are written in the order given, paced by the log
 * so that appends do not wait behind them.
 */
export interface SnapshotSink {
  /** Takes ownership of `slice` (1 byte … 1 MiB). `next` is called when another slice is welcome. */
  write(slice: Uint8Array, next: () => void): void;
  /** Makes it durable. `done` with false: it was given up, the log goes on without it. */
  finish(done: (durable: boolean) => void): void;
  abort(): void;
}

/** A durable snapshot being read: `read` gives the next slice, or null after the last one. */
export interface SnapshotSource {
  readonly index: LogIndex;
  readonly term: Term;
  read(done: (slice: Uint8Array | null) => void): void;
  close(): void;
}

/** What the log asks of the replica above it. The log calls these from turns of its own. */
export interface LogHost {
  /**
   * Replace the whole state by this snapshot: at the start when there is one, and whenever this
   * node was too far behind. No `committed` comes before `done`; the next is `source.index + 1`.
   */
  restore(source: SnapshotSource, done: () => void): void;
  /**
   * One committed entry, in log order, each index exactly once per run of the process. When it
   * returns, the entry is applied. `payload` is empty (length 0) for entries of the log's own (a
   * leader's first entry, a configuration). It must not be kept or changed after the return.
   */
  committed(index: LogIndex, term: Term, payload: Uint8Array): void;
  /** All that was committed in this turn has been handed over: time to answer. */
  turnEnded(): void;
  /** The term, the leader, or `serving` changed. Comes after every `committed` that led to it. */
  leadershipChanged(now: Leadership): void;
  /**
   * Another node asks. Asks of one node arrive in the order it sent them, while the link stands.
   * Answer at most once, now or later; an answer may be lost.
   */
  asked(from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void;
  /** A laggard needs a newer snapshot than there is: begin one soon, if none is being written. */
  snapshotWanted(): void;
  /** The log cannot go on (disk error, damage, replaced member). The process must stop. */
  fatal(failure: LogFailure): void;
}

export interface LogFailure {
  /** e.g. `DISK_FAILED`, `WAL_DAMAGED`, `MEMBER_REPLACED`, `MEMBER_REMOVED`. */
  readonly code: string;
  /** What happened, where, and what to do about it. */
  readonly message: string;
}

export interface LogMember {
  readonly id: NodeId;
  readonly name: string;
  readonly role: "voter" | "learner" | "leaving";
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/** What an operator may ask for. Each is whole or not at all. */
export type MemberChange =
  /** A learner: it gets the log and counts for nothing. Its process may start afterwards. */
  | { readonly kind: "add"; readonly name: string; readonly peerUrls: readonly string[] }
  /** A learner shall vote; with `replacing`, that member is taken out in the same step. */
  | { readonly kind: "promote"; readonly member: NodeId; readonly replacing: NodeId | null }
  | { readonly kind: "remove"; readonly member: NodeId };

export type ChangeRefusal =
  | "not-leader"
  | "no-quorum"
  | "overloaded"
  /** Another change is under way, or this leader is too new to know. Ask again. */
  | "change-pending"
  /** A name without characters or too long, or a peer URL that is none. */
  | "bad-member"
  /** A member has that name or one of these peer URLs. */
  | "member-exists"
  | "no-such-member"
  /** It votes already. */
  | "not-a-learner"
  /** It has not started yet, or not caught up with the log. Ask again later. */
  | "learner-behind"
  /** Too few of those who would vote afterwards can be reached now. */
  | "would-lose-quorum"
  | "last-voter";

/** `unknown`: this node ceased to lead before the end of it; look at the members later. */
export type ChangeOutcome =
  | { readonly ok: true; readonly member: NodeId }
  | { readonly ok: false; readonly refusal: ChangeRefusal | "unknown" };

export type TransferOutcome =
  | { readonly ok: true; readonly leader: NodeId }
  | {
      readonly ok: false;
      readonly refusal:
        | "not-leader"
        | "not-a-voter"
        /** No voter is in reach. */
        | "no-successor"
        /** It did not take over within an election timeout. */
        | "not-taken-over";
    };

export interface LogStatus {
  /** 16 hex digits. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly name: string;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** Bytes of log written since the newest durable snapshot: the host snapshots by it. */
  readonly bytesSinceSnapshot: number;
  readonly snapshotIndex: LogIndex;
  /** What the node waits for before it may take part, for people; absent when it waits for nothing. */
  readonly waitingFor?: string;
  readonly peers: readonly { readonly id: NodeId; readonly connected: boolean }[];
}

export interface ReplicatedLog {
  /**
   * Starts: recovers from disk, restores the host, then takes part. `started` with null on success.
   * `committed` calls for entries that were known to be committed follow as the cluster confirms
   * them.
   */
  start(host: LogHost, started: (failure: LogFailure | null) => void): void;
  /**
   * Appends on the leader. `payload` (1 byte … the entry limit) passes into the log's ownership.
   * With `onlyInTerm`, refused unless this node leads in exactly that term. `ok` promises nothing yet:
   * the entry is committed when the host sees (index, term), and will never be once the host has
   * seen another term's entry at `index`, or any entry of a later term at or before it.
   */
  append(payload: Uint8Array, onlyInTerm: Term | null): AppendOutcome;
  /**
   * A linearizable read point, on any node: `done(true)` after every entry that was committed
   * anywhere before this call has been handed to the host, with no `committed` between that and the
   * callback's return. `done(false)`: no leader confirmed it in time; ask again or report.
   */
  barrier(done: (confirmed: boolean) => void): void;
  /**
   * On the serving leader: `done(term)` after a heartbeat round *begun after this call* was
   * confirmed by a quorum in `term`; `done(null)` if this node does not lead, or ceased to before
   * that.
   */
  confirmLeadership(done: (confirmedIn: Term | null) => void): void;
  leadership(): Leadership;
  /**
   * Sends `question` to `node` (this node itself included). `done(answer)`, or `done(null)` when the
   * link broke, is down, or nothing came within the log's time limit: it may or may not have
   * arrived.
   */
  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void;
  /**
   * Begins a snapshot of the state as of `index`, which must be the last index handed to the host.
   * null when one is being written already or the log is stopping.
   */
  beginSnapshot(index: LogIndex): SnapshotSink | null;
  members(): readonly LogMember[];
  /**
   * On the leader: changes the members. `done` once, in a later turn, when the change is committed
   * to its end, or refused.
   */
  changeMembers(change: MemberChange, done: (outcome: ChangeOutcome) => void): void;
  /** On the leader: hands over to `to`, or (null) to the best follower. `done` as above. */
  transferLeadership(to: NodeId | null, done: (outcome: TransferOutcome) => void): void;
  status(): LogStatus;
  /** Hands leadership over if it leads, closes links and files. `done` once all is closed. */
  stop(done: () => void): void;
}
