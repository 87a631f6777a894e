/**
 * What clients do in the simulated world, each a loop that goes on until the world says that no
 * more work is to be begun; what they are answered is held against the truth. A workload may be
 * ended at any point by its process's death. Here is only where they are found.
 */
export { elections, observers } from "./elections.js";
export { lockCycles } from "./holders.js";
export { ladder } from "./ladder.js";
export { pairs } from "./pairs.js";
export { permits } from "./permits.js";
export { plainLocks } from "./plain-locks.js";
export { readers } from "./readers.js";
export { appends, registers } from "./registers.js";
export { slots } from "./slots.js";
export { watches } from "./watchers.js";
