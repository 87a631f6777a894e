/** An order told again step by step: what the object was after each operation, for people. */
import { entryOf } from "./entries.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";

/** After each operation of an order that the search found. */
export function statesAlong(order: readonly Operation[], model: Model): string[] {
  let state = model.initial;
  return order.map(operation => {
    // Times were judged by the search: what only time makes possible is possible here.
    state = model.step(state, entryOf(operation).move, Number.POSITIVE_INFINITY) ?? state;
    return model.describe(state);
  });
}
