/**
 * What Raft nodes say to each other. Plain data: no behaviour, no bytes (codec.ts has those).
 * Every message carries its sender's term, except where a field's comment says otherwise.
 * All of them may be lost, repeated and overtaken by others; the receiver copes.
 */
import type { LogIndex, NodeId, Term } from "../../base/ids.js";
import type { Entry, SnapshotMetadata } from "./entry.js";

/** "Would you vote for me in `term`?" Changes nothing at the receiver (thesis section 9.6). */
export interface PreVote {
  readonly type: "pre-vote";
  readonly from: NodeId;
  readonly to: NodeId;
  /** The term the sender would campaign in: its own plus one. */
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

export interface PreVoteReply {
  readonly type: "pre-vote-reply";
  readonly from: NodeId;
  readonly to: NodeId;
  /** The term asked about when granted, else the receiver's own. */
  readonly term: Term;
  readonly granted: boolean;
}

export interface Vote {
  readonly type: "vote";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The leader itself asked for this election, so whoever hears it need not refuse. */
  readonly forced: boolean;
}

/** A grant leaves only when the vote is durable. */
export interface VoteReply {
  readonly type: "vote-reply";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly granted: boolean;
}

export interface Append {
  readonly type: "append";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly previousIndex: LogIndex;
  readonly previousTerm: Term;
  readonly commit: LogIndex;
  /** Contiguous, the first at `previousIndex` + 1. May be empty (a probe). */
  readonly entries: readonly Entry[];
}

export interface AppendReply {
  readonly type: "append-reply";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  /**
   * Accepted: everything up to `index` equals the leader's log and is durable here.
   * Rejected: the `previousIndex` that did not fit.
   */
  readonly index: LogIndex;
  readonly rejected: boolean;
  /** Rejected: the greatest index up to which the logs may still agree, and the term there. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

export interface Heartbeat {
  readonly type: "heartbeat";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  /** The leader's commit index and the term of the entry there: a log that holds it may commit. */
  readonly commit: LogIndex;
  readonly commitTerm: Term;
  /** The newest read round; an answer confirms it and all before it. */
  readonly round: number;
  /** What the receiver has acknowledged in this term: its log cannot end before that. */
  readonly held: LogIndex;
}

export interface HeartbeatReply {
  readonly type: "heartbeat-reply";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly round: number;
}

/** The commit index alone, sent in the turn in which it moved. Has no answer. */
export interface Commit {
  readonly type: "commit";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly commit: LogIndex;
  readonly commitTerm: Term;
}

/** A follower asks the leader for a read index, once for all reads that wait there. */
export interface Read {
  readonly type: "read";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  /** The asker's own number, echoed. */
  readonly batch: number;
}

export interface ReadReply {
  readonly type: "read-reply";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly batch: number;
  readonly confirmed: boolean;
  /** Confirmed: the reads may be served once this index is applied. Else 0. */
  readonly index: LogIndex;
}

/** The leader asks the receiver to campaign at once (thesis section 3.10). */
export interface TimeoutNow {
  readonly type: "timeout-now";
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/**
 * Stepped at the receiver once the whole snapshot has arrived, on its own connection, and is
 * durable there. Its encoded form can serve as the head of that transfer.
 */
export interface Snapshot {
  readonly type: "snapshot";
  readonly from: NodeId;
  readonly to: NodeId;
  /** Any term the sender was in since the snapshot was asked for. */
  readonly term: Term;
  readonly metadata: SnapshotMetadata;
}

export type Message =
  | PreVote
  | PreVoteReply
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | Commit
  | Read
  | ReadReply
  | TimeoutNow
  | Snapshot;

export type MessageType = Message["type"];
