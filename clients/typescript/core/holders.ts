/** What stands in answers about lines, as callers see it. */
import type { Holder } from "./surface.js";
import { textOf } from "./text.js";

/** Those who hold or wait; anything else than a list is none. */
export function holdersOf(wire: unknown): Holder[] {
  if (!Array.isArray(wire)) return [];
  return wire.map(one => ({ ...(one as Holder), key: textOf((one as { key?: unknown }).key) }));
}

export function textsOf(wire: unknown): string[] {
  return Array.isArray(wire) ? wire.map(textOf) : [];
}
