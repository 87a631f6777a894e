/**
 * Read points that are being waited for: `barrier` and `confirmLeadership`. All calls of one turn
 * share one question to raft. A barrier that nobody confirmed asks again, until its time is up, and
 * one that was confirmed does not wait for ever; a confirmation is asked for once, since its caller
 * wants to hear of the loss. Called by the loop alone.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, Term } from "../base/ids.js";
import type { Clock } from "../base/ports.js";
import type { ReadState } from "../raft/index.js";

/** What is asked of raft. The answers come as `reads` and `confirmations` of a Ready. */
export interface ReadPort {
  readIndex(context: number): void;
  confirmLeadership(context: number): void;
}

interface Barrier {
  readonly done: (confirmed: boolean) => void;
  readonly deadlineMs: number;
}

type Confirmation = (confirmedIn: Term | null) => void;

/** Confirmed barriers that wait for an index to be applied. */
interface WaitingReads {
  readonly index: LogIndex;
  readonly barriers: readonly Barrier[];
}

/**
 * A confirmed barrier waits this many times as long for its index to be applied: catching up is
 * progress, which to ask anew would only undo.
 */
const APPLYING = 5;

export class Reads {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #context = 0;
  #closed = false;
  #gatheringBarriers: Barrier[] = [];
  #gatheringConfirmations: Confirmation[] = [];
  /** Not confirmed: asked again at the next tick or change of leadership, if its time allows. */
  #unconfirmed: Barrier[] = [];
  readonly #asked = new Map<number, readonly Barrier[]>();
  readonly #confirming = new Map<number, readonly Confirmation[]>();
  #waiting: WaitingReads[] = [];
  /** The lowest index that anybody waits for, to be compared after each applied entry. */
  #lowestIndex = Number.POSITIVE_INFINITY;

  /** `limitMs`: how long a barrier asks for a leader before it answers false. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  barrier(done: (confirmed: boolean) => void): void {
    this.#gatheringBarriers.push({ done, deadlineMs: this.#clock.monotonicMs() + this.#limitMs });
  }

  confirm(done: Confirmation): void {
    this.#gatheringConfirmations.push(done);
  }

  /** Puts what has gathered to raft: one question of each kind. Before `take`. */
  ask(raft: ReadPort, serving: boolean): void {
    if (this.#gatheringBarriers.length > 0) {
      const context = ++this.#context;
      this.#asked.set(context, this.#gatheringBarriers);
      this.#gatheringBarriers = [];
      raft.readIndex(context);
    }
    if (this.#gatheringConfirmations.length === 0) return;
    if (!serving) {
      this.refuse();
      return;
    }
    const confirmations = this.#gatheringConfirmations;
    this.#gatheringConfirmations = [];
    const context = ++this.#context;
    this.#confirming.set(context, confirmations);
    raft.confirmLeadership(context);
  }

  /** Of confirmations that nobody has asked for yet: raft is not, or not now, to be asked. */
  refuse(): void {
    const confirmations = this.#gatheringConfirmations;
    this.#gatheringConfirmations = [];
    for (const done of confirmations) done(null);
  }

  /**
   * Asks again for what was not confirmed, and gives up whatever is too old, wherever it stands. At
   * ticks, also while raft is not to be asked, and at changes of leadership.
   */
  retry(): void {
    const nowMs = this.#clock.monotonicMs();
    const late: Barrier[] = [];
    const inTime = (barriers: readonly Barrier[], untilMs: number): Barrier[] => {
      const left: Barrier[] = [];
      for (const barrier of barriers) (barrier.deadlineMs > untilMs ? left : late).push(barrier);
      return left;
    };
    this.#gatheringBarriers = inTime([...this.#gatheringBarriers, ...this.#unconfirmed], nowMs);
    this.#unconfirmed = [];
    // Their contexts stay: raft answers each once.
    for (const [context, barriers] of this.#asked) {
      this.#asked.set(context, inTime(barriers, nowMs));
    }
    const applyingMs = (APPLYING - 1) * this.#limitMs;
    this.#waiting = this.#waiting
      .map(({ index, barriers }) => ({ index, barriers: inTime(barriers, nowMs - applyingMs) }))
      .filter(({ barriers }) => barriers.length > 0);
    for (const barrier of late) barrier.done(false);
  }

  onReads(reads: readonly ReadState[], applied: LogIndex): void {
    if (this.#closed) return;
    for (const read of reads) {
      const barriers = this.#asked.get(read.context);
      assert(barriers !== undefined, "a read is answered once, and only if it was asked");
      this.#asked.delete(read.context);
      if (!read.confirmed) {
        for (const barrier of barriers) this.#unconfirmed.push(barrier);
      } else if (read.index <= applied) {
        for (const barrier of barriers) barrier.done(true);
      } else {
        this.#waiting.push({ index: read.index, barriers });
        this.#lowestIndex = Math.min(this.#lowestIndex, read.index);
      }
    }
  }

  onConfirmations(confirmations: readonly ReadState[], servingIn: Term | null): void {
    if (this.#closed) return;
    for (const state of confirmations) {
      const callbacks = this.#confirming.get(state.context);
      assert(callbacks !== undefined, "a confirmation is answered once, and only if it was asked");
      this.#confirming.delete(state.context);
      const term = state.confirmed && servingIn === state.term ? state.term : null;
      for (const done of callbacks) done(term);
    }
  }

  /** After each applied entry, and after a restored snapshot: whoever waited for it reads now. */
  applied(index: LogIndex): void {
    if (index < this.#lowestIndex) return;
    const due = this.#waiting.filter(waiting => waiting.index <= index);
    this.#waiting = this.#waiting.filter(waiting => waiting.index > index);
    this.#lowestIndex = Number.POSITIVE_INFINITY;
    for (const { index: at } of this.#waiting) this.#lowestIndex = Math.min(this.#lowestIndex, at);
    for (const { barriers } of due) for (const barrier of barriers) barrier.done(true);
  }

  /** Answers everything that waits with the negative. The log stops. */
  close(): void {
    this.#closed = true;
    const barriers = [
      ...this.#gatheringBarriers,
      ...this.#unconfirmed,
      ...[...this.#asked.values()].flat(),
      ...this.#waiting.flatMap(waiting => waiting.barriers),
    ];
    const confirmations = [
      ...this.#gatheringConfirmations,
      ...[...this.#confirming.values()].flat(),
    ];
    this.#gatheringBarriers = [];
    this.#unconfirmed = [];
    this.#asked.clear();
    this.#waiting = [];
    this.#gatheringConfirmations = [];
    this.#confirming.clear();
    this.#lowestIndex = Number.POSITIVE_INFINITY;
    for (const barrier of barriers) barrier.done(false);
    for (const done of confirmations) done(null);
  }
}
