/**
 * The face of the checker: a history, a model and limits in, a verdict for every key out.
 */
import { type Conflict, conflictOf } from "./conflict.js";
import { entriesOf } from "./entries.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";
import { type Part, partsOf, partsOfAll } from "./partition.js";
import { type Budget, findOrder } from "./search.js";

export type Verdict = "linearizable" | "violation" | "unknown";

export interface Limits {
  /** For the whole of the check, by the clock `now`; 60 s where there is a clock. */
  readonly limitMs?: number;
  /** Milliseconds. Without a clock only steps limit. */
  readonly now?: () => number;
  /** For each key, and once more to narrow a violation. A step takes microseconds. */
  readonly limitSteps?: number;
}

export interface KeyReport {
  readonly key: string;
  readonly model: Model;
  readonly verdict: Verdict;
  /** All of this key, in the order of the history. */
  readonly operations: readonly Operation[];
  /** The order found: of all that took effect, or as far as it went. */
  readonly order: readonly Operation[];
  /** With a violation. */
  readonly conflict: Conflict | null;
  /** With "unknown": which limit was reached. */
  readonly limit: "steps" | "time" | null;
  readonly steps: number;
}

export interface Report {
  /** The worst of its keys: a violation, else unknown, else linearizable. */
  readonly verdict: Verdict;
  readonly keys: readonly KeyReport[];
}

interface Recorded {
  readonly operations: readonly Operation[];
}

const LIMIT_STEPS = 5_000_000;
const LIMIT_MS = 60_000;

/** Holds a history against one model, key by key. */
export function check(history: Recorded, model: Model, limits: Limits = {}): Report {
  return judgeParts(partsOf(history.operations, model), limits);
}

/** Holds each key of a history against the model of its operations. */
export function checkAll(history: Recorded, limits: Limits = {}): Report {
  return judgeParts(partsOfAll(history.operations), limits);
}

function judgeParts(parts: readonly Part[], limits: Limits): Report {
  const budget = budgetOf(limits);
  const keys = parts.map(part => judgePart(part, budget));
  const has = (verdict: Verdict): boolean => keys.some(key => key.verdict === verdict);
  const verdict = has("violation") ? "violation" : has("unknown") ? "unknown" : "linearizable";
  return { verdict, keys };
}

function budgetOf({ limitMs, now, limitSteps = LIMIT_STEPS }: Limits): Budget {
  if (now === undefined) {
    if (limitMs !== undefined) throw new TypeError("limitMs needs a clock: now");
    return { limitSteps, isOver: () => false };
  }
  const endMs = now() + (limitMs ?? LIMIT_MS);
  return { limitSteps, isOver: () => now() >= endMs };
}

function judgePart({ key, model, operations }: Part, budget: Budget): KeyReport {
  const found = findOrder(entriesOf(operations, model), model, budget);
  const { end, steps } = found;
  const report = { key, model, operations, steps, conflict: null, limit: null };
  const order = found.order.map(({ operation }) => operation);
  if (end === "placed") return { ...report, verdict: "linearizable", order };
  if (end !== "impossible") return { ...report, verdict: "unknown", order, limit: end };
  const conflict = conflictOf(operations, model, found, budget);
  return { ...report, verdict: "violation", order: conflict.order, conflict };
}
