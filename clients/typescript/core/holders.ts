/** What stands in answers about lines, as callers see it. */
import { listOf } from "./incoming.js";
import type { Holder } from "./surface.js";
import { textOf } from "./text.js";

/** Those who hold or wait. Throws MessageError for what is no list of them. */
export function holdersOf(wire: unknown): Holder[] {
  const holders = listOf(wire, "holders") as readonly unknown[] as readonly Holder[];
  return holders.map(one => ({ ...one, key: textOf(one.key) }));
}

export function textsOf(wire: unknown): string[] {
  return Array.isArray(wire) ? wire.map(textOf) : [];
}
