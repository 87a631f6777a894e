/**
 * How heavy a message is, roughly, where it may be heavy: a turn's answers are gathered before
 * they are encoded, and must not grow without bound. Small answers count nothing; their number is
 * bounded.
 */
import type { OperationName, PushedEvent, ResultOf, TxnResult } from "holdfast-protocol";
import type { Failure } from "../../replica/coordinator/index.js";

const PER_RECORD = 64;
const PER_VALUE = 8;

interface Weighed {
  readonly key: string;
  readonly value?: string;
  readonly prev?: { readonly value: string };
}

function recordsWeight(records: readonly Weighed[] | undefined): number {
  let bytes = 0;
  for (const { key, value, prev } of records ?? [])
    bytes += PER_RECORD + key.length + (value?.length ?? 0) + (prev?.value.length ?? 0);
  return bytes;
}

function txnWeight({ results }: TxnResult): number {
  let bytes = 0;
  for (const step of results) {
    if ("range" in step) bytes += recordsWeight(step.range.records);
    else if ("delete" in step) bytes += recordsWeight(step.delete.prev);
    else if ("txn" in step) bytes += txnWeight(step.txn);
    else if ("put" in step) bytes += step.put.prev?.value.length ?? 0;
  }
  return bytes;
}

/** Of plain data, whatever it holds: what takes callers' texts of many kinds, and is not hot. */
function dataWeight(value: unknown): number {
  if (typeof value === "string") return PER_VALUE + value.length;
  if (typeof value !== "object" || value === null) return PER_VALUE;
  let bytes = PER_VALUE;
  if (Array.isArray(value)) for (const item of value) bytes += dataWeight(item);
  else
    for (const name in value)
      bytes += name.length + dataWeight((value as Readonly<Record<string, unknown>>)[name]);
  return bytes;
}

const askedWeight = ({ asked }: ResultOf<"lock.check">): number =>
  asked === undefined ? 0 : dataWeight(asked);

/** The weight in bytes of an operation's result. */
export function answerWeight(name: OperationName, result: object): number {
  switch (name) {
    case "kv.get":
      return (result as ResultOf<"kv.get">).value.length;
    case "kv.range":
      return recordsWeight((result as ResultOf<"kv.range">).records);
    case "kv.delete":
      return recordsWeight((result as ResultOf<"kv.delete">).prev);
    case "kv.put":
      return (result as ResultOf<"kv.put">).prev?.value.length ?? 0;
    case "kv.txn":
      return txnWeight(result as TxnResult);
    case "lock.inspect":
    case "lock.list":
    case "lock.yield":
    case "lease.list":
    case "lease.get":
    case "election.leader":
    case "cluster.status":
      return dataWeight(result);
    case "lock.check":
      return askedWeight(result as ResultOf<"lock.check">);
    case "lease.keepalive":
      return "leases" in result ? dataWeight(result) : 0;
    default:
      return 0;
  }
}

/** The weight in bytes of a pushed event. */
export function eventWeight(event: PushedEvent): number {
  return event.event === "watch" ? recordsWeight(event.changes) : dataWeight(event);
}

/** The weight in bytes of a failure: some show holders, or a whole record. */
export function failureWeight({ details }: Failure): number {
  return details === undefined ? 0 : dataWeight(details);
}
