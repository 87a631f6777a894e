/**
 * What a fuzz target is: a promise, inputs that may break it, and a function that tries one. The
 * runner (runner.ts) knows nothing else of a target. An input is plain data, so that a corpus file
 * holds it as text (text.ts) and whoever reads it sees what was tried.
 */
import type fc from "fast-check";

export interface FuzzTarget<Input = unknown> {
  /** Names its folder of the corpus. */
  readonly name: string;
  /** What is held, whatever comes, in one sentence. */
  readonly promise: string;
  /** Outcomes that a short run must come to: one that is never met was never tested. */
  readonly reaches: readonly string[];
  /** How many inputs the short run tries. */
  readonly shortRuns: number;
  /** Good inputs by name: what mutation starts from. `REWRITE=1` writes them into the corpus. */
  samples(): Readonly<Record<string, Input>>;
  /** Inputs made from those in the corpus. `size` (1 …) says how much goes on in one of them. */
  inputs(corpus: readonly Input[], size: number): fc.Arbitrary<Input>;
  /** Throws when the promise is broken; else says in a word or two what became of `input`. */
  fuzz(input: Input): string | Promise<string>;
  /** Ends what `fuzz` keeps from one input to the next, for those that keep anything. */
  close?(): Promise<void>;
}

/** A broken promise. Any other error that a target throws is one as well. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export function hold(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Broken(promise);
}
