/**
 * The leader's read rounds (thesis section 6.4). A question waits until a round begins, rides in
 * it with all others that wait, and is settled when a quorum has answered that round's heartbeat
 * or a later one. While a round is open, new questions gather for the next; a heartbeat that is
 * due begins one all the same, so that a lost message delays nobody for long.
 */
import type { LogIndex, NodeId } from "../../base/ids.js";

export type QuestionKind = "read" | "confirmation" | "forwarded";

export interface Question {
  readonly kind: QuestionKind;
  /** The caller's context; a follower's batch number when forwarded. */
  readonly context: number;
  /** Who asked: this node itself unless forwarded. */
  readonly from: NodeId;
}

export interface Round {
  readonly number: number;
  /** The commit index when it began: at least all that was committed when the questions came. */
  readonly index: LogIndex;
  readonly questions: readonly Question[];
}

export class ReadRounds {
  /** The newest round begun; 0 before the first of the term. */
  newest = 0;
  /** Reads wait for the leader's first own-term commit as well; confirmations do not. */
  private reads: Question[] = [];
  private confirmations: Question[] = [];
  /** Begun and not settled, in ascending order. */
  private open: Round[] = [];

  ask(question: Question): void {
    if (question.kind === "confirmation") this.confirmations.push(question);
    else if (question.kind === "read" || !this.waits(question)) this.reads.push(question);
  }

  /** A follower's batch, which is asked again until it is answered. */
  private waits({ context, from }: Question): boolean {
    return this.reads.some(one => one.from === from && one.context === context);
  }

  /** Takes out the reads that wait for a round. */
  takeReads(): readonly Question[] {
    const { reads } = this;
    this.reads = [];
    return reads;
  }

  get hasOpen(): boolean {
    return this.open.length > 0;
  }

  /** True if a round begun now would carry a question. */
  hasWaiting(readsAllowed: boolean): boolean {
    return this.confirmations.length > 0 || (readsAllowed && this.reads.length > 0);
  }

  /** Begins a round for all that wait and may go. Its heartbeats must leave after this call. */
  begin(readsAllowed: boolean, commit: LogIndex): void {
    let questions = this.confirmations;
    this.confirmations = [];
    if (readsAllowed && this.reads.length > 0) {
      questions = questions.concat(this.reads);
      this.reads = [];
    }
    this.newest += 1;
    this.open.push({ number: this.newest, index: commit, questions });
  }

  /** Takes out the rounds that a quorum has answered: those up to `reached`. */
  settle(reached: number): readonly Round[] {
    let count = 0;
    while (count < this.open.length && (this.open[count]?.number ?? 0) <= reached) count += 1;
    return count === 0 ? NO_ROUNDS : this.open.splice(0, count);
  }

  /** Leadership ended: everything unanswered, in the order asked within each kind. */
  abandon(): readonly Question[] {
    const lost: Question[] = [];
    for (const round of this.open) lost.push(...round.questions);
    lost.push(...this.confirmations, ...this.reads);
    this.open = [];
    this.confirmations = [];
    this.reads = [];
    this.newest = 0;
    return lost;
  }
}

const NO_ROUNDS: readonly Round[] = [];
