/**
 * Which term each index of the log has, kept as runs: terms only ever grow along the log, so a log
 * of millions of entries is a handful of runs. Pure. Used by replay and by the running log.
 */
import { assert } from "../base/assert.js";
import { type LogIndex, logIndex, type Term, term } from "../base/ids.js";

export class TermRuns {
  /** `starts[n]` is the first index of a run of `terms[n]`; run 0 begins at the base. */
  #starts: LogIndex[] = [logIndex(0)];
  #terms: Term[] = [term(0)];
  #lastIndex: LogIndex = logIndex(0);

  get baseIndex(): LogIndex {
    return this.#starts[0] as LogIndex;
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  get lastTerm(): Term {
    return this.#terms[this.#terms.length - 1] as Term;
  }

  /** Empties the log: the next entry is `index + 1`. */
  reset(index: LogIndex, atTerm: Term): void {
    this.#starts = [index];
    this.#terms = [atTerm];
    this.#lastIndex = index;
  }

  push(index: LogIndex, atTerm: Term): void {
    assert(index === this.#lastIndex + 1, "entries are contiguous");
    assert(atTerm >= this.lastTerm, "terms do not fall along the log");
    if (atTerm !== this.lastTerm) {
      this.#starts.push(index);
      this.#terms.push(atTerm);
    }
    this.#lastIndex = index;
  }

  /** Drops `from` and all after it; `from` is above the base. */
  truncate(from: LogIndex): void {
    assert(from > this.baseIndex, "the log is not cut into what a snapshot replaced");
    if (from > this.#lastIndex) return;
    while (this.#starts.length > 1 && (this.#starts[this.#starts.length - 1] as LogIndex) >= from) {
      this.#starts.pop();
      this.#terms.pop();
    }
    this.#lastIndex = logIndex(from - 1);
  }

  /** The term at `index`, or null when the log does not hold it. The base itself counts. */
  termAt(index: LogIndex): Term | null {
    if (index < this.baseIndex || index > this.#lastIndex) return null;
    let run = this.#starts.length - 1;
    while ((this.#starts[run] as LogIndex) > index) run -= 1;
    return this.#terms[run] as Term;
  }

  /** Forgets below `index`, which becomes the base. */
  cut(index: LogIndex): void {
    const atTerm = this.termAt(index);
    if (atTerm === null || index === this.baseIndex) return;
    let run = this.#starts.length - 1;
    while ((this.#starts[run] as LogIndex) > index) run -= 1;
    this.#starts.splice(0, run + 1, index);
    this.#terms.splice(0, run + 1, atTerm);
  }
}
