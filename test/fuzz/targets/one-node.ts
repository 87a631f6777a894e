/**
 * A whole node behind its doors: the real log and the real replica, alone in their cluster, over a
 * disk and a network in memory. On whatever clock it is given: one to turn, or the real one.
 */
import type { Clock, EndOfTurn } from "../../../src/base/ports.js";
import { randomStream } from "../../../src/base/random.js";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS } from "../../../src/log/index.js";
import { createReplica, type Replica } from "../../../src/replica/index.js";
import { nodeBytes, nodeChecksum } from "../../../src/server/ports/index.js";
import { Machine, STATE_LIMITS, type StateLimits } from "../../../src/state/index.js";
import { MemoryDisk } from "../../../src/testing/memory-disk.js";
import { MemoryNetwork } from "../../../src/testing/memory-network.js";
import { Broken } from "../target.js";

const SEED = 1;

export interface NodeOptions {
  readonly clock: Clock;
  readonly endOfTurn: EndOfTurn;
  readonly stateLimits?: Partial<StateLimits>;
}

/** Starts it; it serves once it has elected itself. Throws when it stops for whatever reason. */
export function startNode({ clock, endOfTurn, stateLimits = {} }: NodeOptions): Replica {
  const disk = new MemoryDisk({
    random: randomStream(SEED, "disk"),
    schedule: (_operation, complete) => void clock.after(0, complete),
  });
  const network = new MemoryNetwork(clock);
  const storage = { ...DEFAULT_LOG_LIMITS.storage, segmentBytes: 65_536, pieceBytes: 16_384 };
  const log = createEmbeddedLog({
    disk: disk.mount(),
    directory: "/data",
    network: network.host("one"),
    clock,
    random: concern => randomStream(SEED, concern),
    bytes: nodeBytes,
    checksum: nodeChecksum,
    endOfTurn,
    listen: [{ host: "one", port: 2380 }],
    name: "one",
    clientUrls: ["http://one:2379"],
    initialCluster: [{ name: "one", peerUrls: ["http://one:2380"] }],
    initialState: "new",
    token: "token",
    limits: { ...DEFAULT_LOG_LIMITS, storage: { ...storage, synchronousBytes: 0 } },
    note: () => {},
  });
  const failed = (failure: { code: string; message: string }): never => {
    throw new Broken(`the node stops: ${failure.code} ${failure.message}`);
  };
  const replica = createReplica({
    log,
    clock,
    random: randomStream(SEED, "replica"),
    bytes: nodeBytes,
    endOfTurn,
    version: "fuzz",
    onFatal: failed,
    machine: new Machine(nodeBytes, { ...STATE_LIMITS, ...stateLimits }),
  });
  replica.start(failure => {
    if (failure !== null) failed(failure);
  });
  return replica;
}
