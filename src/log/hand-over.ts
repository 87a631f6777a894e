/**
 * Handing leadership over: on an orderly stop, and when an operator asks for it. Raft does it; this
 * waits for its end, or for the time it may take. Called by running-log.ts.
 */
import type { NodeId } from "../base/ids.js";
import type { Raft } from "../raft/index.js";
import type { TransferOutcome } from "./port/index.js";

interface Waiting {
  ticksLeft: number;
  readonly done: (outcome: TransferOutcome) => void;
}

export class HandOver {
  readonly #raft: Raft;
  readonly #self: NodeId;
  readonly #patienceTicks: number;
  readonly #schedule: (callback: () => void) => void;
  #waiting: Waiting[] = [];

  constructor(
    raft: Raft,
    self: NodeId,
    patienceTicks: number,
    schedule: (callback: () => void) => void,
  ) {
    this.#raft = raft;
    this.#self = self;
    this.#patienceTicks = patienceTicks;
    this.#schedule = schedule;
  }

  /** `to` null: to the best follower. `done` once, in a later turn, within an election timeout. */
  begin(to: NodeId | null, done: (outcome: TransferOutcome) => void): void {
    const outcome = this.#start(to);
    if (outcome === null) this.#waiting.push({ ticksLeft: this.#patienceTicks, done });
    else this.#answer(done, outcome);
  }

  /** Null: it is under way. */
  #start(to: NodeId | null): TransferOutcome | null {
    const raft = this.#raft;
    if (raft.leader !== this.#self) return { ok: false, refusal: "not-leader" };
    if (to === this.#self) return { ok: true, leader: to };
    const successor = to ?? raft.bestSuccessor();
    if (successor === null) return { ok: false, refusal: "no-successor" };
    const refusal = raft.transferLeadership(successor);
    return refusal === null ? null : { ok: false, refusal };
  }

  ticked(ticks: number): void {
    for (const waiting of this.#waiting) waiting.ticksLeft -= ticks;
  }

  /** To be called whenever raft may have moved on. */
  passed(): void {
    if (this.#waiting.length === 0) return;
    // The successor may need this node's vote: it is over when another is known to lead.
    const { leader } = this.#raft;
    const isOver = leader !== null && leader !== this.#self;
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (isOver) this.#answer(waiting.done, { ok: true, leader });
      else if (waiting.ticksLeft <= 0) {
        this.#answer(waiting.done, { ok: false, refusal: "not-taken-over" });
      } else still.push(waiting);
    }
    this.#waiting = still;
  }

  /** Nobody hears any more whether it came about. */
  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { done } of waiting) this.#answer(done, { ok: false, refusal: "not-taken-over" });
  }

  #answer(done: (outcome: TransferOutcome) => void, outcome: TransferOutcome): void {
    this.#schedule(() => done(outcome));
  }
}
