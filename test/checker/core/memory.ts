/**
 * Configurations that were visited: which required entries are placed, the state, and which of the
 * others were used up. One that was visited with less used up, in a state that allows as much, came
 * as far or farther; so a new one that it outdoes need not be gone into.
 */
import type { States } from "./states.js";

interface Visit {
  readonly state: number;
  /** The name of the set of optional entries used up. */
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
  isKnown(required: string, visit: Visit): boolean {
    const name = `${this.#states.kinOf(visit.state)}:${required}`;
    const before = this.#visits.get(name);
    if (before === undefined) {
      this.#visits.set(name, [visit]);
      return false;
    }
    if (before.some(one => this.#outdoes(one, visit))) return true;
    before.push(visit);
    return false;
  }

  #outdoes(one: Visit, other: Visit): boolean {
    return (
      (one.restriction === "" || one.restriction === other.restriction) &&
      this.#states.allowsMore(one.state, other.state) &&
      isWithin(one.used, other.used)
    );
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
