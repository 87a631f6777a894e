/**
 * The grants that hang on one lease, in the order in which they came. A chain and not a Map, for
 * the reason that stands in call-table.ts.
 */
import type { Dependant } from "./lease.js";

export class Grants {
  #first: Dependant | null = null;
  #last: Dependant | null = null;

  /** Enters one that is not here. */
  add(grant: Dependant): void {
    grant.before = this.#last;
    if (this.#last === null) this.#first = grant;
    else this.#last.after = grant;
    this.#last = grant;
  }

  /** Takes it out; nothing happens if it is not here. */
  remove(grant: Dependant): void {
    const { before, after } = grant;
    if (before === null && this.#first !== grant) return;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    grant.before = null;
    grant.after = null;
  }

  /** The grant with that key. Looks at all: this is for the rare. */
  find(keyId: string): Dependant | undefined {
    for (let grant = this.#first; grant !== null; grant = grant.after)
      if (grant.keyId === keyId) return grant;
    return undefined;
  }

  /** All there are now, so that whoever goes through them may take some out. */
  all(): Dependant[] {
    const all: Dependant[] = [];
    for (let grant = this.#first; grant !== null; grant = grant.after) all.push(grant);
    return all;
  }
}
