/**
 * Transactions: the protocol's words to the state's, and the results back. All go through the log.
 */
import type {
  Compare as ProtocolCompare,
  TxnStepResult as ProtocolStepResult,
  TxnResult as ProtocolTxnResult,
  TxnBranches,
  TxnOperation,
} from "holdfast-protocol";
import { unreachable } from "../../base/assert.js";
import type {
  Compare,
  KeySpan,
  Txn,
  TxnResult,
  TxnStep,
  TxnStepResult,
} from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import { invalid } from "../failure.js";
import { isFailure, writing } from "./call.js";
import { deleteResult, putResult, queryOf, rangeResult } from "./kv.js";
import { type SpanFields, spanOf } from "./spans.js";

/** Thrown and caught within this file: the first part that cannot be meant. */
class Misstated extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

function sound<T extends object>(value: T | Failure): T {
  if (isFailure(value)) throw new Misstated(value);
  return value;
}

export const txn = writing<"kv.txn">(
  params => {
    try {
      const { heldBy } = params;
      const guard = heldBy === undefined ? {} : { heldBy };
      return { kind: "kv.txn", ...branchesOf(params), ...guard };
    } catch (error) {
      if (error instanceof Misstated) return error.failure;
      throw error;
    }
  },
  result => (result.kind === "txn" ? txnResult(result) : null),
);

function branchesOf(branches: TxnBranches): Txn {
  return {
    compare: (branches.compare ?? []).map(compareOf),
    success: (branches.success ?? []).map(stepOf),
    failure: (branches.failure ?? []).map(stepOf),
  };
}

function compareOf(compare: ProtocolCompare): Compare {
  const span = named(compare, "compare");
  const { op } = compare;
  switch (compare.target) {
    case "value":
      return { target: "value", span, op, to: compare.value };
    case "lease":
      return { target: "lease", span, op, to: compare.lease === "0" ? "" : compare.lease };
    default:
      return { target: compare.target, span, op, to: compare.to };
  }
}

/** A span that must not be left out: everything is said with an empty prefix. */
function named(fields: SpanFields, part: string): KeySpan {
  if (fields.key === undefined && fields.prefix === undefined) {
    throw new Misstated(invalid(part, `${part}: say which keys, with key or prefix`));
  }
  return sound(spanOf(fields));
}

function stepOf(step: TxnOperation): TxnStep {
  if ("put" in step) {
    const { key, value, lease, prev } = step.put;
    const leased = lease === undefined ? {} : { lease };
    return { op: "put", key, value, ...leased, ...(prev === true ? { prev: true } : {}) };
  }
  if ("append" in step) {
    const { prefix, value, lease } = step.append;
    return { op: "append", prefix, value, ...(lease === undefined ? {} : { lease }) };
  }
  if ("delete" in step) {
    const span = named(step.delete, "delete");
    return { op: "delete", span, ...(step.delete.prev === true ? { prev: true } : {}) };
  }
  if ("range" in step) return { op: "range", query: sound(queryOf(step.range)) };
  return { op: "txn", txn: branchesOf(step.txn) };
}

function txnResult(result: TxnResult): ProtocolTxnResult {
  const { succeeded, revision, results } = result;
  return { succeeded, revision, results: results.map(stepResult) };
}

function stepResult(result: TxnStepResult): ProtocolStepResult {
  switch (result.kind) {
    case "put":
      return { put: putResult(result) };
    case "append":
      return { append: { key: result.key, revision: result.revision } };
    case "delete":
      return { delete: deleteResult(result) };
    case "range":
      return { range: rangeResult(result) };
    case "txn":
      return { txn: txnResult(result) };
    default:
      return unreachable(result, "a transaction's result");
  }
}
