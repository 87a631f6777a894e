/** What others see of the checker's core. */
export {
  check,
  checkAll,
  type KeyReport,
  type Limits,
  type Report,
  type Verdict,
} from "./check.js";
export type { Conflict } from "./conflict.js";
export { election } from "./election.js";
export { History, type Pending } from "./history.js";
export { fromJsonl, HistoryError, toJsonl } from "./jsonl.js";
export { lock } from "./lock.js";
export type { Model } from "./model.js";
export type {
  Answer,
  AnswerOf,
  Kind,
  Op,
  Operation,
  OpOf,
  Taken,
  Tenure,
} from "./operation.js";
export { register } from "./register.js";
export { statesAlong } from "./retell.js";
export { spanText, timeText, wordsOf, wordsOfOp, wordsOfResult } from "./words.js";
