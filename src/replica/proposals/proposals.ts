/**
 * The commands that this node is the origin of, from the call to the answer. Each is encoded once
 * and handed over once: into this node's own log if it leads and serves, else to the leader. It is
 * settled when this node's applier sees it, or when the log proves that it never will:
 *
 * - A command is handed over for one term only. Once an entry of a later term has been applied
 *   here, one of an earlier term that was not seen is not in the log and never will be: it goes
 *   again.
 * - Nothing is handed over in a term while anything from an earlier one is unproven. So all that is
 *   under way belongs to one term, and the order of proposals is kept across leaders.
 * - A command that was handed over and is neither seen nor disproven in time is `OUTCOME_UNKNOWN`.
 */
import { assert } from "../../base/assert.js";
import { formatNodeId, type NodeId, type Term } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type { AppendRefusal, Leadership, ReplicatedLog } from "../../log/port/index.js";
import type { CommandResult } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import { noQuorum, outcomeUnknown, overloaded, shuttingDown, unavailable } from "../failure.js";
import type { Listener } from "../leases/attachments.js";
import type { ReplicaLimits } from "../limits.js";
import type { Turn } from "../turn.js";
import type { Assembly, Contributor } from "./assembly.js";
import { Forwarding, type ForwardingOutcome } from "./forwarding.js";
import { Ledger, Proposal, type Proposer, STAGE } from "./proposal.js";

const NO_BYTES = new Uint8Array(0);
const NOBODY: Proposer = { applied() {}, failed() {} };

export class Proposals implements Contributor, ForwardingOutcome {
  readonly #log: ReplicatedLog;
  readonly #assembly: Assembly;
  readonly #limits: ReplicaLimits;
  readonly #turn: Turn;
  readonly #self: () => NodeId;
  readonly #forwarding: Forwarding;
  readonly #ledger = new Ledger();
  /** Nothing before this number waits. */
  #nextToHand = 1;
  #waiting = 0;
  #handed = 0;
  #bytes = 0;
  /** The term of all that is handed over. */
  #term = 0;
  /** Put into entries that are not appended yet, in order. */
  #gathered: Proposal[] = [];
  #lastRefusal: AppendRefusal | null = null;
  #stopping = false;
  settled = 0;
  proposedAgain = 0;
  unknown = 0;

  constructor(
    log: ReplicatedLog,
    assembly: Assembly,
    boot: number,
    bytes: Bytes,
    limits: ReplicaLimits,
    turn: Turn,
    self: () => NodeId,
  ) {
    this.#log = log;
    this.#assembly = assembly;
    this.#limits = limits;
    this.#turn = turn;
    this.#self = self;
    this.#forwarding = new Forwarding(log, boot, bytes, limits, this);
  }

  /** The number that the next proposal gets: it is encoded into the command. */
  get nextNumber(): number {
    return this.#ledger.nextNumber;
  }

  get pending(): number {
    return this.#waiting + this.#handed;
  }

  get asks(): number {
    return this.#forwarding.asks;
  }

  /** Why a command of that many bytes would not be taken now; null: it would. */
  refusal(length: number): Failure | null {
    if (this.#stopping) return shuttingDown();
    if (this.pending >= this.#limits.maxPendingProposals) {
      return overloaded("commands", this.#limits.maxPendingProposals);
    }
    if (this.#bytes + length > this.#limits.maxPendingProposalBytes) {
      return overloaded("bytes of commands", this.#limits.maxPendingProposalBytes);
    }
    return null;
  }

  /**
   * Takes a command that was encoded with `nextNumber`. `repeatable`: it may be proposed again even
   * when it may have taken effect. `onlyInTerm`: fails rather than be proposed in another.
   */
  propose(
    encoded: Uint8Array,
    proposer: Proposer,
    repeatable: boolean,
    onlyInTerm: Term | null,
    nowMs: number,
  ): void {
    const deadlineMs = nowMs + this.#limits.proposalTimeoutMs;
    const number = this.#ledger.nextNumber;
    this.#ledger.add(new Proposal(number, encoded, proposer, repeatable, onlyInTerm, deadlineMs));
    this.#waiting++;
    this.#bytes += encoded.length;
    this.#turn.wake();
  }

  /** At the end of a turn: hands over what waits and is not too late, if someone can take it. */
  flush(nowMs: number): void {
    if (this.#waiting === 0) return;
    const now = this.#log.leadership();
    if (this.#handed > 0 && this.#term !== now.term) return;
    if (now.leader === null) return;
    this.#term = now.term;
    if (now.leader === this.#self()) {
      if (now.serving) this.#handToLog(now.term, nowMs);
    } else {
      this.#forwarding.follow(now);
      if (this.#forwarding.ready) this.#handToLeader(now.term, nowMs);
    }
  }

  /** An entry of this term is about to be applied: what was handed over earlier is disproven. */
  entryOf(term: number): void {
    if (this.#handed === 0 || term <= this.#term) return;
    this.#lastRefusal = null;
    this.#eachHanded(proposal => this.#takeBack(proposal));
  }

  /** Whose command it is, while its answer is awaited. */
  connectionOf(number: number): Listener | null {
    const proposal = this.#ledger.get(number);
    if (proposal === undefined || proposal.stage === STAGE.settled) return null;
    return proposal.proposer.connection ?? null;
  }

  /** A command of this process was applied. */
  applied(number: number, result: CommandResult): void {
    const proposal = this.#ledger.get(number);
    // A copy, or one that was given up as unknown.
    if (proposal === undefined || proposal.stage === STAGE.settled) return;
    // A second copy that finds no answer any more says nothing of the first, which may be done.
    if (proposal.doubtful && isExpired(result)) {
      this.#failUnknown(proposal, "a snapshot held the call, and its answer is not kept any more");
      return;
    }
    this.#settle(proposal).applied(result);
  }

  /** A snapshot jumped over entries: what was handed over may or may not have been among them. */
  restored(): void {
    this.#eachHanded(proposal => {
      proposal.doubtful = true;
      if (proposal.repeatable) this.#takeBack(proposal);
      else this.#failUnknown(proposal, "this node fell behind and skipped the call's log entry");
    });
  }

  leadershipChanged(now: Leadership): void {
    this.#lastRefusal = null;
    if (!now.serving) this.#giveUpBound();
    this.#forwarding.follow(now);
    if (this.#waiting > 0) this.#turn.wake();
  }

  /**
   * This node has ceased to serve: whoever waits for what is bound to the term is past caring, and
   * no later term may come for long.
   */
  #giveUpBound(): void {
    this.#eachHanded(proposal => {
      if (proposal.onlyInTerm !== null)
        this.#failUnknown(proposal, "its term's leader stepped down");
    });
  }

  /** Once a tick: what waited too long is given up, what was refused is tried again. */
  tick(nowMs: number): void {
    this.#forwarding.tick(nowMs);
    for (let n = this.#ledger.oldestNumber; n < this.#ledger.nextNumber; n++) {
      const proposal = this.#ledger.get(n);
      if (proposal === undefined || proposal.deadlineMs > nowMs) break;
      if (proposal.stage === STAGE.waiting) this.#failWaiting(proposal, this.#whyNot());
      // One that is bound to its term is decided by the log, or given up when this node steps down.
      else if (proposal.stage === STAGE.handed && proposal.onlyInTerm === null)
        this.#failUnknown(proposal, "no answer in time");
    }
    this.#ledger.trim();
    if (this.#waiting > 0) this.#turn.wake();
  }

  /** Nothing more is taken; what no leader has seen yet is refused. */
  stop(): void {
    this.#stopping = true;
    for (let n = this.#ledger.oldestNumber; n < this.#ledger.nextNumber; n++) {
      const proposal = this.#ledger.get(n);
      if (proposal?.stage === STAGE.waiting) this.#failWaiting(proposal, shuttingDown());
    }
  }

  /** The log has stopped: what was handed over will not be seen any more. */
  stopped(): void {
    this.stop();
    this.#eachHanded(proposal => this.#failUnknown(proposal, "this node has stopped"));
  }

  appended(count: number, refusal: AppendRefusal | null): void {
    const told = this.#gathered.splice(0, count);
    assert(told.length === count, "the assembly tells of what it was given");
    if (refusal === null) return;
    this.#lastRefusal = refusal;
    for (const proposal of told) if (proposal.stage === STAGE.handed) this.#takeBack(proposal);
  }

  notTaken(stream: number, offset: number): void {
    this.#eachHanded(proposal => {
      if (proposal.stream === stream && proposal.offset >= offset) this.#takeBack(proposal);
    });
  }

  refused(proposals: readonly Proposal[]): void {
    for (const proposal of proposals) {
      if (proposal.stage === STAGE.handed) this.#takeBack(proposal);
    }
  }

  ready(): void {
    if (this.#waiting > 0) this.#turn.wake();
  }

  #handToLog(term: Term, nowMs: number): void {
    for (; this.#nextToHand < this.#ledger.nextNumber; this.#nextToHand++) {
      const proposal = this.#ledger.get(this.#nextToHand);
      if (proposal === undefined || !this.#goesIn(proposal, term, nowMs)) continue;
      this.#hand(proposal);
      this.#gathered.push(proposal);
      if (!this.#assembly.add(term, proposal.bytes, this)) {
        this.#gathered.pop();
        this.#takeBack(proposal);
        return;
      }
    }
  }

  #handToLeader(term: Term, nowMs: number): void {
    const proposals: Proposal[] = [];
    for (; this.#nextToHand < this.#ledger.nextNumber; this.#nextToHand++) {
      const proposal = this.#ledger.get(this.#nextToHand);
      if (proposal === undefined || !this.#goesIn(proposal, term, nowMs)) continue;
      this.#hand(proposal);
      proposals.push(proposal);
    }
    if (proposals.length > 0) this.#forwarding.send(proposals);
  }

  /**
   * Whether the proposal waits and may go in this term; one bound to a term that is over fails, and
   * so does one whose time is over: a node that was stopped wakes here before its first tick.
   */
  #goesIn(proposal: Proposal, term: Term, nowMs: number): boolean {
    if (proposal.stage !== STAGE.waiting) return false;
    if (proposal.deadlineMs <= nowMs) {
      this.#failWaiting(proposal, this.#whyNot());
      return false;
    }
    if (proposal.onlyInTerm === null || proposal.onlyInTerm === term) return true;
    this.#fail(proposal, this.#whyNot());
    return false;
  }

  #hand(proposal: Proposal): void {
    proposal.stage = STAGE.handed;
    proposal.stream = 0;
    this.#waiting--;
    this.#handed++;
  }

  /**
   * No log will bring it any more, or it may come twice (it is repeatable): it waits again, in its
   * old place.
   */
  #takeBack(proposal: Proposal): void {
    proposal.stage = STAGE.waiting;
    this.#handed--;
    this.#waiting++;
    this.proposedAgain++;
    if (proposal.number < this.#nextToHand) this.#nextToHand = proposal.number;
    if (proposal.onlyInTerm !== null) this.#fail(proposal, this.#whyNot());
  }

  #eachHanded(visit: (proposal: Proposal) => void): void {
    for (let n = this.#ledger.oldestNumber; n < this.#ledger.nextNumber; n++) {
      const proposal = this.#ledger.get(n);
      if (proposal?.stage === STAGE.handed) visit(proposal);
    }
    if (this.#waiting > 0) this.#turn.wake();
  }

  #whyNot(): Failure {
    if (this.#lastRefusal === "no-quorum") return noQuorum("the command waited too long");
    const { leader } = this.#log.leadership();
    const shown = leader === null ? null : formatNodeId(leader);
    return unavailable("the command waited too long", shown);
  }

  /** `failure` says that nothing was done, which may be said only of what no snapshot may hold. */
  #failWaiting(proposal: Proposal, failure: Failure): void {
    if (!proposal.doubtful) this.#fail(proposal, failure);
    else this.#failUnknown(proposal, "a snapshot may hold the call, and it was not answered since");
  }

  #failUnknown(proposal: Proposal, why: string): void {
    this.unknown++;
    this.#fail(proposal, outcomeUnknown(why));
  }

  #fail(proposal: Proposal, failure: Failure): void {
    this.#settle(proposal).failed(failure);
  }

  /** Whom to tell: a settled proposal may have to stay in the ledger, but keeps nothing alive. */
  #settle(proposal: Proposal): Proposer {
    const { proposer } = proposal;
    if (proposal.stage === STAGE.waiting) this.#waiting--;
    else this.#handed--;
    this.#bytes -= proposal.bytes.length;
    proposal.stage = STAGE.settled;
    proposal.bytes = NO_BYTES;
    proposal.proposer = NOBODY;
    this.settled++;
    if (proposal.number === this.#ledger.oldestNumber) this.#ledger.trim();
    return proposer;
  }
}

const isExpired = (result: CommandResult): boolean =>
  result.kind === "refused" && result.code === "REQUEST_EXPIRED";
