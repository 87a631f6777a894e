/** The embedded replicated log. The port itself is ./port; the contract is the README beside this. */
export { deriveCluster, type InitialCluster, type InitialMember } from "./cluster.js";
export { createEmbeddedLog } from "./embedded.js";
export { LOG_FAILURE } from "./failure.js";
export {
  DEFAULT_LOG_LIMITS,
  type EmbeddedLogOptions,
  type LogLimits,
  type LogNote,
} from "./options.js";
