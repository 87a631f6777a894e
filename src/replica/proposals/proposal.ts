/**
 * One command on its way from this node, its origin, to this node's own applier, and the ledger of
 * all that are under way, in the order in which they were proposed.
 */
import { assert } from "../../base/assert.js";
import { Ring } from "../../base/ring.js";
import type { CommandResult } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Listener } from "../leases/attachments.js";

export const STAGE = {
  /** Not handed to a log or leader, or taken back: see `doubtful`. */
  waiting: 0,
  /** In a leader's log, or on its way there: it may take effect. */
  handed: 1,
  settled: 2,
} as const;
type Stage = (typeof STAGE)[keyof typeof STAGE];

/**
 * Who proposed. Exactly one of the two is called, once, while entries are applied or clocks looked
 * at.
 */
export interface Proposer {
  /** Whose command it is: need not be told of what the command itself ends. */
  readonly connection?: Listener | null;
  applied(result: CommandResult): void;
  /** The failure's code says whether it is certain that the command had no effect. */
  failed(failure: Failure): void;
}

export class Proposal {
  readonly number: number;
  proposer: Proposer;
  /** May be proposed again although it may have taken effect: it has a request identity. */
  readonly repeatable: boolean;
  /** Only this term's leader may take it, and only if it is this node; null: any. */
  readonly onlyInTerm: number | null;
  readonly deadlineMs: number;
  bytes: Uint8Array;
  stage: Stage = STAGE.waiting;
  /** A snapshot jumped over it: it may have taken effect, and no log will ever tell. */
  doubtful = false;
  /** Where it stands in the stream to the leader that it was forwarded in; see forwarding.ts. */
  stream = 0;
  offset = 0;

  constructor(
    number: number,
    bytes: Uint8Array,
    proposer: Proposer,
    repeatable: boolean,
    onlyInTerm: number | null,
    deadlineMs: number,
  ) {
    this.number = number;
    this.bytes = bytes;
    this.proposer = proposer;
    this.repeatable = repeatable;
    this.onlyInTerm = onlyInTerm;
    this.deadlineMs = deadlineMs;
  }
}

/**
 * Proposals by number. Numbers are given out without gaps, so that a ring finds each in constant
 * time. Invariant: whatever was settled at the old end has been dropped.
 */
export class Ledger {
  readonly #ring = new Ring<Proposal>();
  /** The number of the oldest in the ring. */
  #first = 1;

  /** The number that the next proposal gets. */
  get nextNumber(): number {
    return this.#first + this.#ring.length;
  }

  get oldestNumber(): number {
    return this.#first;
  }

  add(proposal: Proposal): void {
    assert(proposal.number === this.nextNumber, "proposals are numbered without gaps");
    this.#ring.push(proposal);
  }

  get(number: number): Proposal | undefined {
    return this.#ring.at(number - this.#first);
  }

  /** Forgets what is settled at the old end. */
  trim(): void {
    for (let oldest = this.#ring.peek(); oldest?.stage === STAGE.settled; ) {
      this.#ring.shift();
      this.#first++;
      oldest = this.#ring.peek();
    }
  }
}
