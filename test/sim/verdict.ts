/** What came of one run: figures, and what was wrong in words and as a kind that can be compared. */
import { Violation } from "./truth.js";

export interface Broken {
  /** The same for every seed that shows the same: names and numbers are left out. */
  readonly kind: string;
  readonly what: string;
  /** With the state of all nodes and the last notes. */
  readonly details: string;
}

export interface Verdict {
  readonly seed: number;
  readonly digest: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly cpuMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly sometimes: Readonly<Record<string, number>>;
  readonly violation: Broken | null;
}

export function brokenBy(error: unknown, context: string): Broken {
  const { name, message, stack } = error as Error;
  const what = error instanceof Violation ? message : `${name}: ${message}`;
  const shown = error instanceof Violation ? message : String(stack);
  return { kind: kindOf(what), what, details: `${shown}\n${context}` };
}

/** Whatever differs from seed to seed becomes a dot. */
export function kindOf(what: string): string {
  return what
    .replace(/\(.*\)/g, "")
    .split(/\s+/)
    .map(word => (/[\d/@|]|\w:\w/.test(word) ? "…" : word))
    .join(" ")
    .replace(/(… ?)+/g, "… ")
    .trim();
}
