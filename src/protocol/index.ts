/**
 * holdfast-protocol: what nodes and clients agree on. This face loads no library; the schemas are
 * in the sub-path `holdfast-protocol/schemas`, which loads TypeBox.
 */
export {
  ERRORS,
  type ErrorCode,
  type ErrorDeclaration,
  isErrorCode,
  type WireError,
} from "./errors.js";
export * from "./frames.js";
export { LIMITS } from "./limits.js";
export {
  BYTE_FIELDS,
  type ByteField,
  type Immutable,
  isDoneAnew,
  isOperationName,
  OPERATION_KINDS,
  OPERATION_NAMES,
  type OperationKind,
  type OperationName,
  type ParamsOf,
  type ResultOf,
  type WireForm,
  type WireParamsOf,
  type WireResultOf,
} from "./operations.js";
export type { EndReason, GrantRef, Guard, Holder, KeyRecord, Leader } from "./shapes.js";
export type {
  Compare,
  TxnBranches,
  TxnOperation,
  TxnParams,
  TxnResult,
  TxnStepResult,
} from "./txn.js";
