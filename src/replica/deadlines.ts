/**
 * What must be answered in time, wherever it is by then: waiting, or on its way with a log that may
 * never answer. All in one have the same limit, so that they are due in the order in which they
 * came. Used by reads and questions to the leader; they answer what is late.
 */
import { Ring } from "../base/ring.js";

export interface Timed {
  readonly deadlineMs: number;
  readonly answered: boolean;
}

export class Deadlines<One extends Timed> {
  readonly #ring = new Ring<One>();

  add(one: One): void {
    this.#ring.push(one);
  }

  /** Takes out what is not answered and due, the oldest first. */
  takeDue(nowMs: number): One[] {
    const due: One[] = [];
    for (let one = this.#ring.peek(); one !== undefined; one = this.#ring.peek()) {
      if (!one.answered && one.deadlineMs > nowMs) break;
      this.#ring.shift();
      if (!one.answered) due.push(one);
    }
    return due;
  }

  /** Takes out all that is not answered. */
  takeAll(): One[] {
    return this.takeDue(Number.POSITIVE_INFINITY);
  }
}
