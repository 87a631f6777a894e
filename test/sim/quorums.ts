/**
 * What Raft must keep of configurations, seen on the wire: who votes changes through a joint
 * configuration alone; none follows another that is not committed; what counts as committed, and
 * who counts as elected, had a majority of those who vote there, of both halves when it is joint.
 * Where a configuration was never on the wire, what depends on it is not judged.
 */
import {
  type Append,
  type Configuration,
  isJoint,
  MEMBER_ROLE,
} from "../../src/raft/message/index.js";
import type { Truth } from "./truth.js";

/** A configuration and its place; `before` is the one before it in the same log, if known. */
export interface Placed {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
  readonly before: Placed | null;
}

type Has = (id: number) => boolean;

/** What is seen of one leader. */
interface Reign {
  committed: number;
  newest: Placed | null;
  /** The last entry that was sent to anybody. */
  sent: number;
  /** How far each node's log is the leader's, by its own word. */
  readonly acknowledged: Map<number, number>;
}

export class Quorums {
  readonly #truth: Truth;
  readonly #reigns = new Map<number, Reign>();
  /** By term, then by candidate. */
  readonly #votes = new Map<number, Map<number, Set<number>>>();
  readonly counts = { commits: 0, elections: 0, configurations: 0 };

  constructor(truth: Truth) {
    this.#truth = truth;
  }

  voted(term: number, voter: number, candidate: number): void {
    let byCandidate = this.#votes.get(term);
    if (byCandidate === undefined) {
      byCandidate = new Map();
      this.#votes.set(term, byCandidate);
    }
    const voters = byCandidate.get(candidate) ?? new Set<number>();
    byCandidate.set(candidate, voters.add(voter));
  }

  acknowledged(term: number, node: number, index: number): void {
    const { acknowledged } = this.#reign(term);
    acknowledged.set(node, Math.max(index, acknowledged.get(node) ?? 0));
  }

  /** The first entry of `leader` in `term` follows a log in which `placed` is in force. */
  elected(term: number, leader: number, placed: Placed): void {
    const voters = this.#votes.get(term)?.get(leader);
    const has: Has = id => id === leader || voters?.has(id) === true;
    this.counts.elections += 1;
    if (!decides(placed.configuration, has))
      this.#truth.fail(`${leader} leads term ${term} without a majority of the votes`);
  }

  /** A configuration is on the wire for the first time, in a message of this leader. */
  entered(placed: Placed, { from, term, commit }: Append): void {
    const { before, configuration, index } = placed;
    this.counts.configurations += 1;
    if (before === null) return;
    const flaw = flawOf(before.configuration, configuration);
    if (flaw !== null) this.#truth.fail(`the configuration at ${index} ${flaw}`);
    if (term !== placed.term) return;
    if (commit < before.index)
      this.#truth.fail(`the configuration at ${index} follows another that is not committed`);
    // One of an earlier term may have been known as committed from then.
    if (before.term === term) this.#mustHold(term, from, before.index, before.configuration);
  }

  /** `leader`'s log has `placed` in force, as far as it sent entries of its own term. */
  holds(term: number, placed: Placed | null): void {
    const reign = this.#reign(term);
    if (placed !== null && placed.index > (reign.newest?.index ?? 0)) reign.newest = placed;
  }

  /** An append up to `last` leaves for `to`, whose log has everything to `previous`. */
  appends({ term, to, previousIndex }: Append, last: number): void {
    const reign = this.#reign(term);
    reign.sent = Math.max(last, reign.sent);
    const member = reign.newest?.configuration.members.find(({ id }) => id === to);
    if (member !== undefined && previousIndex < member.since)
      this.#truth.fail(`${to} is sent what follows ${previousIndex}, and was added later`);
  }

  /**
   * The leader tells `to` to campaign, which must not lack anything then; or, where the leader goes
   * since it is taken out, nothing up to that.
   */
  handsOver(term: number, from: number, to: number): void {
    const { sent, acknowledged, newest } = this.#reign(term);
    const { members, outgoingVoters } = newest?.configuration ?? {
      members: [],
      outgoingVoters: [],
    };
    const isOut =
      newest !== null &&
      members.every(({ id }) => id !== from) &&
      outgoingVoters.every(id => id !== from);
    if ((acknowledged.get(to) ?? 0) < (isOut ? newest.index : sent))
      this.#truth.fail(`${to} is to take over from term ${term} and lacks a part of the log`);
  }

  /** `leader` says that `index` is committed. */
  committed(term: number, leader: number, index: number): void {
    const reign = this.#reign(term);
    if (index <= reign.committed) return;
    const { newest, committed } = reign;
    reign.committed = index;
    // The first one it sends may be of the time before its own.
    if (newest === null || committed === 0) return;
    this.counts.commits += 1;
    for (let at: Placed | null = newest; at !== null && at.index > committed; at = at.before)
      if (at.index <= index && (at === newest || at.term === term))
        this.#mustHold(term, leader, at.index, at.configuration);
    const { configuration, before } = newest;
    const has = this.#holders(reign, leader, index);
    // A joint one that is committed may have been left already, and by that what follows commits;
    // and what precedes one may have been committed before it was there.
    const isLeft = isJoint(configuration) && index > newest.index;
    const isBefore = index < newest.index;
    const counts =
      decides(configuration, has) ||
      (isLeft && isMajority(votersOf(configuration), has)) ||
      (isBefore && (before === null || decides(before.configuration, has)));
    if (!counts) this.#truth.fail(`${leader} commits ${index} of term ${term} without a majority`);
  }

  #mustHold(term: number, leader: number, index: number, configuration: Configuration): void {
    const has = this.#holders(this.#reign(term), leader, index);
    if (!decides(configuration, has))
      this.#truth.fail(`${leader} took the configuration at ${index} for committed too early`);
  }

  /** The leader is taken at its word for its own disk. */
  #holders({ acknowledged }: Reign, leader: number, index: number): Has {
    return id => id === leader || (acknowledged.get(id) ?? 0) >= index;
  }

  #reign(term: number): Reign {
    let reign = this.#reigns.get(term);
    if (reign === undefined) {
      reign = { committed: 0, newest: null, sent: 0, acknowledged: new Map() };
      this.#reigns.set(term, reign);
    }
    return reign;
  }
}

const votersOf = ({ members }: Configuration): readonly number[] =>
  members.filter(({ role }) => role === MEMBER_ROLE.voter).map(({ id }) => id);

const isMajority = (voters: readonly number[], has: Has): boolean =>
  voters.filter(has).length * 2 > voters.length;

function decides(configuration: Configuration, has: Has): boolean {
  const { outgoingVoters } = configuration;
  const outgoing = outgoingVoters.length === 0 || isMajority(outgoingVoters, has);
  return outgoing && isMajority(votersOf(configuration), has);
}

const sameIds = (a: readonly number[], b: readonly number[]): boolean =>
  [...a].sort().join() === [...b].sort().join();

/** What is wrong with the step from one configuration to the next. */
function flawOf(before: Configuration, next: Configuration): string | null {
  const from = votersOf(before);
  const to = votersOf(next);
  const fresh = next.members.filter(({ id }) => to.includes(id) && !from.includes(id));
  if (fresh.some(({ incarnation }) => incarnation === ""))
    return "promotes a member whose directory nobody has seen";
  if (!isJoint(before)) {
    const starts = isJoint(next) ? next.outgoingVoters : to;
    return sameIds(from, starts) ? null : "changes who votes without a joint configuration";
  }
  if (!sameIds(from, to)) return "changes who votes while a change is under way";
  const stays = !isJoint(next) || sameIds(before.outgoingVoters, next.outgoingVoters);
  return stays ? null : "changes the outgoing half of a joint configuration";
}
