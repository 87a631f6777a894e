/** An order told again step by step: what the object was after each operation, for people. */
import { entryOf } from "./entries.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";

/** After each operation of an order that the search found. */
export function statesAlong(order: readonly Operation[], model: Model): string[] {
  let state = model.initial;
  return order.map(operation => {
    // Times were judged by the search: what only time makes possible is possible here.
    const { move } = entryOf(asPlaced(operation));
    state = model.step(state, move, Number.POSITIVE_INFINITY) ?? state;
    return model.describe(state);
  });
}

/** One that came to nothing stands in an order only for what was known before it returned. */
const asPlaced = (operation: Operation): Operation =>
  operation.result === "failed" ? { ...operation, result: "unknown" } : operation;
