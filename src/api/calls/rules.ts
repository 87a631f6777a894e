/** The rules on parameters that a schema does not say well. Run on what passed its schema. */
import { LIMITS, type OperationName, type TxnBranches } from "holdfast-protocol";
import type { Failure } from "../../replica/coordinator/index.js";
import type { Params } from "./validation.js";

/** Null if the rule holds. */
export type Rule = (params: Params) => Failure | null;

const refuse = (parameter: string, message: string): Failure => ({
  code: "INVALID_PARAMETER",
  message,
  details: { parameter },
});

interface Span {
  readonly key?: unknown;
  readonly prefix?: unknown;
  readonly rangeEnd?: unknown;
}

/** `path` leads to the span within the parameters, with its dot. */
function spanProblem({ key, prefix, rangeEnd }: Span, path: string): Failure | null {
  if (prefix !== undefined && key !== undefined)
    return refuse(`${path}prefix`, `give ${path}key or ${path}prefix, not both`);
  if (rangeEnd !== undefined && key === undefined)
    return refuse(`${path}rangeEnd`, "rangeEnd goes with key: the range is from key up to it");
  return null;
}

function someSpanProblem(span: Span, path: string): Failure | null {
  if (span.key === undefined && span.prefix === undefined)
    return refuse(`${path}key`, `give ${path}key or ${path}prefix; the empty prefix is all keys`);
  return spanProblem(span, path);
}

const leased: Rule = ({ lease, ttlMs }) => {
  if (lease === undefined && ttlMs === undefined)
    return refuse("lease", "give lease, or ttlMs for a lease that belongs to the grant");
  if (lease !== undefined && ttlMs !== undefined)
    return refuse("ttlMs", "give lease or ttlMs, not both: a lease has its own time");
  return null;
};

const polled: Rule = ({ pollMs, waitMs }) => {
  if (pollMs !== undefined && (waitMs === undefined || waitMs === 0))
    return refuse("pollMs", "pollMs cuts a wait into pieces: give waitMs as well");
  return null;
};

const remaining: Rule = ({ minRemainingMs, ttlMs }) => {
  if (typeof minRemainingMs === "number" && typeof ttlMs === "number" && minRemainingMs > ttlMs)
    return refuse("minRemainingMs", "a lease never has more left than its ttlMs");
  return null;
};

const standing: Rule = params => leased(params) ?? polled(params) ?? remaining(params);

/** Which way to hold: alone, beside readers, with one of several permits, or several at once. */
const held: Rule = ({ name, names, mode, permits }) => {
  if (name === undefined && names === undefined)
    return refuse("name", "give name, or names for several locks at once");
  if (name !== undefined && names !== undefined)
    return refuse("names", "give name or names, not both");
  if (mode !== undefined && permits !== undefined)
    return refuse("permits", "give mode or permits, not both: a semaphore has no readers");
  const several = Array.isArray(names) && names.length > 1;
  if (several && permits !== undefined)
    return refuse("permits", "several locks at once are exclusive: no permits with names");
  if (several && mode === "shared")
    return refuse("mode", "several locks at once are exclusive: no shared mode with names");
  return null;
};

/** Counts what a transaction holds, nested ones included, and looks at every span in it. */
class TxnWalk {
  #operations = 0;
  #compares = 0;

  problem(txn: TxnBranches, path: string, depth: number): Failure | null {
    const { txnDepth, txnCompares, txnOperations } = LIMITS;
    if (depth > txnDepth)
      return refuse(path, `transactions nest at most ${txnDepth} deep, ${path} is deeper`);
    const { compare = [], success = [], failure = [] } = txn;
    this.#compares += compare.length;
    if (this.#compares > txnCompares)
      return refuse(`${path}compare`, `a transaction has at most ${txnCompares} comparisons`);
    this.#operations += success.length + failure.length;
    if (this.#operations > txnOperations)
      return refuse(`${path}success`, `a transaction has at most ${txnOperations} steps`);
    for (const [at, one] of compare.entries()) {
      const found = someSpanProblem(one, `${path}compare[${at}].`);
      if (found !== null) return found;
    }
    return (
      this.#branch(success, `${path}success`, depth) ??
      this.#branch(failure, `${path}failure`, depth)
    );
  }

  #branch(steps: NonNullable<TxnBranches["success"]>, path: string, depth: number): Failure | null {
    for (const [at, step] of steps.entries()) {
      const within = `${path}[${at}].`;
      let found: Failure | null = null;
      if ("delete" in step) found = someSpanProblem(step.delete, `${within}delete.`);
      else if ("range" in step) found = spanProblem(step.range, `${within}range.`);
      else if ("txn" in step) found = this.problem(step.txn, `${within}txn.`, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }
}

export const RULES: Partial<Record<OperationName, Rule>> = {
  "kv.range": params => spanProblem(params, ""),
  "kv.delete": params => someSpanProblem(params, ""),
  "kv.txn": params => new TxnWalk().problem(params as TxnBranches, "", 1),
  "watch.start": params => someSpanProblem(params, ""),
  "lock.acquire": params => held(params) ?? standing(params),
  "slot.claim": leased,
  "election.campaign": standing,
};
