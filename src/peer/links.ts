/**
 * The room's face: all links of one node. src/log makes one, tells it who the peers are, and drives
 * Raft with what comes in. See contract.ts for what is asked of the host, README.md for the rules.
 */
import { assert } from "../base/assert.js";
import type { NodeId } from "../base/ids.js";
import type { Address, Connection, Listener, NetworkError } from "../base/network.js";
import type { Cancel } from "../base/ports.js";
import type { Message } from "../raft/message/index.js";
import { BulkReceiver } from "./bulk-receiver.js";
import { type BulkOpened, BulkSender } from "./bulk-sender.js";
import { type Channel, Flusher } from "./channel.js";
import type { PeerContext } from "./context.js";
import {
  type BulkAttempt,
  type JoinRequest,
  PEER_LIMITS,
  PEER_TIMING,
  type PeerHost,
  type PeerIdentity,
  type PeerLimits,
  type PeerNode,
  type PeerPorts,
  type PeerStatus,
  type PeerTiming,
  REFUSAL,
  type Refusal,
} from "./contract.js";
import { Door, type DoorOwner } from "./door.js";
import { PURPOSE, type Purpose } from "./hello.js";
import { Joining, type JoiningOwner } from "./join.js";
import { Link } from "./link.js";

export interface PeerLinksOptions {
  readonly ports: PeerPorts;
  readonly host: PeerHost;
  readonly limits?: PeerLimits;
  readonly timing?: PeerTiming;
}

export class PeerLinks implements DoorOwner {
  readonly #context: PeerContext;
  readonly #door: Door;
  readonly #links = new Map<NodeId, Link>();
  readonly #senders = new Set<BulkSender>();
  readonly #receivers = new Set<BulkReceiver>();
  readonly #listeners: Listener[] = [];
  #joining: Joining | null = null;
  #bulkAttempts = 0;
  #state: "new" | "started" | "stopped" = "new";
  #cancelTick: Cancel | null = null;

  constructor(options: PeerLinksOptions) {
    const { ports, host, limits = PEER_LIMITS, timing = PEER_TIMING } = options;
    const flusher = new Flusher(ports.endOfTurn);
    this.#context = { ports, host, limits, timing, flusher };
    this.#door = new Door(this.#context, this);
  }

  /**
   * Takes the address, so that it is known to be free before anything is written; may be called for
   * several. Until `start`, whoever connects is sent away at once. `done` gives the true address.
   */
  listen(
    address: Address,
    done: (error: NetworkError | null, address: Address | null) => void,
  ): void {
    const accepted = (connection: Connection): void => {
      if (this.#state === "started") this.#door.open(connection);
      else connection.destroy();
    };
    this.#context.ports.network.listen(address, accepted, (error, listener) => {
      if (listener === null) done(error, null);
      else if (this.#state === "stopped") listener.close(() => undefined);
      else {
        this.#listeners.push(listener);
        done(null, listener.address);
      }
    });
  }

  /**
   * Before `start`, on a node that has no identity yet: asks the members at `addresses` in turn who
   * it is, again and again, until one knows it or it is refused for good. The answer ends it.
   */
  join(addresses: readonly Address[], request: JoinRequest, owner: JoiningOwner): Cancel {
    assert(this.#joining === null && this.#state === "new", "a node joins once, before its start");
    const joining = new Joining(this.#context, addresses, request, owner);
    this.#joining = joining;
    joining.start();
    return () => joining.stop();
  }

  /** Lets peers in and dials those there are. */
  start(): void {
    assert(this.#state === "new", "PeerLinks are started once");
    this.#state = "started";
    for (const link of this.#links.values()) link.start();
    this.#armTick();
  }

  /**
   * The other nodes from now on. Links to those left out end without a `linkDown`; those that stay
   * keep their connections, and use new addresses from the next dial on.
   */
  setPeers(peers: readonly PeerNode[]): void {
    const wanted = new Set<NodeId>(peers.map(peer => peer.id));
    for (const [id, link] of this.#links) {
      if (wanted.has(id)) continue;
      link.stop();
      this.#links.delete(id);
    }
    for (const peer of peers) {
      const link = this.#links.get(peer.id);
      if (link !== undefined) link.redirect(peer);
      else this.#addLink(peer);
    }
  }

  /**
   * Sends at the end of this turn, or at the next `flush`. False: dropped, since there is no
   * connection or its backlog is full; true promises nothing.
   */
  send(node: NodeId, message: Message): boolean {
    return this.#links.get(node)?.send(message) ?? false;
  }

  /** Sends now what was sent in this turn, one write a peer. */
  flush(): void {
    this.#context.flusher.flush();
  }

  /**
   * Asks another node. `done` comes once, in a later turn: with the answer, or with null when the
   * link is down or breaks, when too many questions wait, or after `askTimeoutMs`. With null, it
   * may or may not have arrived. `question` must not be changed any more; the answer is memory of
   * its own.
   */
  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    const link = this.#links.get(node);
    const fits = question.length <= this.#context.limits.maxAskBytes;
    if (link !== undefined && fits && link.ask(question, done)) return;
    this.#context.ports.endOfTurn.schedule(() => done(null));
  }

  /**
   * Opens a stream of bulk data to `node`, over a connection of its own. `opened(null, 0)`: it is
   * not there or declined. `opened(stream, resumeAt)`: send from that offset on, which the receiver
   * chose and nobody here can check. A later turn, once.
   */
  openBulk(node: NodeId, metadata: Uint8Array, opened: BulkOpened): BulkAttempt {
    const link = this.#links.get(node);
    const sender = new BulkSender(this.#context, metadata, opened, ended => {
      this.#senders.delete(ended);
    });
    this.#senders.add(sender);
    const peer = link?.peer ?? { id: node, name: "", addresses: [] };
    sender.start(peer, this.#bulkAttempts++);
    return sender;
  }

  isUp(node: NodeId): boolean {
    return this.#links.get(node)?.up ?? false;
  }

  /** In the order in which the peers were given. */
  status(): PeerStatus[] {
    return [...this.#links.values()].map(link => link.status);
  }

  /** Closes everything. No callback follows but the nulls of questions and `done`. */
  stop(done: () => void): void {
    assert(this.#state !== "stopped", "PeerLinks are stopped once");
    this.#state = "stopped";
    this.#cancelTick?.();
    this.flush();
    this.#joining?.stop();
    this.#door.close();
    for (const link of this.#links.values()) link.stop();
    for (const sender of [...this.#senders]) sender.abort();
    for (const receiver of this.#receivers) receiver.stop();
    this.#receivers.clear();
    this.#closeListeners(done);
  }

  placeFor(identity: PeerIdentity): Refusal | null {
    if (this.#links.has(identity.nodeId)) return null;
    const own = this.#context.host.identity();
    const message = `${identity.name} is not among the peers of ${own.name}`;
    return { reason: REFUSAL.unknownMember, message };
  }

  admitted(channel: Channel, identity: PeerIdentity, purpose: Purpose): void {
    const { nodeId } = identity;
    if (purpose === PURPOSE.link) {
      this.#links.get(nodeId)?.accepted(channel);
      return;
    }
    // A sender has one stream at a time: a second one means that it gave up the first.
    for (const receiver of this.#receivers) {
      if (receiver.from !== nodeId) continue;
      this.#receivers.delete(receiver);
      receiver.stop();
    }
    const ended = (receiver: BulkReceiver): void => {
      this.#receivers.delete(receiver);
    };
    this.#receivers.add(new BulkReceiver(this.#context, nodeId, channel, ended));
  }

  #addLink(peer: PeerNode): void {
    const own = this.#context.host.identity().nodeId;
    assert(peer.id !== own, "a node is no peer of its own");
    const link = new Link(this.#context, peer);
    this.#links.set(peer.id, link);
    if (this.#state === "started") link.start();
  }

  #armTick(): void {
    const { ports, timing } = this.#context;
    this.#cancelTick = ports.clock.after(timing.tickMs, () => {
      this.#armTick();
      for (const link of this.#links.values()) link.tick();
      for (const sender of this.#senders) sender.tick();
      for (const receiver of this.#receivers) receiver.tick();
    });
  }

  #closeListeners(done: () => void): void {
    let open = this.#listeners.length;
    if (open === 0) this.#context.ports.endOfTurn.schedule(done);
    for (const listener of this.#listeners) {
      listener.close(() => {
        open--;
        if (open === 0) done();
      });
    }
  }
}
