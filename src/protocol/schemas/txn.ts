/**
 * Transactions: all of etcd's, in words. The comparisons are all true: `success` is done, else
 * `failure`, all at one revision; a branch may hold further transactions. The types are written
 * out here, since they refer to themselves.
 */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import type { Compare, TxnOperation, TxnParams, TxnResult, TxnStepResult } from "../txn.js";
import {
  bytes,
  Consistency,
  count,
  flag,
  HeldBy,
  Key,
  Lease,
  Prefix,
  Revision,
  record,
  Value,
} from "./fields.js";
import { KvAppendResult, KvDeleteResult, KvPutResult, KvRangeParams, KvRangeResult } from "./kv.js";

const span = {
  key: Type.Optional(Key),
  rangeEnd: Type.Optional(bytes("With `key`: up to and without this one.")),
  prefix: Type.Optional(Prefix),
};
const op = Type.Union([
  Type.Literal("="),
  Type.Literal("!="),
  Type.Literal("<"),
  Type.Literal(">"),
]);

/** What is compared is what stands in the one field of that name; absent keys count as 0 or "". */
const compareNumber = record({
  ...span,
  target: Type.Union([
    Type.Literal("version"),
    Type.Literal("createRevision"),
    Type.Literal("modRevision"),
  ]),
  op,
  to: count("The number to compare with; an absent key has 0."),
});
const compareValue = record({ ...span, target: Type.Literal("value"), op, value: Value });
const compareLease = record({
  ...span,
  target: Type.Literal("lease"),
  op,
  lease: Type.Union([Lease, Type.Literal("0")], { description: 'A lease, or "0" for none.' }),
});

const comparison = Type.Union([compareNumber, compareValue, compareLease], {
  description:
    "Over a range it must hold for every key in it; an empty range compares as one absent key.",
});

const putStep = record({
  put: record({
    key: Key,
    value: Value,
    lease: Type.Optional(Lease),
    prev: Type.Optional(flag("Answer with the record as it was.")),
  }),
});
const appendStep = record({
  append: record({
    prefix: bytes("Below it the sequenced key is made.", LIMITS.nameBytes),
    value: Value,
    lease: Type.Optional(Lease),
  }),
});
const deleteStep = record({
  delete: record({ ...span, prev: Type.Optional(flag("Answer with the records.")) }),
});
const { consistency: _consistency, ...rangeProperties } = KvRangeParams.properties;
const rangeStep = record({ range: record(rangeProperties) });

const branch = Type.Array(Type.Ref("Step"), { maxItems: LIMITS.txnOperations });
const nested = record({
  compare: Type.Optional(Type.Array(comparison, { maxItems: LIMITS.txnCompares })),
  success: Type.Optional(branch),
  failure: Type.Optional(branch),
});
const step = Type.Union([
  putStep,
  appendStep,
  deleteStep,
  rangeStep,
  record({ txn: Type.Ref("Txn") }),
]);
const top = record({
  ...nested.properties,
  heldBy: Type.Optional(HeldBy),
  consistency: Type.Optional(Consistency),
});

export const KvTxnParams = Type.Unsafe<TxnParams>(
  Type.Cyclic({ Step: step, Txn: nested, Top: top }, "Top"),
);

const stepResult = Type.Union([
  record({ put: KvPutResult }),
  record({ append: KvAppendResult }),
  record({ delete: KvDeleteResult }),
  record({ range: KvRangeResult }),
  record({ txn: Type.Ref("TxnResult") }),
]);
const result = record({
  succeeded: flag("Whether the comparisons held."),
  revision: Revision,
  results: Type.Array(Type.Ref("StepResult"), { description: "One a step of the branch taken." }),
});
export const KvTxnResult = Type.Unsafe<TxnResult>(
  Type.Cyclic({ StepResult: stepResult, TxnResult: result }, "TxnResult"),
);

export type { Compare, TxnOperation, TxnParams, TxnResult, TxnStepResult };
