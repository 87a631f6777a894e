/**
 * Calls that wait for the end of a grant, whoever has it: those that asked its holder to hand over
 * before it is broken. What ends it stands in the log, so that nothing depends on who waits here.
 */
import type { EndReason } from "../../state/index.js";
import type { Core } from "../core.js";

export interface EndingWaiter {
  /** Once; the waiter is out by then. */
  grantEnded(reason: EndReason): void;
}

export class Endings {
  readonly #core: Core;
  readonly #byKey = new Map<string, Set<EndingWaiter>>();
  #size = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** How many calls wait. */
  get size(): number {
    return this.#size;
  }

  /** Tells at once when the grant does not stand any more. */
  wait(key: string, waiter: EndingWaiter): void {
    const truth = this.#core.machine.entry(key);
    if (truth.kind === "entryEnded") {
      waiter.grantEnded(truth.reason);
      return;
    }
    const waiting = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, waiting.add(waiter));
    this.#size++;
  }

  leave(key: string, waiter: EndingWaiter): void {
    const waiting = this.#byKey.get(key);
    if (waiting?.delete(waiter) !== true) return;
    this.#size--;
    if (waiting.size === 0) this.#byKey.delete(key);
  }

  ended(key: string, reason: EndReason): void {
    const waiting = this.#byKey.get(key);
    if (waiting === undefined) return;
    this.#byKey.delete(key);
    this.#size -= waiting.size;
    for (const waiter of waiting) waiter.grantEnded(reason);
  }

  /** The state was replaced: every grant is compared with it. */
  restored(): void {
    for (const key of [...this.#byKey.keys()].sort()) {
      const truth = this.#core.machine.entry(key);
      if (truth.kind === "entryEnded") this.ended(key, truth.reason);
    }
  }
}
