/**
 * What a Raft node wants done: the value of `Raft.take()`. Data only; the log loop carries it out.
 * The order of the duties is part of the contract and stands on each field.
 */
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Entry, HardState, SnapshotMetadata } from "./message/entry.js";
import type { Message } from "./message/message.js";

/** Whom this node takes for the leader. `leader` is null while it knows none. */
export interface Leadership {
  readonly term: Term;
  readonly leader: NodeId | null;
}

/** The answer to one `readIndex` or `confirmLeadership`. Each is answered exactly once. */
export interface ReadState {
  /** The caller's own number, as given. */
  readonly context: number;
  /** False: leadership was lost or unknown, or the question was; ask again if it still matters. */
  readonly confirmed: boolean;
  /** The term whose leader confirmed; if not confirmed, this node's term. */
  readonly term: Term;
  /** Confirmed reads may be served once this index is applied. 0 when not confirmed. */
  readonly index: LogIndex;
}

/** A follower needs a snapshot: send one of index >= `atLeast`, then call `snapshotSent`. */
export interface SnapshotRequest {
  readonly to: NodeId;
  readonly term: Term;
  readonly atLeast: LogIndex;
}

/**
 * Duties, for the Readys of one node in the order in which they were taken:
 *
 * 1. `snapshot`, `hardState`, `cutFrom`, `entries` are handed to storage in this order and in the
 *    order of the Readys. Then, when all of it is durable, `persisted(term, lastIndex)` is called.
 *    Completions come in order; one may stand for all before it. A Ready with none of these
 *    (`mustPersist` false) needs no call.
 * 2. `messages` leave at once, before anything is durable.
 * 3. `messagesAfterPersist` leave when this Ready and all before it are durable, so at once if
 *    they are.
 * 4. `snapshot`, then `committed`, are applied in order; durability here need not be awaited. Then
 *    `applied(index)` is called.
 * 5. `reads` with `confirmed` wait for `applied`; `confirmations` do not.
 */
export interface Ready {
  /** The node's term when this was taken; given back to `persisted`. */
  readonly term: Term;
  /** The log's last index when this was taken; given back to `persisted`. */
  readonly lastIndex: LogIndex;
  /** There is something for storage. */
  readonly mustPersist: boolean;
  /**
   * A snapshot, durable already, has replaced the log: storage forgets all entries, and its log
   * goes on after this index. The state machine loads it before it applies anything further.
   */
  readonly snapshot: SnapshotMetadata | null;
  readonly hardState: HardState | null;
  /** The durable tail from this index on contradicts the leader and is to be cut. */
  readonly cutFrom: LogIndex | null;
  /** To be appended: contiguous, after what storage was handed before (and has cut). */
  readonly entries: readonly Entry[];
  readonly messages: readonly Message[];
  readonly messagesAfterPersist: readonly Message[];
  /** Committed entries not handed out before, contiguous. May be a part; the next Ready goes on. */
  readonly committed: readonly Entry[];
  readonly snapshotRequests: readonly SnapshotRequest[];
  readonly reads: readonly ReadState[];
  readonly confirmations: readonly ReadState[];
  /** Set when term or leader changed since the last Ready. */
  readonly leadership: Leadership | null;
}
