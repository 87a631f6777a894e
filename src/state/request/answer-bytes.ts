/**
 * What a kept answer counts for in the state's byte limit: an estimate, but the same on every
 * node.
 */
import type { CommandResult, RecordView, TxnStepResult } from "../command/result.js";

const ANSWER_BYTES = 120;
const RECORD_BYTES = 120;

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
      return ANSWER_BYTES + 2 * result.grant.key.length;
    case "waiting":
      return ANSWER_BYTES + 2 * result.key.length;
    case "refused":
      return ANSWER_BYTES + detailBytes(result.details);
    default:
      return ANSWER_BYTES;
  }
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
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 16;
  for (const [name, inner] of Object.entries(value)) bytes += name.length + detailBytes(inner);
  return bytes;
}
