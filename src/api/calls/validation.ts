/**
 * The compiled checks of all operations' parameters, made once at the start (about 40 ms), with the
 * rules that a schema does not say well.
 */
import {
  OPERATION_KINDS,
  OPERATION_NAMES,
  type OperationKind,
  type OperationName,
} from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { Compile } from "typebox/compile";
import type { Failure } from "../../replica/coordinator/index.js";
import { diagnose } from "./diagnosis.js";
import { nearest } from "./similar.js";

export type Params = Record<string, unknown>;

/** One operation as the doors hold it. */
export interface CheckedOperation {
  readonly name: OperationName;
  readonly kind: OperationKind;
  /** Null if `params` (byte strings within) may go to the coordinator; else what is wrong. */
  readonly check: (params: Params) => Failure | null;
}

type Rule = (params: Params) => Failure | null;

const refuse = (parameter: string, message: string): Failure => ({
  code: "INVALID_PARAMETER",
  message,
  details: { parameter },
});

const spanRule: Rule = ({ key, prefix, rangeEnd }) => {
  if (prefix !== undefined && key !== undefined)
    return refuse("prefix", "give key or prefix, not both");
  if (rangeEnd !== undefined && key === undefined)
    return refuse("rangeEnd", "rangeEnd goes with key: the range is from key up to it");
  return null;
};

const someSpanRule: Rule = params => {
  const { key, prefix } = params;
  if (key === undefined && prefix === undefined)
    return refuse("key", "give key or prefix; the empty prefix means all keys");
  return spanRule(params);
};

const standingRule: Rule = params => {
  const { lease, ttlMs, pollMs, waitMs } = params;
  if (lease === undefined && ttlMs === undefined)
    return refuse("lease", "give lease, or ttlMs for a lease that belongs to the grant");
  if (lease !== undefined && ttlMs !== undefined)
    return refuse("ttlMs", "give lease or ttlMs, not both: a lease has its own time");
  if (pollMs !== undefined && (waitMs === undefined || waitMs === 0))
    return refuse("pollMs", "pollMs cuts a wait into pieces: give waitMs as well");
  return null;
};

const RULES: Partial<Record<OperationName, Rule>> = {
  "kv.range": spanRule,
  "kv.delete": someSpanRule,
  "watch.start": someSpanRule,
  "lock.acquire": standingRule,
  "election.campaign": standingRule,
};

function compile(name: OperationName): CheckedOperation {
  const schema = OPERATIONS[name].params;
  const compiled = Compile(schema);
  const rule = RULES[name];
  const check = (params: Params): Failure | null => {
    if (compiled.Check(params)) return rule === undefined ? null : rule(params);
    return (
      diagnose(schema, params) ?? refuse("", "the parameters are not as the operation wants them")
    );
  };
  return { name, kind: OPERATION_KINDS[name], check };
}

/** All operations by name. */
export type Operations = ReadonlyMap<string, CheckedOperation>;

export const compileOperations = (): Operations =>
  new Map(OPERATION_NAMES.map(name => [name, compile(name)]));

export function unknownOperation(name: string): Failure {
  const shown = name.slice(0, 80);
  const didYouMean = nearest(shown, OPERATION_NAMES);
  return {
    code: "UNKNOWN_OPERATION",
    message:
      didYouMean === null
        ? `there is no operation ${shown}`
        : `there is no operation ${shown}; did you mean ${didYouMean}?`,
    details: { operation: shown, ...(didYouMean === null ? {} : { didYouMean }) },
  };
}
