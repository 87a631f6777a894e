/**
 * `holdfast/testing`, as far as it goes: one thread's clock to turn, a network and a disk in memory
 * whose faults are chosen, and seeded random streams. It is for tests of programs that embed
 * Holdfast's rooms over their ports; a cluster in one process is not here yet. Only tests call it.
 */
export type { Disk, DiskError, DiskFile } from "../base/disk.js";
export type { Connection, Network, NetworkError } from "../base/network.js";
export type { Cancel, Clock, EndOfTurn, Random } from "../base/ports.js";
export { randomStream, type SeededRandom } from "../base/random.js";
export {
  type DiskOperation,
  type DiskOperationKind,
  MemoryDisk,
  type MemoryDiskOptions,
} from "./memory-disk.js";
export { MemoryNetwork, type MemoryNetworkOptions } from "./memory-network.js";
export { TurnedLoop } from "./turned-loop.js";
