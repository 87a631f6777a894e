/**
 * Configurations that were visited: which required entries are placed, the state, and which of the
 * others were used up. One that was visited with less used up, in a state that allows as much, came
 * as far or farther; so a new one that it outdoes need not be gone into.
 */
import type { States } from "./states.js";

export interface Visit {
  /** The name of the set of required entries placed. */
  readonly required: string;
  readonly state: number;
  /** The set of other entries used up, in words of bits. */
  readonly used: string;
  /** Empty, or what it came by if that restricts what may follow. */
  readonly restriction: string;
}

export class Memory {
  readonly #states: States;
  readonly #visits = new Map<string, Visit[]>();

  constructor(states: States) {
    this.#states = states;
  }

  /** Was this configuration outdone by one before? If not, it is remembered. */
  isKnown(visit: Visit): boolean {
    const name = `${this.#states.kinOf(visit.state)}:${visit.required}`;
    const free = this.#visits.get(name);
    if (free?.some(one => this.#outdoes(one, visit))) return true;
    if (visit.restriction === "") {
      this.#remember(name, free, visit);
      return false;
    }
    const likewise = `${name}:${visit.restriction}`;
    const restricted = this.#visits.get(likewise);
    if (restricted?.some(one => this.#outdoes(one, visit))) return true;
    this.#remember(likewise, restricted, visit);
    return false;
  }

  #remember(name: string, before: Visit[] | undefined, visit: Visit): void {
    const kept = before?.filter(one => !this.#outdoes(visit, one)) ?? [];
    kept.push(visit);
    this.#visits.set(name, kept);
  }

  #outdoes(one: Visit, other: Visit): boolean {
    return this.#states.allowsMore(one.state, other.state) && isWithin(one.used, other.used);
  }
}

/** Both are words of bits, from the first on. */
function isWithin(inner: string, outer: string): boolean {
  if (inner === outer) return true;
  for (let at = 0; at < inner.length; at += 1) {
    const word = at < outer.length ? outer.charCodeAt(at) : 0;
    if ((inner.charCodeAt(at) & ~word) !== 0) return false;
  }
  return true;
}
