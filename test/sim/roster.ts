/**
 * Who is a member, as far as it is committed: configurations in the order of the log, from those
 * seen on the wire and the entries that nodes hand over; and what somebody was told of members,
 * which must have become true at the end. What Raft must keep of configurations is quorums.ts.
 */
import {
  type Configuration,
  isJoint,
  MEMBER_ROLE,
  type Member,
} from "../../src/raft/message/index.js";
import type { SimNode } from "./node.js";
import type { Placed } from "./quorums.js";
import { sometimes } from "./sometimes.js";
import type { Truth } from "./truth.js";

/** What an operator was told of one change, and how often it came to be. */
interface Tally {
  done: number;
  unknown: number;
  seen: number;
}

export interface RosterSource {
  /** The configuration at this place of the log, if it is one and was seen. */
  placedAt(index: number, term: number): Placed | null;
  leaderOf(term: number): number | null;
}

export class Roster {
  readonly #truth: Truth;
  readonly #source: RosterSource;
  /** Names of those that the cluster begins with. */
  readonly #first: readonly string[];
  /** Seen on the wire, and neither committed nor replaced. */
  #undecided: Placed[] = [];
  #current: Configuration | null = null;
  #currentTerm = 0;
  #index = 0;
  /** An entry of the log's own was committed that nobody sent. */
  #mayBeUnseen = false;
  readonly #removed = new Set<number>();
  /** Ids that nodes were told are removed. */
  readonly #told = new Map<number, string>();
  readonly #tallies = new Map<string, Tally>();

  constructor(truth: Truth, source: RosterSource, first: readonly string[]) {
    this.#truth = truth;
    this.#source = source;
    this.#first = first;
  }

  /** Committed; null before the first one is. */
  get current(): Configuration | null {
    return this.#current;
  }

  get members(): readonly Member[] {
    return this.#current?.members ?? [];
  }

  /** Names of those who vote, as of what is committed. */
  get voters(): readonly string[] {
    if (this.#current === null) return this.#first;
    return this.members.flatMap(({ name, role }) => (role === MEMBER_ROLE.voter ? [name] : []));
  }

  get isSettled(): boolean {
    return this.#undecided.length === 0 && (this.#current === null || !isJoint(this.#current));
  }

  /** Sets of names of whom each needs a majority, whatever becomes of changes under way. */
  electorates(): readonly (readonly string[])[] {
    if (this.#current === null) return [this.#first];
    const all = [this.#current, ...this.#undecided.map(({ configuration }) => configuration)];
    return all.flatMap(({ members, outgoingVoters }) => {
      const incoming = members.filter(({ role }) => role === MEMBER_ROLE.voter);
      const outgoing = members.filter(({ id }) => outgoingVoters.includes(id));
      return [incoming, outgoing].flatMap(half =>
        half.length === 0 ? [] : [half.map(({ name }) => name)],
      );
    });
  }

  /** On the disk it has now, and by what is committed. */
  isMember(node: SimNode): boolean {
    if (this.#current === null) return this.#first.includes(node.name);
    const member = this.members.find(({ name }) => name === node.name);
    return member !== undefined && (node.memberId === null || node.memberId === member.id);
  }

  wasRemoved(id: number | null): boolean {
    return id !== null && this.#removed.has(id);
  }

  // What becomes known.

  /** Seen on the wire for the first time. */
  entered(placed: Placed): void {
    if (placed.index > this.#truth.index) this.#undecided.push(placed);
  }

  /** `node` hands over an entry, which the truth has taken in. */
  committed(node: SimNode, index: number, term: number, isEmpty: boolean): void {
    if (index <= this.#index) return;
    this.#index = index;
    const placed = isEmpty ? this.#source.placedAt(index, term) : null;
    if (placed !== null) this.#inForce(placed.configuration, term);
    this.#mayBeUnseen = placed === null && (isEmpty || this.#mayBeUnseen);
    if (this.#mayBeUnseen) this.#unseen(node, term);
    if (this.#undecided.length === 0) return;
    const cut = this.#undecided.filter(one => one.index === index && one.term !== term);
    if (cut.length > 0) sometimes("a change undone with its leader's tail");
    this.#undecided = this.#undecided.filter(one => one.index > index);
  }

  /** A leader without others sends its entries to nobody: but then it is the only voter. */
  #unseen(node: SimNode, term: number): void {
    const { lastIndex = 0, commitIndex = -1 } = node.log?.status() ?? {};
    if (!node.leads || this.#current === null || lastIndex !== commitIndex) return;
    this.#mayBeUnseen = false;
    const members = (node.log?.members() ?? []) as readonly Member[];
    const votes = members.filter(({ role }) => role !== MEMBER_ROLE.learner);
    if (votes.length !== 1) return;
    const isHere = ({ id }: Member): boolean => members.some(one => one.id === id);
    const gone = this.members.filter(one => !isHere(one)).map(({ id }) => id);
    const removed = [...this.#current.removed, ...gone];
    this.#inForce({ members, outgoingVoters: [], removed }, term);
  }

  #inForce(next: Configuration, term: number): void {
    const before = this.#current;
    if (before !== null) this.#compare(before, next, term);
    for (const id of next.removed) this.#removed.add(id);
    this.#current = next;
    this.#currentTerm = term;
  }

  #compare(before: Configuration, next: Configuration, term: number): void {
    const roleOf = new Map(before.members.map(({ id, role }) => [id, role]));
    for (const { id, name, role } of next.members) {
      const was = roleOf.get(id);
      if (was === undefined) this.#tally(`add ${name}`).seen += 1;
      if (was === role || was === undefined) continue;
      if (role === MEMBER_ROLE.voter) this.#tally(`promote ${id}`).seen += 1;
      if (role === MEMBER_ROLE.voter) sometimes("a learner promoted");
      if (role === MEMBER_ROLE.leaving) this.#tally(`remove ${id}`).seen += 1;
    }
    const stays = new Set<number>(next.members.map(({ id }) => id));
    for (const { id, role } of before.members)
      if (!stays.has(id) && role !== MEMBER_ROLE.leaving) this.#tally(`remove ${id}`).seen += 1;
    if (!isJoint(before) || isJoint(next)) return;
    if (this.#currentTerm !== term)
      sometimes("joint configuration left by another leader than began it");
    const leader = this.#source.leaderOf(term);
    if (leader !== null && !stays.has(leader)) sometimes("leader removed itself");
  }

  /** A node that has all that is committed and nothing else sees the members as they are. */
  compare({ name, log }: SimNode): void {
    const { lastIndex = 0, commitIndex = -1 } = log?.status() ?? {};
    const isCurrent = lastIndex === this.#index && commitIndex === this.#index;
    if (!isCurrent || log === null || this.#current === null || this.#mayBeUnseen) return;
    const told = describe(log.members());
    const known = describe(this.members);
    if (told !== known) this.#truth.fail(`${name} sees the members ${told}, and they are ${known}`);
  }

  // What somebody was told.

  /** A node stops, since it was told that it is no member any more. */
  toldRemoved(name: string, id: number): void {
    this.#told.set(id, name);
  }

  /** Answers to whoever changes members: each change is there as often as they say. */
  answered(change: string, outcome: "done" | "unknown"): void {
    this.#tally(change)[outcome] += 1;
  }

  #tally(change: string): Tally {
    let tally = this.#tallies.get(change);
    if (tally === undefined) {
      tally = { done: 0, unknown: 0, seen: 0 };
      this.#tallies.set(change, tally);
    }
    return tally;
  }

  /** At the end, when all that was begun is decided. */
  finish(): void {
    for (const [id, name] of this.#told)
      if (!this.#removed.has(id))
        this.#truth.fail(`${name} was told that it is removed, and is not`);
    for (const [change, { done, unknown, seen }] of this.#tallies) {
      const told = `${change}: done ${done} times, unknown ${unknown}`;
      if (seen < done || seen > done + unknown)
        this.#truth.fail(`a change came ${seen} times that was answered otherwise (${told})`);
    }
  }
}

const describe = (members: readonly Pick<Member, "id" | "role">[]): string =>
  members.map(({ id, role }) => `${id} ${role}`).join(", ");
