/**
 * One Raft node: the room's face. Pure and synchronous; what it wants done comes out of `take()`.
 * It owns no timer, disk, socket or thread. The log loop (src/log) calls it, and the simulator.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import { Core, type RaftStart, type Role } from "./core.js";
import {
  onPreVote,
  onPreVoteReply,
  onTimeoutNow,
  onVote,
  onVoteReply,
} from "./election/answers.js";
import { countVotes, startPreVote } from "./election/campaign.js";
import { leaderLost, tick } from "./election/timers.js";
import { admitted, type ChangeRefusal, isChanging } from "./membership/admission.js";
import { isSameMembership, type MembershipChange } from "./membership/change.js";
import { encodeConfiguration } from "./message/configuration.js";
import { type Configuration, ENTRY_KIND } from "./message/entry.js";
import type { Message } from "./message/message.js";
import { checkOptions } from "./options.js";
import { onRead, onReadReply } from "./reads/questions.js";
import type { Leadership, Ready } from "./ready.js";
import { onAppend, onSnapshot } from "./replication/follow.js";
import { commitAsTold, onHeartbeat } from "./replication/heartbeat.js";
import { advanceCommit, onAppendReply, onHeartbeatReply } from "./replication/replies.js";
import { wantedFrom } from "./replication/send.js";
import { bestSuccessor, startTransfer } from "./replication/transfer.js";
import { isReady, takeReady } from "./take.js";
import { answerStale, entersTerm } from "./terms.js";

/** Where a proposal stands in the log. It is committed when an entry of this term commits there. */
export interface Proposed {
  readonly index: LogIndex;
  readonly term: Term;
}

/** A refused proposal has had no effect and never will. */
export type ProposalRefusal =
  | "not-leader"
  /** It leads, but links to a quorum are known to be down. */
  | "no-quorum"
  /** It is handing over. */
  | "transferring"
  /** The log that is not applied yet is past its limit in bytes. */
  | "full";

export type ConfigurationRefusal =
  | ProposalRefusal
  /** Another configuration is not committed yet. */
  | "change-pending"
  /** Who is a member, or as what, would change: `changeMembership` does that. */
  | "changes-members";

export type TransferRefusal = "not-leader" | "not-a-voter";

/** For people and tests. */
export interface RaftStatus extends Leadership {
  readonly id: NodeId;
  readonly role: Role;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly lastIndex: LogIndex;
  /** The entry before the first one in memory. */
  readonly baseIndex: LogIndex;
  readonly transferee: NodeId | null;
}

export class Raft {
  private readonly core: Core;
  private told: Leadership;

  constructor(start: RaftStart) {
    checkOptions(start.options);
    this.core = new Core(start);
    this.told = { term: this.core.term, leader: null };
  }

  /**
   * Takes a message from a peer, as `decodeMessage` gave it, or the report that a snapshot has
   * been received and is durable. Messages for others and nonsense are dropped.
   */
  step(message: Message): void {
    const { core } = this;
    if (message.to !== core.id || message.from === core.id) return;
    const sender = core.tracker.find(message.from);
    if (sender !== undefined) sender.reachable = true;
    if (message.type === "snapshot") {
      const at = Math.max(message.term, message.metadata.term) as Term;
      if (at > core.term) core.becomeFollower(at, null);
      onSnapshot(core, message);
    } else if (message.term < core.term) {
      answerStale(core, message);
    } else if (message.term === core.term || entersTerm(core, message)) {
      this.dispatch(message);
    }
  }

  /** Comes in this node's own term, but for pre-votes. */
  private dispatch(message: Exclude<Message, { type: "snapshot" }>): void {
    const { core } = this;
    switch (message.type) {
      case "append":
        this.hear(message.from);
        onAppend(core, message);
        break;
      case "heartbeat":
        this.hear(message.from);
        onHeartbeat(core, message);
        break;
      case "commit":
        this.hear(message.from);
        commitAsTold(core, message);
        break;
      case "append-reply":
        onAppendReply(core, message);
        break;
      case "heartbeat-reply":
        onHeartbeatReply(core, message);
        break;
      case "read":
        onRead(core, message);
        break;
      case "read-reply":
        onReadReply(core, message);
        break;
      case "pre-vote":
        onPreVote(core, message);
        break;
      case "pre-vote-reply":
        onPreVoteReply(core, message);
        break;
      case "vote":
        onVote(core, message);
        break;
      case "vote-reply":
        onVoteReply(core, message);
        break;
      case "timeout-now":
        onTimeoutNow(core, message);
        break;
    }
  }

  /** The leader of this term gave a sign of life. */
  private hear(leader: NodeId): void {
    const { core } = this;
    assert(!core.isLeader, "a term has one leader");
    assert(core.leader === null || core.leader === leader, "a term has one leader");
    if (core.role !== "follower") core.becomeFollower(core.term, leader);
    core.follow(leader);
    core.electionElapsed = 0;
    core.failoverTicks = -1;
  }

  /** A tick of the clock has passed. A gap in the ticks counts as at most one heartbeat. */
  tick(): void {
    tick(this.core);
  }

  /** Asks for leadership now, by way of a pre-vote. For tests and the first start of a cluster. */
  campaign(): void {
    if (!this.core.isLeader) startPreVote(this.core);
  }

  /**
   * Leader: appends one entry per payload, at `index`, `index` + 1, … Nothing is promised until
   * they are committed. Payloads are not empty, pass into the log's ownership and never change.
   */
  propose(payloads: readonly Uint8Array[]): Proposed | ProposalRefusal {
    const { core } = this;
    const refusal = this.refusal();
    if (refusal !== null) return refusal;
    const index = (core.log.lastIndex + 1) as LogIndex;
    for (const payload of payloads) {
      assert(payload.length > 0, "only a leader's first entry is empty");
      core.appendOwn(ENTRY_KIND.normal, payload);
    }
    return { index, term: core.term };
  }

  /**
   * Leader: begins a change of who is a member and who votes. Another set of voters takes effect by
   * way of a joint configuration, which the leader of that time leaves by itself once it is
   * committed. Done when a configuration at or after the index given here is committed and not
   * joint. One change at a time. A leader that is no voter afterwards steps down when it is done.
   */
  changeMembership(change: MembershipChange): Proposed | ProposalRefusal | ChangeRefusal {
    const { core } = this;
    const refusal = this.refusal();
    if (refusal !== null) return refusal;
    const next = admitted(core, change);
    return typeof next === "string" ? next : this.configure(next);
  }

  /** Leader: replaces what is recorded about the members, but not who they are. One at a time. */
  proposeConfiguration(next: Configuration): Proposed | ConfigurationRefusal {
    const { core } = this;
    const refusal = this.refusal();
    if (refusal !== null) return refusal;
    const { current, currentIndex } = core.membership;
    if (currentIndex > core.log.committed) return "change-pending";
    return isSameMembership(current, next) ? this.configure(next) : "changes-members";
  }

  private configure(next: Configuration): Proposed {
    const { core } = this;
    const index = core.appendOwn(ENTRY_KIND.configuration, encodeConfiguration(next));
    return { index, term: core.term };
  }

  private refusal(): ProposalRefusal | null {
    const { core } = this;
    if (!core.isLeader) return "not-leader";
    if (core.transferee !== null) return "transferring";
    if (!core.reachesQuorum) return "no-quorum";
    const unapplied = core.log.bytesBetween(core.log.applied, core.log.lastIndex);
    return unapplied > core.options.unappliedBytes ? "full" : null;
  }

  /**
   * Asks for a read index, on any node. Answered once in `Ready.reads`; at the latest when the
   * leader changes, or an election timeout after it was sent to one.
   */
  readIndex(context: number): void {
    const { core } = this;
    if (core.isLeader) core.rounds.ask({ kind: "read", context, from: core.id });
    else core.forwarding.add(context);
  }

  /**
   * Asks whether this node leads: confirmed in `Ready.confirmations` when a quorum has answered a
   * round begun after this call, in its term; refused if it does not lead, or ceases to before.
   */
  confirmLeadership(context: number): void {
    const { core } = this;
    if (core.isLeader) core.rounds.ask({ kind: "confirmation", context, from: core.id });
    else core.confirmations.push(core.unconfirmed(context));
  }

  /**
   * Leader: hands over to `to`; takes no proposals until that has happened or an election timeout
   * has passed. Null: it is under way (or `to` leads already).
   */
  transferLeadership(to: NodeId): TransferRefusal | null {
    const { core } = this;
    if (!core.isLeader) return "not-leader";
    if (!core.membership.voters.incoming.includes(to)) return "not-a-voter";
    // Who cannot be reached does not take over, and writes need not wait for it.
    if (to !== core.id && core.tracker.reachableOf(to)) startTransfer(core, to);
    return null;
  }

  /** Leader: the best node to hand over to, or null if none is in reach. */
  bestSuccessor(): NodeId | null {
    return this.core.isLeader ? bestSuccessor(this.core) : null;
  }

  /**
   * An established link to `peer` closed, and this node did not close it. What was sent may be
   * lost; nothing more arrives over that link.
   */
  linkReset(peer: NodeId): void {
    this.unreachable(peer);
    if (this.core.role === "follower" && this.core.leader === peer) leaderLost(this.core);
  }

  /** A message to `peer` could not be sent: there is no link. */
  unreachable(peer: NodeId): void {
    const { core } = this;
    const progress = core.tracker.find(peer);
    if (progress === undefined || peer === core.id) return;
    progress.reachable = false;
    // Writes need not wait for it. If it campaigns all the same it is judged like anybody.
    if (core.transferee === peer) core.transferee = null;
    if (core.isLeader && progress.state !== "snapshot") progress.becomeProbe();
  }

  /** A link to `peer` stands (again): a leader resends from what the peer has acknowledged. */
  linkUp(peer: NodeId): void {
    const { core } = this;
    const progress = core.tracker.find(peer);
    if (progress === undefined) return;
    progress.reachable = true;
    if (core.isLeader && progress.state !== "snapshot") progress.becomeProbe();
  }

  /**
   * The snapshot that a Ready asked for was delivered and is durable there, or (`ok` false) was
   * not. Delivered, the peer says so itself too; that is what counts.
   */
  snapshotSent(peer: NodeId, ok: boolean): void {
    const { core } = this;
    const progress = core.tracker.find(peer);
    if (!core.isLeader || progress === undefined || progress.state !== "snapshot") return;
    if (ok) {
      progress.snapshotTicks = core.options.electionTicksMin;
    } else {
      progress.becomeProbe();
      progress.paused = true;
    }
  }

  /** True if `take` has something to say. */
  get hasReady(): boolean {
    return isReady(this.core, this.told);
  }

  /** All that has come up since the last call, once. Its duties stand at {@link Ready}. */
  take(): Ready {
    const ready = takeReady(this.core, this.told);
    if (ready.leadership !== null) this.told = ready.leadership;
    return ready;
  }

  /** Everything that Readys up to one with this term and last index handed to storage is durable. */
  persisted(at: Term, index: LogIndex): void {
    const { core } = this;
    if (at > core.durableTerm) core.durableTerm = at;
    if (at !== core.term) return;
    if (index > core.durable) core.durable = index;
    if (core.role === "candidate") {
      core.votes.record(core.id, true);
      countVotes(core);
    } else if (core.isLeader) {
      core.countOwnLog();
      advanceCommit(core);
    }
  }

  /** The state machine holds everything up to `index`. Lets go of log that nobody is to get. */
  applied(index: LogIndex): void {
    const { core } = this;
    const { tailBytes, laggardTailBytes } = core.options;
    core.log.appliedTo(index);
    core.membership.settled(index);
    core.log.trim(tailBytes, wantedFrom(core), laggardTailBytes);
  }

  /** Lets go of the log up to `index`, as far as it is applied, whatever the tail's limit. */
  compact(index: LogIndex): void {
    this.core.log.dropTo(index);
  }

  /** The configuration in force: the newest in the log, committed or not. */
  get configuration(): Configuration {
    return this.core.membership.current;
  }

  /** Where it stands in the log; what came with a snapshot stands at that snapshot's index. */
  get configurationIndex(): LogIndex {
    return this.core.membership.currentIndex;
  }

  /** Leader: a change of members is under way, or it does not know yet whether one is. */
  get isChanging(): boolean {
    return isChanging(this.core);
  }

  /** The one in force at `index`, from the last applied index on. */
  configurationAt(index: LogIndex): Configuration {
    return this.core.membership.at(index);
  }

  get term(): Term {
    return this.core.term;
  }

  /** Null while none is known; this node's own id while it leads. */
  get leader(): NodeId | null {
    return this.core.leader;
  }

  /** Everything up to here is final. */
  get committed(): LogIndex {
    return this.core.log.committed;
  }

  get role(): Role {
    return this.core.role;
  }

  /** The term of the entry at `index`; null if it is not in memory. */
  termAt(index: LogIndex): Term | null {
    return this.core.log.termAt(index);
  }

  status(): RaftStatus {
    const { id, role, term, leader, transferee, log } = this.core;
    const { committed, applied, lastIndex, baseIndex } = log;
    return { term, leader, id, role, committed, applied, lastIndex, baseIndex, transferee };
  }

  /** One line per follower, ascending; empty unless it leads. For people and tests. */
  followers(): readonly FollowerStatus[] {
    if (!this.core.isLeader) return [];
    return this.core.tracker.list
      .filter(({ id }) => id !== this.core.id)
      .map(({ id, state, match, next, reachable }) => ({ id, state, match, next, reachable }));
  }
}

export interface FollowerStatus {
  readonly id: NodeId;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly reachable: boolean;
}
