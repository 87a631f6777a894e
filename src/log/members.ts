/**
 * Changes of members as the port offers them, on the leader: a name and URLs become a member to
 * be, raft's refusals get the names that operators see, and the caller hears when the change has
 * come to its end, or that nobody here can tell. One at a time. What a change makes of the
 * configuration, and the joint step in between, is raft's.
 */
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import { nodeId } from "../base/ids.js";
import type { Random } from "../base/ports.js";
import { addressOf } from "../peer/index.js";
import type {
  MembershipChange,
  ProposalRefusal,
  Raft,
  ChangeRefusal as RaftRefusal,
} from "../raft/index.js";
import { isJoint, MEMBER_ROLE, type Member } from "../raft/message/index.js";
import type { ChangeOutcome, ChangeRefusal, MemberChange } from "./port/index.js";

const MAX_NAME_LENGTH = 255;
const MAX_PEER_URLS = 16;

interface Pending {
  readonly index: LogIndex;
  readonly term: Term;
  readonly member: NodeId;
  readonly done: (outcome: ChangeOutcome) => void;
  /** Counted down once this node does not lead any more. */
  ticksLeft: number;
}

/** Not begun: raft is not done with the configuration before it. */
interface Held {
  readonly change: MemberChange;
  readonly done: (outcome: ChangeOutcome) => void;
  ticksLeft: number;
}

export interface MemberChangesParts {
  readonly raft: Raft;
  readonly random: Random;
  /** How long a leader of the past waits to see what became of a change. */
  readonly patienceTicks: number;
  readonly schedule: (callback: () => void) => void;
}

export class MemberChanges {
  readonly #parts: MemberChangesParts;
  #held: Held | null = null;
  #pending: Pending | null = null;

  constructor(parts: MemberChangesParts) {
    this.#parts = parts;
  }

  /** `done` comes once, in a later turn. */
  begin(change: MemberChange, done: (outcome: ChangeOutcome) => void): void {
    const { patienceTicks } = this.#parts;
    if (this.#pending !== null || this.#held !== null) {
      this.#answer(done, { ok: false, refusal: "change-pending" });
    } else {
      this.#held = { change, done, ticksLeft: patienceTicks };
      this.#tryHeld();
    }
  }

  /**
   * What a new leader still writes down about the members, and what the one before it began, is
   * waited for; changes of two operators are not put in a row.
   */
  #tryHeld(): boolean {
    const held = this.#held;
    if (held === null) return false;
    const { raft, patienceTicks } = this.#parts;
    if (raft.role === "leader" && raft.isChanging && held.ticksLeft > 0) return false;
    this.#held = null;
    const { change, done } = held;
    // What it knows of the members may be old.
    if (raft.role !== "leader") {
      this.#answer(done, { ok: false, refusal: "not-leader" });
      return false;
    }
    const planned = this.#plan(change);
    if (typeof planned === "string") {
      this.#answer(done, { ok: false, refusal: planned });
      return false;
    }
    const begun = raft.changeMembership(planned.membership);
    if (typeof begun === "string") {
      this.#answer(done, { ok: false, refusal: named(begun) });
      return false;
    }
    const { index, term } = begun;
    this.#pending = { index, term, member: planned.member, done, ticksLeft: patienceTicks };
    return true;
  }

  /** To be called whenever raft may have moved on. True: raft has something to do now. */
  passed(): boolean {
    this.#settle();
    return this.#tryHeld();
  }

  #settle(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const { raft } = this.#parts;
    const { committed, term: present } = raft.status();
    if (committed < pending.index) return;
    // What is committed in the term in which this node led is its own, also where the log has been
    // cut off meanwhile. A later leader's snapshot does not tell whose entry it covers.
    const term = present === pending.term ? present : raft.termAt(pending.index);
    if (term === null) {
      this.#end({ ok: false, refusal: "unknown" });
    } else if (term !== pending.term) {
      this.#end({ ok: false, refusal: "not-leader" });
    } else if (!isJoint(raft.configuration) && raft.configurationIndex <= committed) {
      this.#end({ ok: true, member: pending.member });
    }
  }

  ticked(ticks: number): void {
    if (this.#held !== null) this.#held.ticksLeft -= ticks;
    const pending = this.#pending;
    if (pending === null) return;
    // Who leads again, in another term, may have had it cut off, and may never come to its place.
    const { role, term } = this.#parts.raft.status();
    if (role === "leader" && term === pending.term) return;
    pending.ticksLeft -= ticks;
    if (pending.ticksLeft <= 0) this.#end({ ok: false, refusal: "unknown" });
  }

  close(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#answer(held.done, { ok: false, refusal: "not-leader" });
    if (this.#pending !== null) this.#end({ ok: false, refusal: "unknown" });
  }

  #end(outcome: ChangeOutcome): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) this.#answer(pending.done, outcome);
  }

  #answer(done: (outcome: ChangeOutcome) => void, outcome: ChangeOutcome): void {
    this.#parts.schedule(() => done(outcome));
  }

  #plan(change: MemberChange): { membership: MembershipChange; member: NodeId } | ChangeRefusal {
    const { members } = this.#parts.raft.configuration;
    if (change.kind === "add") return this.#planAdd(change, members);
    const member = members.find(({ id }) => id === change.member);
    if (member === undefined) return "no-such-member";
    if (change.kind === "remove") return { membership: { remove: [member.id] }, member: member.id };
    if (member.role !== MEMBER_ROLE.learner) return "not-a-learner";
    // A directory that nobody has seen yet may still be exchanged for another one.
    if (member.incarnation === "") return "learner-behind";
    const remove = change.replacing === null ? [] : [change.replacing];
    return { membership: { promote: [member.id], remove }, member: member.id };
  }

  #planAdd(
    { name, peerUrls }: Extract<MemberChange, { kind: "add" }>,
    members: readonly Member[],
  ): { membership: MembershipChange; member: NodeId } | ChangeRefusal {
    if (name.length === 0 || name.length > MAX_NAME_LENGTH) return "bad-member";
    if (peerUrls.length === 0 || peerUrls.length > MAX_PEER_URLS) return "bad-member";
    if (peerUrls.some(url => addressOf(url) === null)) return "bad-member";
    const isTaken = (member: Member): boolean =>
      member.name === name || member.peerUrls.some(url => peerUrls.includes(url));
    if (members.some(isTaken)) return "member-exists";
    const id = this.#drawId();
    const member = { id, name, peerUrls: [...peerUrls], clientUrls: [], incarnation: "" };
    return { membership: { add: [member] }, member: id };
  }

  /** Never an id that was ever seen here. */
  #drawId(): NodeId {
    const { raft, random } = this.#parts;
    const { members, removed } = raft.configuration;
    for (;;) {
      const id = nodeId(1 + random.below(2 ** 21) * 2 ** 31 + random.below(2 ** 31));
      if (!members.some(member => member.id === id) && !removed.includes(id)) return id;
    }
  }
}

/** Raft's refusals as operators see them. */
function named(refusal: RaftRefusal | ProposalRefusal): ChangeRefusal {
  switch (refusal) {
    case "transferring":
      return "no-quorum";
    case "full":
      return "overloaded";
    case "known-member":
      return "member-exists";
    // Not to be asked again as it is: one member named twice in one change.
    case "nothing-to-change":
    case "contradiction":
      return "bad-member";
    case "no-voters":
      return "last-voter";
    default:
      return refusal;
  }
}
