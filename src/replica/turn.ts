/**
 * The end of a turn: what arrived is handed on in whole, once. Its phases run in the order given
 * (keep-alives, ends of leases, proposals, reads, streams, answers; see replica.ts); whoever leaves
 * something for them calls `wake`. Not a timer: a turn that brings nothing has no end.
 */
import type { EndOfTurn } from "../base/ports.js";

export class Turn {
  readonly #endOfTurn: EndOfTurn;
  readonly #run = (): void => this.#end();
  #phases: readonly (() => void)[] = [];
  #scheduled = false;

  constructor(endOfTurn: EndOfTurn) {
    this.#endOfTurn = endOfTurn;
  }

  /**
   * What happens at the end of a turn, in this order. To be called once, before the first `wake`.
   */
  define(phases: readonly (() => void)[]): void {
    this.#phases = phases;
  }

  /** Something was left for the end of this turn. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#endOfTurn.schedule(this.#run);
  }

  #end(): void {
    this.#scheduled = false;
    for (const phase of this.#phases) phase();
  }
}
