/**
 * What can be taken from a seed's draw without changing the rest of it: the smaller a failing run,
 * the sooner it is understood. A script is a seed with such restrictions; those in `seeds/` are
 * run again as tests.
 */
import type { Drawn, Plan } from "./plain.js";

export interface Overrides {
  /** Kinds of faults that do not strike. */
  readonly without?: readonly string[];
  /** False: no kind of blind fault strikes, so that a story is told as it is written. */
  readonly blind?: boolean;
  /** The adversary's plan, and whether nothing at all goes wrong, in the place of what was drawn. */
  readonly plan?: Plan | "none";
  readonly calm?: boolean;
  /** The cluster begins with one node, or with three. */
  readonly single?: boolean;
  /** Strikes that do not happen, by their number from 1. */
  readonly skip?: readonly number[];
  /** What clients do, one a client, by the names of run.ts, in the place of what was drawn. */
  readonly workloads?: readonly string[];
  /** Those who take turns in other ways than one at a time join the others, or do not. */
  readonly turns?: boolean;
  /** Of the clients drawn, only these work, by their number from 0. */
  readonly clients?: readonly number[];
  /** Somebody changes the members, or nobody does. */
  readonly operator?: boolean;
  /** False: neither hashes of states nor snapshots are held against the truth. */
  readonly comparesStates?: boolean;
  /** How long clients work, and when faults begin. */
  readonly workMs?: number;
  readonly faultsAfterMs?: number;
  /** Limits and delays in the place of those drawn. */
  readonly settings?: Partial<Drawn>;
}

export interface Script {
  readonly seed: number;
  readonly overrides: Overrides;
  /** What it showed when it was written, and where to look. */
  readonly shows: string;
}

const KNOWN = [
  ...["without", "blind", "plan", "calm", "skip", "workloads", "clients", "operator", "turns"],
  ...["single", "workMs", "faultsAfterMs", "settings", "comparesStates"],
];

/** Reads a script's text; throws at what it does not know. */
export function parseScript(text: string): Script {
  const { seed, overrides = {}, shows = "" } = JSON.parse(text) as Partial<Script>;
  if (!Number.isSafeInteger(seed)) throw new Error("a script names its seed");
  const unknown = Object.keys(overrides).filter(name => !KNOWN.includes(name));
  if (unknown.length > 0) throw new Error(`a script cannot override ${unknown.join(", ")}`);
  return { seed: Number(seed), overrides, shows };
}

export const formatScript = (script: Script): string => `${JSON.stringify(script, null, 2)}\n`;
