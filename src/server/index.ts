/** The embeddable node: `import { startNode } from "holdfast"`. */
export {
  type Configuration,
  ConfigurationError,
  configurationFrom,
  type Endpoint,
  type InitialMember,
} from "./configuration.js";
export type { Flags } from "./flags.js";
export { NodeFailure, type RunningNode, startNode, VERSION } from "./node.js";
