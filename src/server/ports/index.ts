/** The real ports of a node, but for disk and network, which stand beside this folder. */
export { nodeBytes } from "./bytes.js";
export { nodeChecksum } from "./checksum.js";
export { nodeClock } from "./clock.js";
export { nodeEndOfTurn } from "./end-of-turn.js";
export { nodeRandom } from "./random.js";
