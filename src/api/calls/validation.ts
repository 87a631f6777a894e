/**
 * The compiled checks of all operations' parameters, made once at the start (about 40 ms).
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
import { RULES } from "./rules.js";
import { nearest } from "./similar.js";

export type Params = Record<string, unknown>;

/** One operation as the doors hold it. */
export interface CheckedOperation {
  readonly name: OperationName;
  readonly kind: OperationKind;
  /** Null if `params` (byte strings within) may go to the coordinator; else what is wrong. */
  readonly check: (params: Params) => Failure | null;
}

const UNFIT: Failure = {
  code: "INVALID_PARAMETER",
  message: "the parameters are not as the operation wants them",
};

function compile(name: OperationName): CheckedOperation {
  const schema = OPERATIONS[name].params;
  const compiled = Compile(schema);
  const rule = RULES[name];
  const check = (params: Params): Failure | null => {
    if (compiled.Check(params)) return rule === undefined ? null : rule(params);
    return diagnose(schema, params) ?? UNFIT;
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
