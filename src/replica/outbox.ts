/**
 * Answers and events on their way out, in the order in which they came about. Nothing leaves within
 * the call that caused it: the outbox is emptied at the end of a turn, so that whoever gets an
 * answer may call again at once.
 */
import type { Turn } from "./turn.js";

/** One thing to hand over to the outside; called once. */
export interface Parcel {
  deliver(): void;
}

export class Outbox {
  readonly #turn: Turn;
  #parcels: Parcel[] = [];

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  post(parcel: Parcel): void {
    if (this.#parcels.length === 0) this.#turn.wake();
    this.#parcels.push(parcel);
  }

  flush(): void {
    if (this.#parcels.length === 0) return;
    const parcels = this.#parcels;
    this.#parcels = [];
    for (const parcel of parcels) parcel.deliver();
  }
}
