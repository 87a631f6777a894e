/**
 * The configuration in force, and those it would fall back to. A configuration counts from the
 * moment its entry is in the log, committed or not (thesis section 4.1), so cutting a tail brings
 * back the one before. Decides nothing about which change is allowed.
 */
import { assert } from "../../base/assert.js";
import type { LogIndex, NodeId } from "../../base/ids.js";
import { type Configuration, isJoint, MEMBER_ROLE } from "../message/entry.js";
import type { Voters } from "../quorum/quorum.js";

interface Step {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

export class Membership {
  /** Ascending in index, never empty. The last is in force. */
  private steps: Step[];
  /** Derived from the configuration in force. */
  voters: Voters = { incoming: [], outgoing: [] };
  /** Everyone who gets the log: all members, in ascending order of id. */
  nodes: Configuration["members"] = [];

  constructor(index: LogIndex, configuration: Configuration) {
    this.steps = [{ index, configuration }];
    this.derive();
  }

  get current(): Configuration {
    return this.last().configuration;
  }

  /** Where the configuration in force stands in the log, or stood before it was cut to a snapshot. */
  get currentIndex(): LogIndex {
    return this.last().index;
  }

  get isJoint(): boolean {
    return isJoint(this.current);
  }

  isVoter(id: NodeId): boolean {
    return this.voters.incoming.includes(id) || this.voters.outgoing.includes(id);
  }

  /**
   * It votes in a configuration that may still come to count: the committed one or any after it.
   * Who voted before the newest, uncommitted one may hold its only copy (thesis section 4.2.2).
   */
  mayVoteAfter(committed: LogIndex, id: NodeId): boolean {
    for (let at = this.steps.length - 1; at >= 0; at--) {
      const step = this.steps[at];
      assert(step !== undefined, "steps are dense");
      const { members, outgoingVoters } = step.configuration;
      const votes = members.some(m => m.id === id && m.role === MEMBER_ROLE.voter);
      if (votes || outgoingVoters.includes(id)) return true;
      if (step.index <= committed) return false;
    }
    return false;
  }

  /** The configuration that was in force at `index`, as far back as the first one kept. */
  at(index: LogIndex): Configuration {
    let found = this.steps[0];
    for (const step of this.steps) if (step.index <= index) found = step;
    assert(found !== undefined, "there is always a configuration");
    return found.configuration;
  }

  appended(index: LogIndex, configuration: Configuration): void {
    assert(index > this.last().index, "configurations are appended in log order");
    this.steps.push({ index, configuration });
    this.derive();
  }

  /** The log was cut from `index` on. True if that changed the configuration in force. */
  cutFrom(index: LogIndex): boolean {
    const before = this.steps.length;
    while (this.steps.length > 1 && this.last().index >= index) this.steps.pop();
    if (this.steps.length === before) return false;
    this.derive();
    return true;
  }

  /** Nothing at or before `index` will be cut any more: what preceded it may be forgotten. */
  settled(index: LogIndex): void {
    while (this.steps.length > 1 && (this.steps[1]?.index ?? index + 1) <= index) {
      this.steps.shift();
    }
  }

  /** A snapshot took the place of the log: its configuration is the only one known. */
  restore(index: LogIndex, configuration: Configuration): void {
    this.steps = [{ index, configuration }];
    this.derive();
  }

  private last(): Step {
    const step = this.steps[this.steps.length - 1];
    assert(step !== undefined, "there is always a configuration");
    return step;
  }

  private derive(): void {
    const { members, outgoingVoters } = this.current;
    const isIncoming = ({ role }: (typeof members)[number]): boolean => role === MEMBER_ROLE.voter;
    const incoming = members.filter(isIncoming).map(({ id }) => id);
    this.voters = { incoming, outgoing: outgoingVoters };
    this.nodes = members;
  }
}
