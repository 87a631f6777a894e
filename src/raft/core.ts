/**
 * The state of one node, and the transitions between roles that everything else is made of. The
 * handlers beside it (election/, replication/, reads/) work on it; raft.ts is its face. Nothing
 * here is sent: messages are put into `outbox`, or `deferred` when they vouch for durability.
 */
import { assert } from "../base/assert.js";
import { type LogIndex, logIndex, type NodeId, type Term, term } from "../base/ids.js";
import type { Random } from "../base/ports.js";
import { Votes } from "./election/votes.js";
import { MemoryLog } from "./log/memory-log.js";
import { Membership } from "./membership/membership.js";
import { decodeConfiguration } from "./message/configuration.js";
import {
  type Configuration,
  ENTRY_KIND,
  type Entry,
  type HardState,
  type SnapshotMetadata,
} from "./message/entry.js";
import type { Message } from "./message/message.js";
import type { RaftOptions } from "./options.js";
import { Tracker } from "./progress/tracker.js";
import { verdict } from "./quorum/quorum.js";
import { Forwarding } from "./reads/forwarding.js";
import { type Question, ReadRounds } from "./reads/rounds.js";
import type { ReadState, SnapshotRequest } from "./ready.js";

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** What a node starts from: all of it durable. */
export interface RaftStart {
  readonly id: NodeId;
  /** As recovered. May be behind the snapshot's term. */
  readonly hardState: HardState;
  /** In force at `snapshot.index`. */
  readonly configuration: Configuration;
  /** Index and term of what precedes `entries`; both 0 for a log from its beginning. */
  readonly snapshot: { readonly index: LogIndex; readonly term: Term };
  /** Contiguous from `snapshot.index` + 1. May hold an uncommitted tail. */
  readonly entries: readonly Entry[];
  readonly options: RaftOptions;
  /** A stream of this node's own. */
  readonly random: Random;
}

const BATCH_NUMBERS = 2 ** 48;

export class Core {
  readonly id: NodeId;
  readonly options: RaftOptions;
  readonly random: Random;

  role: Role = "follower";
  term: Term;
  votedFor: NodeId | null;
  /** Whom this node follows in `term`; itself when it leads. */
  leader: NodeId | null = null;

  readonly log: MemoryLog;
  readonly membership: Membership;
  readonly tracker = new Tracker();
  readonly votes = new Votes();
  readonly rounds = new ReadRounds();
  readonly forwarding: Forwarding;

  /** Ticks since a leader was heard, a vote granted or a campaign begun; on a leader since CheckQuorum. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** When `electionElapsed` reaches it, a follower campaigns. */
  timeoutTicks = 0;
  /** Ticks left to the pre-vote after the leader's link closed; -1: none is due. */
  failoverTicks = -1;
  /**
   * Since a leader was last followed it has refused a candidate whose log lacks entries that this
   * one has: its vote is needed where it is no voter by its own log, or no longer.
   */
  isCountedOn = false;
  /** Since a leader was last followed it has given up its own pre-vote for a greater one's. */
  hasWithdrawn = false;
  /** Ticks since the last such try; one is allowed per election timeout. */
  sinceFailover = Number.MAX_SAFE_INTEGER;

  /** Leader: whom it is handing over to, and for how many ticks it has tried. */
  transferee: NodeId | null = null;
  transferElapsed = 0;
  transferSent = false;

  /**
   * How much of the log is known to be durable, by completions of Readys taken in this term (0
   * before the first): what an earlier term vouched for may have been cut and rewritten since.
   * Only a leader may rely on it, since only a leader's log is never cut within its term.
   */
  durable: LogIndex = logIndex(0);
  /** The greatest term that is known to be durable. */
  durableTerm: Term;

  outbox: Message[] = [];
  deferred: Message[] = [];
  hardStateDirty = false;
  cutFrom: LogIndex | null = null;
  installed: SnapshotMetadata | null = null;
  /** Follower: the log equals the leader's up to here, and the leader has not been told yet. */
  acknowledge: LogIndex | null = null;
  snapshotRequests: SnapshotRequest[] = [];
  reads: ReadState[] = [];
  confirmations: ReadState[] = [];

  constructor(start: RaftStart) {
    const { id, hardState, snapshot, entries, options, random } = start;
    this.id = id;
    this.options = options;
    this.random = random;
    this.term = hardState.term;
    this.durableTerm = hardState.term;
    this.votedFor = hardState.votedFor;
    this.log = new MemoryLog(snapshot.index, snapshot.term, entries);
    // A snapshot can be durable before the term in which it came: that term's vote is then unused.
    if (this.log.lastTerm > this.term) this.enterTerm(this.log.lastTerm, null);
    assert(this.log.lastTerm <= this.term, "a node's term is not behind its log");
    this.membership = new Membership(snapshot.index, start.configuration);
    for (const entry of entries) this.notice(entry);
    this.forwarding = new Forwarding(random.below(BATCH_NUMBERS));
    this.membershipChanged();
    this.drawTimeout();
  }

  get isLeader(): boolean {
    return this.role === "leader";
  }

  /** By the configuration in force. */
  get isVoter(): boolean {
    return this.membership.isVoter(this.id);
  }

  /** It may campaign, though its own vote counts only while it is a voter (thesis section 4.2.2). */
  get mayCampaign(): boolean {
    return this.isCountedOn || this.membership.mayVoteAfter(this.log.committed, this.id);
  }

  /** An entry of the leader's own term is committed: it knows the true commit index. */
  get hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.committed) === this.term;
  }

  /** On the leader: no quorum is known to be out of reach. */
  get reachesQuorum(): boolean {
    return this.holdsFor(this.tracker.reachableOf);
  }

  /** True if a quorum has the property. */
  holdsFor(property: (id: NodeId) => boolean): boolean {
    return verdict(this.membership.voters, property) === "won";
  }

  /**
   * It hears a leader (or is one that reaches a quorum): rivals are refused, so that a node that
   * merely lost sight of the leader cannot depose it (thesis section 4.2.3).
   */
  get hearsLeader(): boolean {
    if (this.isLeader) return this.reachesQuorum;
    return this.leader !== null && this.electionElapsed < this.options.electionTicksMin;
  }

  /** In every role but leader, and at every step into one: a fresh random timeout. */
  drawTimeout(): void {
    const { electionTicksMin, electionTicksMax } = this.options;
    this.electionElapsed = 0;
    const span = electionTicksMax - electionTicksMin + 1;
    this.timeoutTicks = electionTicksMin + this.random.below(span);
  }

  /** Follows `leader` (null: none known) in `at`, which is not behind the present term. */
  becomeFollower(at: Term, leader: NodeId | null): void {
    assert(at >= this.term, "a node's term never falls");
    this.leaveRole();
    if (at > this.term) this.enterTerm(at, null);
    this.role = "follower";
    this.follow(leader);
    this.drawTimeout();
  }

  /** Asks around whether it could win; its term stays. */
  becomePreCandidate(): void {
    assert(this.role !== "leader", "a leader does not campaign");
    this.leaveRole();
    this.role = "pre-candidate";
    this.follow(null);
    this.drawTimeout();
    this.votes.clear();
    this.votes.record(this.id, true);
  }

  /** Campaigns in the next term. Its own vote counts once it is durable. */
  becomeCandidate(): void {
    assert(this.role !== "leader", "a leader does not campaign");
    this.leaveRole();
    this.enterTerm(term(this.term + 1), this.id);
    this.role = "candidate";
    this.follow(null);
    this.drawTimeout();
    this.votes.clear();
  }

  /** Won: begins its term with an empty entry, since only own-term entries commit by counting. */
  becomeLeader(): void {
    assert(this.role === "candidate", "only a candidate becomes leader");
    this.role = "leader";
    this.follow(this.id);
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.tracker.reset(this.log.lastIndex);
    this.appendOwn(ENTRY_KIND.normal, EMPTY);
    this.countOwnLog();
  }

  private enterTerm(at: Term, votedFor: NodeId | null): void {
    this.term = at;
    this.votedFor = votedFor;
    this.hardStateDirty = true;
    this.durable = logIndex(0);
    this.acknowledge = null;
  }

  /** Whatever hung on the present role or leader is over. */
  private leaveRole(): void {
    if (this.isLeader) this.abandonRounds();
    this.transferee = null;
    this.failoverTicks = -1;
  }

  /** Sets the leader; reads that were on their way to another one are lost. */
  follow(leader: NodeId | null): void {
    if (leader !== null) {
      this.isCountedOn = false;
      this.hasWithdrawn = false;
    }
    if (leader === this.leader) return;
    this.failForwarded();
    this.leader = leader;
  }

  failForwarded(): void {
    for (const context of this.forwarding.abandon()) this.failRead(context);
  }

  private abandonRounds(): void {
    for (const question of this.rounds.abandon()) this.refuse(question);
  }

  refuse({ kind, context, from }: Question): void {
    if (kind === "read") this.failRead(context);
    else if (kind === "confirmation") this.confirmations.push(this.unconfirmed(context));
    else this.replyRead(from, context, null);
  }

  failRead(context: number): void {
    this.reads.push(this.unconfirmed(context));
  }

  unconfirmed(context: number): ReadState {
    return { context, confirmed: false, term: this.term, index: logIndex(0) };
  }

  /** Answers a follower's batch of reads; null: it cannot be confirmed. */
  replyRead(to: NodeId, batch: number, index: LogIndex | null): void {
    this.outbox.push({
      type: "read-reply",
      from: this.id,
      to,
      term: this.term,
      batch,
      confirmed: index !== null,
      index: index ?? logIndex(0),
    });
  }

  /** Leader: appends to its own log. */
  appendOwn(kind: Entry["kind"], payload: Uint8Array): LogIndex {
    const index = logIndex(this.log.lastIndex + 1);
    this.append({ term: this.term, index, kind, payload });
    return index;
  }

  append(entry: Entry): void {
    this.log.append(entry);
    if (this.notice(entry)) this.membershipChanged();
  }

  /** The leader contradicts the log from `index` on. */
  cutLog(index: LogIndex): void {
    assert(!this.isLeader, "a leader's log is never cut");
    if (index <= this.log.handedToStorage) {
      this.cutFrom = logIndex(Math.min(index, this.cutFrom ?? index));
    }
    this.log.cutFrom(index);
    if (this.membership.cutFrom(index)) this.membershipChanged();
  }

  private notice(entry: Entry): boolean {
    if (entry.kind !== ENTRY_KIND.configuration) return false;
    this.membership.appended(entry.index, decodeConfiguration(entry.payload));
    return true;
  }

  membershipChanged(): void {
    this.tracker.setNodes(this.membership.nodes, this.log.lastIndex);
  }

  /** Leader: what is durable here counts like a follower's acknowledgement. */
  countOwnLog(): void {
    const own = this.tracker.find(this.id);
    if (own === undefined) return;
    assert(this.durable <= this.log.lastIndex, "what is durable is in the leader's log");
    own.match = this.durable;
    own.next = logIndex(this.log.lastIndex + 1);
  }
}

const EMPTY = new Uint8Array(0);
