/**
 * What a kept answer counts for in the state's byte limit: an estimate, but the same on every
 * node.
 */
import type { CommandResult, Grant, RecordView, TxnStepResult } from "../command/result.js";

const ANSWER_BYTES = 120;
const RECORD_BYTES = 120;
const TEXT_BYTES = 16;

export function answerBytes(result: CommandResult | TxnStepResult | null): number {
  if (result === null) return ANSWER_BYTES;
  switch (result.kind) {
    case "put":
      return ANSWER_BYTES + result.key.length + (result.prev ? recordBytes(result.prev) : 0);
    case "append":
    case "entryEnded":
    case "proclaimed":
      return ANSWER_BYTES + result.key.length;
    case "delete":
      return ANSWER_BYTES + (result.prev ? recordsBytes(result.prev) : 0);
    case "range":
      return ANSWER_BYTES + recordsBytes(result.records);
    case "txn": {
      let bytes = ANSWER_BYTES;
      for (const step of result.results) bytes += answerBytes(step);
      return bytes;
    }
    case "granted":
      return ANSWER_BYTES + 2 * result.grant.key.length + partsBytes(result.grant);
    case "waiting":
      return ANSWER_BYTES + 2 * result.key.length;
    case "refused":
      return ANSWER_BYTES + detailBytes(result.details);
    case "yieldAsked": {
      let bytes = ANSWER_BYTES;
      for (const key of result.keys) bytes += TEXT_BYTES + key.length;
      return bytes;
    }
    case "cancelled":
      return ANSWER_BYTES + detailBytes(result.holders);
    case "broken":
      return ANSWER_BYTES + (result.broken ? 0 : detailBytes(result));
    case "lockConfigured":
      return ANSWER_BYTES + result.name.length + detailBytes(result.rule);
    case "slotFinished":
      return ANSWER_BYTES + result.job.length;
    default:
      return ANSWER_BYTES;
  }
}

function partsBytes({ parts = [] }: Grant): number {
  let bytes = 0;
  for (const { name, key } of parts) bytes += 2 * TEXT_BYTES + name.length + key.length;
  return bytes;
}

function recordBytes(record: RecordView): number {
  return RECORD_BYTES + record.key.length + (record.value?.length ?? 0);
}

function recordsBytes(records: readonly RecordView[]): number {
  let bytes = 0;
  for (const record of records) bytes += recordBytes(record);
  return bytes;
}

/** Details are plain data of a few levels. */
function detailBytes(value: unknown): number {
  if (typeof value === "string") return TEXT_BYTES + value.length;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 16;
  for (const [name, inner] of Object.entries(value)) bytes += name.length + detailBytes(inner);
  return bytes;
}
