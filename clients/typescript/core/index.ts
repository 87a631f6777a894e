/** The client without a platform. `node/` and `browser/` add one each and are what users import. */

export type { ErrorCode } from "holdfast-protocol";
export { connectOver } from "./client.js";
export {
  HoldfastError,
  LockLostError,
  type LossReason,
  OutcomeUnknownError,
  UnavailableError,
  WaitTimeoutError,
  YieldAsked,
} from "./errors.js";
export type { Cancel, Platform, Wire, WireEvents } from "./platform.js";
export type * from "./surface.js";
