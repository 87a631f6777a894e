/** A node that only links: it admits whom it is told to and writes down what happens. */
import { type NodeId, nodeId, term } from "../../src/base/ids.js";
import type { Address, Network } from "../../src/base/network.js";
import type { Bytes, Clock, EndOfTurn } from "../../src/base/ports.js";
import { SeededRandom } from "../../src/base/random.js";
import {
  type BulkSink,
  type Joined,
  type JoinRequest,
  PEER_LIMITS,
  PEER_TIMING,
  type PeerHost,
  type PeerIdentity,
  type PeerLimits,
  PeerLinks,
  REFUSAL,
  type Refusal,
  type Stranger,
} from "../../src/peer/index.js";
import type { Message } from "../../src/raft/message/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import { MemoryNetwork } from "../../src/testing/memory-network.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

export interface World {
  readonly network: Network;
  readonly clock: Clock;
  readonly endOfTurn: EndOfTurn;
  /** Node's own, unless a test counts what is set aside. */
  readonly bytes?: Bytes;
}

export class RecordingNode implements PeerHost {
  readonly id: NodeId;
  readonly address: Address;
  readonly links: PeerLinks;
  /** `up 2`, `down 2 by them`, … in order. */
  readonly events: string[] = [];
  readonly messages: Message[] = [];
  readonly questions: string[] = [];
  readonly strangers: Stranger[] = [];
  readonly admitted: PeerIdentity[] = [];
  /** What `identity` says; parts may be changed by a test. */
  says: PeerIdentity;
  onAdmit: (peer: PeerIdentity, decide: (refusal: Refusal | null) => void) => void = (_, decide) =>
    decide(null);
  onJoin: (request: JoinRequest) => Joined | Refusal = ({ name }) => ({
    reason: REFUSAL.unknownMember,
    message: `nobody named ${name} is known`,
  });
  onAsk: (question: string, answer: (bytes: Uint8Array) => void) => void = (q, answer) =>
    answer(text(`re: ${q}`));
  onBulk: (metadata: string, decide: (sink: BulkSink | null, resumeAt: number) => void) => void = (
    _,
    decide,
  ) => decide(null, 0);

  constructor(number: number, address: Address, world: World, limits: Partial<PeerLimits> = {}) {
    this.id = nodeId(number);
    this.address = address;
    this.says = {
      clusterId: "00000000000000c1",
      clusterToken: "token",
      nodeId: this.id,
      name: `node${number}`,
      incarnation: `${number}`.padStart(16, "0"),
      isNew: false,
    };
    const random = new SeededRandom(number);
    const ports = { bytes: nodeBytes, ...world, random, checksum: nodeChecksum };
    const timing = PEER_TIMING;
    this.links = new PeerLinks({
      ports,
      host: this,
      timing,
      limits: { ...PEER_LIMITS, ...limits },
    });
  }

  /** Listens and starts, with these as its peers. */
  start(peers: readonly RecordingNode[]): this {
    this.links.setPeers(
      peers.map(({ id, says, address }) => ({ id, name: says.name, addresses: [address] })),
    );
    this.links.listen(this.address, error => {
      if (error !== null) throw new Error(error.message);
    });
    this.links.start();
    return this;
  }

  identity(): PeerIdentity {
    return this.says;
  }
  admit(peer: PeerIdentity, decide: (refusal: Refusal | null) => void): void {
    this.admitted.push(peer);
    this.onAdmit(peer, decide);
  }
  joins(request: JoinRequest): Joined | Refusal {
    return this.onJoin(request);
  }

  received(from: NodeId, message: Message): void {
    if (message.from !== from) throw new Error("a message under a foreign name");
    this.messages.push(message);
  }
  asked(_from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    this.questions.push(fromText(question));
    this.onAsk(fromText(question), answer);
  }
  bulkOffered(
    _from: NodeId,
    metadata: Uint8Array,
    decide: (sink: BulkSink | null, resumeAt: number) => void,
  ): void {
    this.onBulk(fromText(metadata), decide);
  }
  linkUp(node: NodeId): void {
    this.events.push(`up ${node}`);
  }
  linkDown(node: NodeId, startedByUs: boolean): void {
    this.events.push(`down ${node} by ${startedByUs ? "us" : "them"}`);
  }
  refused(node: NodeId, by: "them" | "us", refusal: Refusal): void {
    this.events.push(`refused ${node} by ${by}: ${refusal.reason}`);
  }
  strangerRefused(stranger: Stranger): void {
    this.strangers.push(stranger);
  }

  /** A message to `to` that carries `round`. */
  heartbeat(to: RecordingNode, round: number): Message {
    const none = 0 as Extract<Message, { type: "heartbeat" }>["commit"];
    return {
      type: "heartbeat",
      from: this.id,
      to: to.id,
      term: term(1),
      commit: none,
      commitTerm: term(0),
      round,
      held: none,
    };
  }

  /** The rounds of the heartbeats received. */
  get rounds(): number[] {
    return this.messages.map(message => (message.type === "heartbeat" ? message.round : -1));
  }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const fromText = (value: Uint8Array): string => new TextDecoder().decode(value);

export interface Memory {
  readonly loop: TurnedLoop;
  readonly network: MemoryNetwork;
  node(number: number, limits?: Partial<PeerLimits>): RecordingNode;
}

/**
 * A loop and a network in memory on which nodes are made; with a seed, bytes come in odd pieces.
 */
export function memory(seed?: number): Memory {
  const loop = new TurnedLoop();
  const network = new MemoryNetwork(
    loop,
    seed === undefined ? {} : { random: new SeededRandom(seed) },
  );
  return {
    loop,
    network,
    node: (number, limits) => {
      const host = `host${number}`;
      const world = { network: network.host(host), clock: loop, endOfTurn: loop };
      return new RecordingNode(number, { host, port: 2380 }, world, limits);
    },
  };
}

/** Two nodes whose link is up. */
export function linkedPair(
  seed?: number,
  limits?: Partial<PeerLimits>,
): Memory & { a: RecordingNode; b: RecordingNode } {
  const world = memory(seed);
  const a = world.node(1, limits);
  const b = world.node(2, limits);
  a.start([b]);
  b.start([a]);
  const up = world.loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 5_000);
  if (!up) throw new Error("the link did not come up");
  return { ...world, a, b };
}
