/**
 * A node of the test cluster: the product's log, replica and client sessions, over a disk and a
 * network in memory. It can be killed and started again on its disk. It has no doors of sockets,
 * and frames travel as they are written, without WebSocket around them.
 */
import { Border } from "../api/calls/text.js";
import { compileOperations, type Operations } from "../api/calls/validation.js";
import { decodeMsgpack, encodeMsgpack } from "../api/websocket/msgpack.js";
import { FrameSession } from "../api/websocket/session.js";
import { LIMITS } from "../base/limits.js";
import type { Connection } from "../base/network.js";
import type { Random } from "../base/ports.js";
import { randomStream } from "../base/random.js";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS, type LogLimits } from "../log/index.js";
import type { LogFailure, ReplicatedLog } from "../log/port/index.js";
import type { Coordinator } from "../replica/coordinator/index.js";
import { createReplica, type Replica } from "../replica/index.js";
import { nodeBytes, nodeChecksum } from "../server/ports/index.js";
import { MemoryDisk } from "./memory-disk.js";
import type { MemoryNetwork } from "./memory-network.js";
import { Process } from "./process.js";
import type { TurnedLoop } from "./turned-loop.js";

export const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

/** Small files: they lie in memory, and are filled with zeros before they are needed. */
const LOG_LIMITS: LogLimits = {
  ...DEFAULT_LOG_LIMITS,
  storage: { ...DEFAULT_LOG_LIMITS.storage, segmentBytes: 512 * 1024, synchronousBytes: 0 },
};
/** Keeps what a long test writes from staying in the log for ever. */
const SNAPSHOT_AFTER_BYTES = 2 * 1024 * 1024;

/** Compiled once for all clusters: it takes a while. */
let operations: Operations | null = null;
const border = new Border(nodeBytes, "msgpack");

export interface NodeSurroundings {
  readonly loop: TurnedLoop;
  readonly network: MemoryNetwork;
  readonly seed: number;
  /** The names of all members, this one's included. */
  readonly names: readonly string[];
  /** The node cannot go on, which no fault of a test cluster brings about. */
  onFatal(message: string): void;
}

interface Life {
  readonly process: Process;
  readonly log: ReplicatedLog;
  readonly replica: Replica;
}

export class TestNode {
  readonly name: string;
  readonly #surroundings: NodeSurroundings;
  readonly #disk: MemoryDisk;
  #life: Life | null = null;
  #lives = 0;

  constructor(name: string, surroundings: NodeSurroundings) {
    this.name = name;
    this.#surroundings = surroundings;
    const { loop } = surroundings;
    this.#disk = new MemoryDisk({
      random: this.#random("disk"),
      schedule: (_operation, complete) => {
        const process = this.#life?.process;
        loop.defer(() => process?.enter(complete));
      },
    });
  }

  /** It leads and may serve. */
  get serves(): boolean {
    return this.#life?.log.leadership().serving === true;
  }

  /** It takes part, and knows who leads. */
  get knowsLeader(): boolean {
    return this.#life?.replica.coordinator.status().state === "ready";
  }

  /** How far it has applied the log. */
  get appliedIndex(): number {
    return this.#life?.log.status().appliedIndex ?? 0;
  }

  start(): void {
    const { loop, network } = this.#surroundings;
    this.#lives += 1;
    const process = new Process(loop);
    const log = this.#makeLog(process);
    const replica = createReplica({
      log,
      clock: process,
      random: this.#random(`${this.#lives}/replica`),
      bytes: nodeBytes,
      endOfTurn: process,
      version: "testing",
      onFatal: failure => this.#failed(process, failure),
      limits: { snapshotAfterBytes: SNAPSHOT_AFTER_BYTES },
    });
    this.#life = { process, log, replica };
    replica.start(failure => {
      if (failure !== null) this.#failed(process, failure);
    });
    network.host(this.name).listen(
      { host: this.name, port: CLIENT_PORT },
      connection => accept(connection, process, replica.coordinator),
      () => {},
    );
  }

  /** Its process dies. What it wrote stays on its disk; others see its connections end. */
  kill(): void {
    this.#life?.process.end();
    this.#life = null;
    this.#disk.kill();
    this.#surroundings.network.crash(this.name);
  }

  #makeLog(process: Process): ReplicatedLog {
    const { network, names } = this.#surroundings;
    const life = this.#lives;
    return createEmbeddedLog({
      disk: this.#disk.mount(),
      directory: "/data",
      network: network.host(this.name),
      clock: process,
      random: concern => this.#random(`${life}/${concern}`),
      bytes: nodeBytes,
      checksum: nodeChecksum,
      endOfTurn: process,
      listen: [{ host: this.name, port: PEER_PORT }],
      name: this.name,
      clientUrls: [clientUrl(this.name)],
      initialState: "new",
      initialCluster: names.map(name => ({ name, peerUrls: [`http://${name}:${PEER_PORT}`] })),
      token: "testing",
      limits: LOG_LIMITS,
      note: () => {},
    });
  }

  #random(concern: string): Random {
    return randomStream(this.#surroundings.seed, `${this.name}/${concern}`);
  }

  #failed(process: Process, failure: LogFailure): void {
    if (!process.isAlive) return;
    this.kill();
    this.#surroundings.onFatal(`${this.name} stops: ${failure.code}: ${failure.message}`);
  }
}

export const clientUrl = (name: string): string => `http://${name}:${CLIENT_PORT}`;

function accept(connection: Connection, process: Process, coordinator: Coordinator): void {
  operations ??= compileOperations();
  let requests = 0;
  const house = {
    coordinator,
    operations,
    border,
    clock: process,
    endOfTurn: process,
    limits: LIMITS,
    observe: () => {},
    nextRequestId: () => `${++requests}`,
  };
  const session: FrameSession = new FrameSession(house, {
    send: messages => void connection.write([encodeMsgpack(messages)]),
    bufferedBytes: () => connection.bufferedBytes,
    close: () => connection.close(),
  });
  connection.start({
    // Whole frames: this network is made to deliver what was written as it was written.
    received: frame => session.receive(decodeMsgpack(frame)),
    drained: () => session.drained(),
    closed: () => session.closed(),
  });
}
