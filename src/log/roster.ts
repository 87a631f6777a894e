/**
 * The members as this node acts on them: whom it speaks with, whether it is still one of them, and
 * what the leader still writes down about them. The configuration itself is raft's; who may take
 * part is participation.ts. Called by running-log.ts after each pass and tick.
 */
import type { NodeId } from "../base/ids.js";
import type { Raft } from "../raft/index.js";
import { type Configuration, encodeConfiguration, type Member } from "../raft/message/index.js";
import type { Delivery } from "./delivery.js";
import { memberRemoved, memberReplaced } from "./failure.js";
import type { Participation } from "./participation.js";
import type { LogFailure } from "./port/index.js";

export interface RosterParts {
  readonly self: NodeId;
  readonly raft: Raft;
  readonly delivery: Delivery;
  readonly participation: () => Participation;
  readonly clientUrls: readonly string[];
  /** How long a member that was taken out may still say what it has to say. */
  readonly graceTicks: number;
  /** Whom to speak with from now on. */
  readonly spokenWith: (configuration: Configuration) => void;
  readonly wake: () => void;
  readonly failed: (failure: LogFailure) => void;
}

export class Roster {
  readonly #parts: RosterParts;
  /** In force: the newest in the log. */
  #current: Configuration;
  /** In force at what was handed to the host. */
  #applied: Configuration;
  /** Something that the configuration in the log should say may be missing there. */
  #isIncomplete = true;
  /** Since the cluster agreed that this node is no member any more; -1: it is one. */
  #ticksSinceRemoval = -1;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#current = parts.raft.configuration;
    this.#applied = parts.delivery.configuration;
  }

  /**
   * A leader that is taken out must hear from the others until its going is committed, and a change
   * may still be undone: so whoever was a member is spoken with until what comes after is applied.
   */
  get spokenWith(): Configuration {
    const { members } = this.#current;
    const isGone = ({ id }: Member): boolean => members.every(member => member.id !== id);
    const gone = this.#applied.members.filter(isGone);
    if (gone.length === 0) return this.#current;
    return { ...this.#current, members: [...members, ...gone].sort((a, b) => a.id - b.id) };
  }

  /** The newest configuration in the log is final. */
  get isCommitted(): boolean {
    const { raft } = this.#parts;
    return raft.configurationIndex <= raft.committed;
  }

  /** There may be news about a member that the log does not hold yet. */
  heard(): void {
    this.#isIncomplete = true;
  }

  passed(): void {
    const { raft, delivery } = this.#parts;
    const { configuration } = raft;
    if (configuration !== this.#current || delivery.configuration !== this.#applied) {
      this.#changed(configuration, delivery.configuration);
    }
    if (this.#isIncomplete && raft.role === "leader") this.#complete();
  }

  /** Who is no member any more goes, after a moment in which what it has to say still leaves. */
  ticked(ticks: number): void {
    const { self, graceTicks, failed } = this.#parts;
    const isMember = this.#current.members.some(({ id }) => id === self);
    if (isMember || !this.isCommitted) {
      this.#ticksSinceRemoval = -1;
      return;
    }
    this.#ticksSinceRemoval = Math.max(0, this.#ticksSinceRemoval) + ticks;
    if (this.#ticksSinceRemoval < graceTicks) return;
    failed(memberRemoved("This node was removed from its cluster"));
  }

  /** For a node that was added: what is applied here, once that names it. */
  configurationFor(node: NodeId): Uint8Array | null {
    const isNamed = this.#applied.members.some(({ id }) => id === node);
    return isNamed ? encodeConfiguration(this.#applied) : null;
  }

  #changed(current: Configuration, applied: Configuration): void {
    const { participation, spokenWith, failed } = this.#parts;
    this.#current = current;
    this.#applied = applied;
    this.#isIncomplete = true;
    const all = this.spokenWith;
    if (!participation().configured(all)) {
      failed(
        memberReplaced("The cluster's configuration names another incarnation of this member"),
      );
    }
    spokenWith(all);
    this.#leaveLeader(all);
  }

  /** Its links end without a word once it is not spoken with: so nobody else says that it is gone. */
  #leaveLeader({ members }: Configuration): void {
    const { raft, wake } = this.#parts;
    const { leader } = raft;
    if (leader === null || members.some(({ id }) => id === leader)) return;
    raft.linkReset(leader);
    wake();
  }

  /** The leader writes down what it knows of the members and the log does not say yet. */
  #complete(): void {
    const { raft, participation, clientUrls, wake } = this.#parts;
    const completed = participation().completed(raft.configuration, clientUrls);
    if (completed === null) this.#isIncomplete = false;
    else if (typeof raft.proposeConfiguration(completed) !== "string") wake();
  }
}
