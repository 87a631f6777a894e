/**
 * Operations as the search places them: those that took effect, with the latest moment they did,
 * and those that may have, for which that moment never comes.
 */
import type { Model } from "./model.js";
import type { Move, Op, Operation } from "./operation.js";

export interface Entry {
  readonly operation: Operation;
  readonly move: Move;
  readonly callMs: number;
  /** Infinity where it need not have taken effect at all. */
  readonly dueMs: number;
}

export const isRequired = (entry: Entry): boolean => entry.dueMs !== Number.POSITIVE_INFINITY;

/** In order of their calls; what had no effect is left out. */
export function entriesOf(operations: readonly Operation[], model: Model): readonly Entry[] {
  const entries = operations
    .filter(({ result }) => result !== "failed")
    .map(entryOf)
    .filter(entry => isRequired(entry) || !model.reads(entry.move));
  return [...model.prepare(entries)].sort((a, b) => a.callMs - b.callMs);
}

export function entryOf(operation: Operation): Entry {
  const { op, result, call, return: returned } = operation;
  const unknown = result === "unknown" || returned === null;
  // Op and answer were held against each other when the operation was taken in.
  const move = { ...op, answer: unknown ? "unknown" : result } as Move;
  return { operation, move, callMs: call, dueMs: unknown ? Number.POSITIVE_INFINITY : returned };
}

/** The same operation, had nobody heard of its end: nor would its holder have any proof then. */
export function unheard(operation: Operation): Operation {
  return { ...operation, op: unproved(operation.op), return: null, result: "unknown" };
}

function unproved(op: Op): Op {
  if (op.kind !== "acquire" && op.kind !== "lead") return op;
  const { heldUntil: _, ...rest } = op;
  return rest;
}
