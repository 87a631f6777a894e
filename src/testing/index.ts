/**
 * `holdfast/testing`: `startTestCluster()`, a whole cluster in this process with a clock to turn,
 * for tests of programs that use Holdfast; and the parts it is made of (a turned loop, a network
 * and a disk in memory, seeded randomness) for tests of programs that embed Holdfast's rooms over
 * their ports. Only tests call it.
 */
export type { Disk, DiskError, DiskFile } from "../base/disk.js";
export type { Connection, Network, NetworkError } from "../base/network.js";
export type { Cancel, Clock, EndOfTurn, Random } from "../base/ports.js";
export { randomStream, type SeededRandom } from "../base/random.js";
export { startTestCluster, type TestCluster, type TestClusterOptions } from "./cluster.js";
export {
  type DiskOperation,
  type DiskOperationKind,
  MemoryDisk,
  type MemoryDiskOptions,
} from "./memory-disk.js";
export { MemoryNetwork, type MemoryNetworkOptions } from "./memory-network.js";
export { TurnedLoop } from "./turned-loop.js";
