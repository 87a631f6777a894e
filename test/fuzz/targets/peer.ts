/**
 * The peers' door, and the connection that a node dials itself, with anything on the other end:
 * strangers who say what they like, and one who passes for a known node and then says what it
 * likes. The node closes on what makes no sense, sets aside no more than its limits, hands on only
 * what its admitted peer may say; and the link to the third node never notices.
 */
import fc from "fast-check";
import { nodeId } from "../../../src/base/ids.js";
import type { Connection } from "../../../src/base/network.js";
import { SeededRandom } from "../../../src/base/random.js";
import { FRAME } from "../../../src/peer/frame.js";
import { encodeAccepted, encodeHello, encodeRefusal, PURPOSE } from "../../../src/peer/hello.js";
import type { BulkSink } from "../../../src/peer/index.js";
import { encodeMessage } from "../../../src/raft/message/index.js";
import { nodeBytes, nodeChecksum } from "../../../src/server/ports/index.js";
import { MemoryNetwork } from "../../../src/testing/memory-network.js";
import { TurnedLoop } from "../../../src/testing/turned-loop.js";
import { type Memory, RecordingNode, text } from "../../peer/recording-node.js";
import { boundedBytes } from "../bounds.js";
import { type Mutation, mutate, mutated, mutations } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";

type Step =
  /** A frame under a good head: what its payload says is for the receiver to judge. */
  | { readonly type: number; readonly payload: Uint8Array }
  /** Bytes as they are; mutated good frames, mostly. */
  | { readonly bytes: Uint8Array }
  | { readonly waitMs: number };

interface Input {
  /** Who the other end is: nobody, or node 3 on a link, or node 3 with a bulk stream. */
  readonly as: "stranger" | "link" | "bulk" | "dialled";
  readonly hello: readonly Mutation[];
  readonly steps: readonly Step[];
  /** How bytes are cut into pieces on the way. */
  readonly seed: number;
}

const LIMITS = { maxPeerFrameBytes: 65_536, bulkWindowBytes: 8_192, maxStrangerConnections: 4 };
const HELLO_BYTES = 4 * 1024;
/** Past hello, silence and asks: whatever nobody keeps alive is closed by then. */
const AFTER_MS = 12_000;

function frame(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[8] = type;
  bytes.set(payload, 9);
  view.setUint32(0, 1 + payload.length, true);
  view.setUint32(4, nodeChecksum.crc32(bytes.subarray(8)), true);
  return bytes;
}

const u53 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
};

/** What a bulk stream was told to the host, and how it ended. */
class Sink implements BulkSink {
  readonly #loop: TurnedLoop;
  ends = 0;
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
    this.#loop.after(5, () => done(true));
  }

  abort(): void {
    this.ends += 1;
  }
}

/** Nodes 1 and 2, linked, and a host in place of node 3. */
class Scene {
  readonly loop = new TurnedLoop();
  readonly network: MemoryNetwork;
  readonly one: RecordingNode;
  readonly two: RecordingNode;
  /** Only its identity is used. */
  readonly three: RecordingNode;
  readonly sinks: Sink[] = [];
  /** What the connections that node 1 dials to node 3 are, as they come. */
  readonly dialled: Connection[] = [];
  mostBytes = 0;

  constructor(seed: number, limitBytes: () => number) {
    this.network = new MemoryNetwork(this.loop, { random: new SeededRandom(seed) });
    const bytes = boundedBytes(limitBytes);
    const make = (number: number): RecordingNode => {
      const host = `host${number}`;
      const world = { network: this.network.host(host), clock: this.loop, endOfTurn: this.loop };
      const all = number === 1 ? { ...world, bytes } : world;
      return new RecordingNode(number, { host, port: 2380 }, all, LIMITS);
    };
    this.one = make(1);
    this.two = make(2);
    this.three = make(3);
    this.one.onBulk = (_metadata, decide) => {
      const sink = new Sink(this.loop);
      this.sinks.push(sink);
      decide(sink, 0);
    };
    this.one.start([this.two, this.three]);
    this.two.start([this.one]);
  }

  listenAsThree(accepted: (connection: Connection) => void): void {
    this.network.host("host3").listen(this.three.address, accepted, () => {});
  }

  linked(): boolean {
    return this.one.links.isUp(this.two.id) && this.two.links.isUp(this.one.id);
  }

  dial(accepted: (connection: Connection) => void): void {
    this.network.host("host3").connect(this.one.address, 1_000, (_error, connection) => {
      if (connection !== null) accepted(connection);
    });
  }
}

const identity = new RecordingNode(3, { host: "host3", port: 2380 }, nowhere()).says;

function nowhere(): Pick<Memory, "network"> & Parameters<typeof worldOf>[0] {
  const loop = new TurnedLoop();
  return worldOf(loop);
}
function worldOf(loop: TurnedLoop) {
  return { network: new MemoryNetwork(loop).host("host3") as never, clock: loop, endOfTurn: loop };
}

const helloOf = (as: Input["as"]): Uint8Array =>
  as === "dialled"
    ? frame(FRAME.accepted, encodeAccepted(nodeBytes, identity))
    : frame(
        FRAME.hello,
        encodeHello(nodeBytes, as === "bulk" ? PURPOSE.bulk : PURPOSE.link, nodeId(1), identity),
      );

export const peer: FuzzTarget<Input> = {
  name: "peer",
  promise: "whoever is on the other end, it is closed or served, and others are served on",
  reaches: ["stranger: let go", "link: let go", "link: heard", "bulk: let go", "bulk: taken"],
  shortRuns: 200,

  samples: () => ({}),
  inputs: () => fc.constant({ as: "stranger", hello: [], steps: [], seed: 1 }),
  fuzz: () => "",
};
void [mutate, mutated, mutations, encodeMessage, encodeRefusal, text, u53, Scene, helloOf];
void [HELLO_BYTES, AFTER_MS];
