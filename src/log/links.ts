/**
 * The links as the log uses them: the peer room's links with this cluster's rules for who is let
 * in, and snapshots as bulk streams. Called by running-log.ts.
 */
import { assert } from "../base/assert.js";
import { formatNodeId, type NodeId } from "../base/ids.js";
import { LIMITS } from "../base/limits.js";
import type { Address, NetworkError } from "../base/network.js";
import type { Cancel } from "../base/ports.js";
import {
  addressOf,
  type BulkStream,
  type Joined,
  type JoinRequest,
  type PeerHost,
  type PeerIdentity,
  PeerLinks,
  type PeerNode,
  REFUSAL,
  type Refusal,
} from "../peer/index.js";
import type { Configuration, Message } from "../raft/message/index.js";
import type { Identity } from "../storage/contract.js";
import { clusterMismatch, LOG_FAILURE, memberRemoved, memberReplaced } from "./failure.js";
import type { AskWhoIAm } from "./opening.js";
import type { EmbeddedLogOptions } from "./options.js";
import { nameOf, type Participation } from "./participation.js";
import type { LogFailure } from "./port/index.js";
import { Repeats } from "./repeats.js";
import type { Decide } from "./snapshot-incoming.js";
import { encodeOffer, type SnapshotOffer } from "./snapshot-offer.js";
import type { SendEvents, SendOutcome } from "./snapshot-outgoing.js";
import type { FileSource } from "./snapshot-reading.js";

export interface LinksEvents {
  /** From a peer whose incarnation is on disk. */
  received(message: Message): void;
  asked(from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void;
  /** A committed configuration that names `node`, encoded; null while there is none here. */
  configurationFor(node: NodeId): Uint8Array | null;
  /** It has the newest configuration there is, as far as it knows. */
  leads(): boolean;
  snapshotOffered(offer: Uint8Array, decide: Decide): void;
  /** Both sides let each other in. */
  up(peer: NodeId): void;
  down(peer: NodeId, startedByUs: boolean): void;
  fatal(failure: LogFailure): void;
}

/** What the links need of an opened log. */
export interface LinksParts {
  readonly identity: Identity;
  readonly participation: Participation;
  readonly configuration: Configuration;
  readonly events: LinksEvents;
}

export class Links {
  readonly #options: EmbeddedLogOptions;
  readonly #links: PeerLinks;
  readonly #repeats: Repeats;
  #stopJoining: Cancel | null = null;
  #joiningProblem: string | null = null;
  readonly #whenClosed: (() => void)[] = [];
  #closing: "no" | "closing" | "closed" = "no";
  #parts: LinksParts | null = null;
  /**
   * Peers of this cluster that the configuration here does not name: they were added since, one of
   * them may lead, and then nobody else would tell this node of them.
   */
  readonly #guests = new Map<NodeId, PeerNode>();
  #identity: PeerIdentity | null = null;
  #configuration: Configuration = { members: [], outgoingVoters: [], removed: [] };

  constructor(options: EmbeddedLogOptions) {
    this.#options = options;
    const { network, clock, bytes, checksum, endOfTurn, random, limits } = options;
    this.#repeats = new Repeats(clock);
    this.#links = new PeerLinks({
      ports: { network, clock, bytes, checksum, endOfTurn, random: random("peer") },
      host: this.#host(),
      limits: limits.peer,
      timing: limits.peerTiming,
    });
  }

  /** Takes all addresses, before anything is written. Nobody is let in yet. */
  listen(done: (failure: LogFailure | null) => void): void {
    let left = this.#options.listen.length;
    assert(left > 0, "a node listens for its peers somewhere");
    let failed = false;
    for (const address of this.#options.listen) {
      this.#links.listen(address, error => {
        left -= 1;
        if (failed) return;
        failed = error !== null;
        if (error !== null) done(cannotListen(error));
        else if (left === 0) done(null);
      });
    }
  }

  /** On an empty directory: asks the members at these addresses who this node is. */
  readonly join: AskWhoIAm = (addresses, incarnation, done) => {
    const { name, token, note } = this.#options;
    this.#joiningProblem = "nobody has answered yet";
    const end = (answer: Joined | LogFailure): void => {
      this.#stopJoining = null;
      this.#joiningProblem = null;
      done(answer);
    };
    const stop = this.#links.join(
      addresses,
      { clusterToken: token, name, incarnation },
      {
        joined: end,
        refused: ({ reason, message }) => {
          if (reason === REFUSAL.memberReplaced) end(memberReplaced(`A member says: ${message}`));
          else end(clusterMismatch(`A member refused this node: ${message}`));
        },
        waits: problem => {
          this.#joiningProblem = problem;
          note("warn", `waits to learn who it is: ${problem}`, { name });
        },
      },
    );
    this.#stopJoining = () => {
      stop();
      end({ code: LOG_FAILURE.configuration, message: "stopped before any member knew this node" });
    };
  };

  /** Why a join that is under way has not come to its end; null: there is none. */
  get joiningProblem(): string | null {
    return this.#joiningProblem;
  }

  /** If a join is under way, it ends now, with a failure. */
  stopJoining(): void {
    this.#stopJoining?.();
  }

  /** Lets peers in, and dials everybody in the configuration. */
  start(parts: LinksParts): void {
    this.#parts = parts;
    this.setPeers(parts.configuration);
    this.#links.start();
  }

  setPeers(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#identity = null;
    for (const { id } of configuration.members) this.#guests.delete(id);
    for (const id of configuration.removed) this.#guests.delete(id);
    this.#speakWithAll();
  }

  #speakWithAll(): void {
    const nodes: PeerNode[] = [];
    for (const { id, name, peerUrls } of this.#configuration.members) {
      if (id === this.#opened.identity.nodeId) continue;
      const addresses = addressesOf(peerUrls);
      if (addresses.length > 0) nodes.push({ id, name, addresses });
    }
    this.#links.setPeers([...nodes, ...this.#guests.values()]);
  }

  /** False: it cannot be dialled, or this node would know of it. */
  #isWelcome({ nodeId, name, incarnation, peerUrls = [] }: PeerIdentity): boolean {
    const { events, participation } = this.#opened;
    const addresses = addressesOf(peerUrls);
    if (addresses.length === 0 || events.leads()) return false;
    participation.welcome(nodeId, incarnation);
    this.#guests.delete(nodeId);
    this.#guests.set(nodeId, { id: nodeId, name, addresses });
    const [oldest] = this.#guests.keys();
    if (this.#guests.size > LIMITS.maxMembers && oldest !== undefined) this.#guests.delete(oldest);
    this.#speakWithAll();
    return true;
  }

  /** Should it come again, it says so. */
  #guestLeft(node: NodeId): void {
    if (this.#guests.delete(node)) this.#speakWithAll();
  }

  send(message: Message): void {
    this.#links.send(message.to, message);
  }

  flush(): void {
    this.#links.flush();
  }

  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    this.#links.ask(node, question, done);
  }

  peers(): readonly { readonly id: NodeId; readonly connected: boolean }[] {
    return this.#configuration.members
      .filter(({ id }) => id !== this.#opened.identity.nodeId)
      .map(({ id }) => ({ id, connected: this.isUp(id) }));
  }

  isUp(node: NodeId): boolean {
    return this.#links.isUp(node);
  }

  /** Streams `source` from where the receiver wants it; no event comes after the cancel. */
  sendSnapshot(offer: SnapshotOffer, source: FileSource, events: SendEvents): Cancel {
    let over = false;
    const end = (outcome: SendOutcome): void => {
      if (over) return;
      over = true;
      events.ended(outcome);
    };
    const lost = (): void => end(sender.isRefused ? "refused" : "broken");
    const pump = (stream: BulkStream): void => {
      source.read(slice => {
        if (over) return;
        if (slice === null) stream.finish(taken => (taken ? end("taken") : lost()));
        else stream.write(slice, standing => (standing ? pump(stream) : lost()));
      });
    };
    const encoded = encodeOffer(offer, this.#options.bytes);
    const sender = this.#links.openBulk(offer.message.to, encoded, (stream, resumeAt) => {
      if (stream === null) return lost();
      if (resumeAt > offer.content.sizeBytes) {
        stream.abort();
        return end("refused");
      }
      events.begun(resumeAt);
      source.seek(resumeAt);
      pump(stream);
    });
    return () => {
      if (over) return;
      over = true;
      sender.abort();
    };
  }

  /** May be called again: every `done` comes once all is closed. */
  close(done: () => void): void {
    if (this.#closing === "closed") {
      this.#options.endOfTurn.schedule(done);
      return;
    }
    this.#whenClosed.push(done);
    if (this.#closing !== "no") return;
    this.#closing = "closing";
    this.#links.stop(() => {
      this.#closing = "closed";
      for (const closed of this.#whenClosed) closed();
    });
  }

  /** Nobody is let in, and nothing comes, before there is an opened log. */
  get #opened(): LinksParts {
    assert(this.#parts !== null, "links speak only for an opened log");
    return this.#parts;
  }

  #host(): PeerHost {
    return {
      identity: () => this.#ownIdentity(),
      admit: (peer, decide) => decide(this.#admit(peer)),
      joins: request => this.#joins(request),
      received: (from, message) => {
        const { takesPart } = this.#opened.participation;
        if (takesPart && this.#opened.participation.isRecorded(from))
          this.#opened.events.received(message);
      },
      asked: (from, question, answer) => this.#opened.events.asked(from, question, answer),
      bulkOffered: (_from, offer, decide) => this.#opened.events.snapshotOffered(offer, decide),
      linkUp: node => {
        this.#opened.participation.accepted(node);
        this.#opened.events.up(node);
      },
      linkDown: (node, startedByUs) => {
        this.#opened.participation.left(node);
        this.#opened.events.down(node, startedByUs);
        this.#guestLeft(node);
      },
      refused: (node, by, refusal) => this.#refused(node, by, refusal),
      strangerRefused: ({ remote, reason, message }) =>
        this.#warn(`refused a stranger: ${message}`, { reason, ...remote }),
    };
  }

  /** Asked with every message: made anew only when something of it changes. */
  #ownIdentity(): PeerIdentity {
    const isNew = !this.#opened.participation.takesPart;
    if (this.#identity === null || this.#identity.isNew !== isNew) {
      this.#identity = this.#makeIdentity(isNew);
    }
    return this.#identity;
  }

  #makeIdentity(isNew: boolean): PeerIdentity {
    const { clusterId, nodeId, incarnation } = this.#opened.identity;
    return {
      clusterId,
      clusterToken: this.#options.token,
      nodeId,
      name: this.#configuration.members.find(({ id }) => id === nodeId)?.name ?? this.#options.name,
      incarnation,
      isNew,
      clientUrls: this.#options.clientUrls,
      peerUrls: this.#configuration.members.find(({ id }) => id === nodeId)?.peerUrls ?? [],
    };
  }

  #admit(peer: PeerIdentity): Refusal | null {
    const verdict = this.#opened.participation.hello(peer.nodeId, peer.incarnation);
    if (verdict === "stranger" && !this.#isWelcome(peer)) {
      const who = `node ${formatNodeId(peer.nodeId)} (${peer.name})`;
      return { reason: REFUSAL.unknownMember, message: `${who} is not a member of this cluster` };
    }
    if (verdict === "removed") {
      const who = `node ${formatNodeId(peer.nodeId)} (${peer.name})`;
      return { reason: REFUSAL.memberRemoved, message: `${who} was removed from this cluster` };
    }
    if (verdict === null || verdict === "stranger") {
      this.#opened.participation.reachedAt(peer.nodeId, peer.clientUrls ?? []);
      return null;
    }
    return replaced(nameOf(this.#configuration, peer.nodeId));
  }

  #joins({ name, incarnation }: JoinRequest): Joined | Refusal {
    const { participation, identity, events } = this.#opened;
    const node = participation.joins(name, incarnation);
    if (node === "replaced") return replaced(name);
    const configuration = node === "stranger" ? null : events.configurationFor(node);
    if (node === "stranger" || configuration === null) {
      const message = `nobody named ${name} was added to this cluster yet (holdfast member add)`;
      return { reason: REFUSAL.unknownMember, message };
    }
    return { clusterId: identity.clusterId, nodeId: node, configuration };
  }

  /** Peers try again and again. */
  #warn(message: string, details: Readonly<Record<string, string | number>>): void {
    if (this.#repeats.isNews(message)) this.#options.note("warn", message, details);
  }

  #refused(node: NodeId, by: "them" | "us", { reason, message }: Refusal): void {
    const who = nameOf(this.#configuration, node);
    this.#warn(`no link to ${who}: ${message}`, { reason, by });
    if (by === "us") return;
    if (reason === REFUSAL.memberReplaced) {
      this.#opened.events.fatal(memberReplaced(`Member ${who} refused this node: ${message}`));
    } else if (reason === REFUSAL.memberRemoved) {
      this.#opened.events.fatal(memberRemoved(`Member ${who} refused this node: ${message}`));
    } else if (!this.#opened.participation.takesPart && isMismatch(reason)) {
      // A node that takes part is not to be stopped by whoever listens at a member's address.
      this.#opened.events.fatal(clusterMismatch(`Member ${who} refused this node: ${message}`));
    }
  }
}

function addressesOf(urls: readonly string[]): Address[] {
  return urls.map(addressOf).filter((at): at is Address => at !== null);
}

function replaced(who: string): Refusal {
  const message = `member ${who} is known with another data directory than the one it came with`;
  return { reason: REFUSAL.memberReplaced, message };
}

function cannotListen({ address, message }: NetworkError): LogFailure {
  const where = `${address.host}:${address.port}`;
  return {
    code: LOG_FAILURE.listenFailed,
    message: `cannot listen for peers on ${where}: ${message}`,
  };
}

function isMismatch(reason: string): boolean {
  return reason === REFUSAL.clusterMismatch || reason === REFUSAL.tokenMismatch;
}
