/** A bug as data: one piece of one built file, and what stands in its place. */
import type { Plan } from "../plain.js";
import type { Overrides } from "../script.js";
import type { Change } from "../tool/hooks.js";

export interface Bug extends Change {
  readonly name: string;
  /** The simulator must find it within so many seeds from 1 on. */
  readonly withinSeeds: number;
  /** What it breaks, and what shows it. */
  readonly why: string;
  /** What is found must say this: where something else would be found first, and for another reason. */
  readonly by?: RegExp;
  /** Of seeds in which it can show itself at all, where few can. */
  readonly overrides?: Overrides;
}

/** A story as it is written, in each seed, with nothing that strikes blindly in between. */
export const told = (plan: Plan): Overrides => ({ plan, blind: false, calm: false });
