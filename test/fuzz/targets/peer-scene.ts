/**
 * Nodes 1 and 2, linked for good, and whoever passes for node 3: a host that nobody of ours runs
 * on. The stage of the peer target; it says nothing of what is sent.
 */
import { nodeId } from "../../../src/base/ids.js";
import type { Connection } from "../../../src/base/network.js";
import { SeededRandom } from "../../../src/base/random.js";
import type { BulkSink, PeerIdentity } from "../../../src/peer/index.js";
import { MemoryNetwork } from "../../../src/testing/memory-network.js";
import { TurnedLoop } from "../../../src/testing/turned-loop.js";
import { RecordingNode } from "../../peer/recording-node.js";
import { boundedBytes } from "../bounds.js";
import { hold } from "../target.js";

const LIMITS = {
  maxPeerFrameBytes: 65_536,
  maxAskBytes: 32_768,
  bulkWindowBytes: 8_192,
  maxStrangerConnections: 4,
};
const HELLO_BYTES = 4 * 1024;
/** What a channel gathers in that it sends. */
const SLAB_BYTES = 32 * 1024;

/** What a bulk stream was told to the host, and how it ended. */
class Sink implements BulkSink {
  readonly #loop: TurnedLoop;
  ends = 0;
  finished = false;
  waitingBytes = 0;

  constructor(loop: TurnedLoop) {
    this.#loop = loop;
  }

  write(slice: Uint8Array, next: () => void): void {
    hold(this.ends === 0, "nothing is written after the end");
    hold(this.waitingBytes === 0, "one slice at a time");
    hold(slice.length > 0 && slice.length <= LIMITS.maxPeerFrameBytes, "a slice fits a frame");
    this.waitingBytes = slice.length;
    this.#loop.after(5, () => {
      this.waitingBytes = 0;
      next();
    });
  }

  finish(done: (taken: boolean) => void): void {
    this.ends += 1;
    this.finished = true;
    this.#loop.after(5, () => done(true));
  }

  abort(): void {
    this.ends += 1;
  }
}

/** What node 3 says of itself. */
export const THREE: PeerIdentity = {
  clusterId: "00000000000000c1",
  clusterToken: "token",
  nodeId: nodeId(3),
  name: "node3",
  incarnation: "0000000000000003",
  isNew: false,
};

/** Nodes 1 and 2; node 3 is only known to node 1, and never starts. */
export class Scene {
  readonly loop = new TurnedLoop();
  readonly network: MemoryNetwork;
  readonly one: RecordingNode;
  readonly two: RecordingNode;
  readonly three: RecordingNode;
  readonly sinks: Sink[] = [];

  constructor(seed: number) {
    this.network = new MemoryNetwork(this.loop, { random: new SeededRandom(seed) });
    this.one = this.#node(1);
    this.two = this.#node(2);
    this.three = this.#node(3);
    this.one.onBulk = (_metadata, decide) => {
      const sink = new Sink(this.loop);
      this.sinks.push(sink);
      decide(sink, 0);
    };
    this.one.start([this.two, this.three]);
    this.two.start([this.one]);
  }

  linked(): boolean {
    return this.one.links.isUp(this.two.id) && this.two.links.isUp(this.one.id);
  }

  #node(number: number): RecordingNode {
    const host = `host${number}`;
    const world = {
      network: this.network.host(host),
      clock: this.loop,
      endOfTurn: this.loop,
      bytes: boundedBytes(() => this.#mostBytes(), [SLAB_BYTES]),
    };
    return new RecordingNode(number, { host, port: 2380 }, world, LIMITS);
  }

  /** A stranger gets no more than a hello's; who was admitted a frame's. */
  #mostBytes(): number {
    const knows = this.one?.admitted.some(({ nodeId: id }) => id === this.three.id) === true;
    return knows ? LIMITS.maxPeerFrameBytes : HELLO_BYTES;
  }
}

/** The host in place of node 3. */
export class OtherEnd {
  readonly #scene: Scene;
  #connection: Connection | null = null;
  #stopListening: () => void = () => {};
  isClosed = false;

  constructor(scene: Scene, isDialled: boolean) {
    this.#scene = scene;
    const { loop } = scene;
    const accepted = (connection: Connection): void => {
      if (this.#connection !== null) {
        connection.destroy();
        return;
      }
      this.#connection = connection;
      connection.start({
        received: () => {},
        drained: () => {},
        closed: () => {
          this.isClosed = true;
        },
      });
    };
    const network = scene.network.host("host3");
    if (isDialled)
      network.listen(scene.three.address, accepted, (_error, listener) => {
        this.#stopListening = () => listener?.close(() => {});
      });
    else network.connect(scene.one.address, 1_000, (_e, made) => made !== null && accepted(made));
    hold(
      loop.runUntil(() => this.#connection !== null, 5_000),
      "there is a connection",
    );
  }

  send(bytes: Uint8Array): void {
    this.#connection?.write([bytes]);
    this.#scene.loop.settle();
  }

  stopListening(): void {
    this.#stopListening();
  }
}
