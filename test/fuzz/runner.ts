/**
 * Runs a target: first what its corpus holds, then inputs that fast-check makes, counting what
 * became of them. Knows nothing of what is tried. The short run (fuzz.test.ts) and the long one
 * (campaign.ts) call it.
 */
import fc from "fast-check";
import { withinBounds } from "./bounds.js";
import type { CorpusFile } from "./corpus.js";
import type { FuzzTarget } from "./target.js";

export interface Search {
  readonly seed: number;
  readonly runs: number;
  readonly size: number;
  /** Shrinking included. Absent: as long as it takes. */
  readonly withinMs?: number;
}

export interface Finding {
  /** Shrunk. */
  readonly input: unknown;
  readonly error: unknown;
}

export interface Found {
  readonly runs: number;
  /** How often each outcome came. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly finding: Finding | null;
}

/** What is wrong with a file of the corpus, or null. */
export async function replay(target: FuzzTarget, file: CorpusFile): Promise<string | null> {
  try {
    const outcome = await withinBounds(() => target.fuzz(file.input));
    if (file.outcome === outcome) return null;
    if (file.outcome === null) return `mended, but without its outcome: ${outcome}`;
    return `came to "${outcome}" instead of "${file.outcome}"`;
  } catch (error) {
    return messageOf(error);
  }
}

export async function search(
  target: FuzzTarget,
  corpus: readonly CorpusFile[],
  { seed, runs, size, withinMs }: Search,
): Promise<Found> {
  const outcomes = new Map<string, number>();
  const inputs = target.inputs(
    corpus.map(({ input }) => input),
    size,
  );
  const property = fc.asyncProperty(inputs, async input => {
    const outcome = await withinBounds(() => target.fuzz(input));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  });
  const result = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(withinMs === undefined ? {} : { interruptAfterTimeLimit: withinMs }),
  });
  const { failed, counterexample, errorInstance, numRuns } = result;
  const isBroken = failed && counterexample !== null && errorInstance !== null;
  const finding = isBroken ? { input: counterexample[0], error: errorInstance } : null;
  return { runs: numRuns, outcomes, finding };
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
