/**
 * What the room offers to src/log and asks of it: data and callbacks, no behaviour. The callbacks
 * are never called from inside a call of PeerLinks, but always from a turn that the network, the
 * clock or the end of a turn began.
 */
import type { NodeId } from "../base/ids.js";
import { LIMITS, type Limits } from "../base/limits.js";
import type { Address, Network } from "../base/network.js";
import type { Bytes, Checksum, Clock, EndOfTurn, Random } from "../base/ports.js";
import type { Message } from "../raft/message/index.js";

/** What a node says of itself when it says hello. */
export interface PeerIdentity {
  /** Derived from the initial cluster and its token; 16 hex digits. */
  readonly clusterId: string;
  /** The operator's token: tells clusters apart, keeps no secrets. */
  readonly clusterToken: string;
  readonly nodeId: NodeId;
  readonly name: string;
  /** Drawn when the data directory was made; 16 hex digits. */
  readonly incarnation: string;
  /** True while the directory holds no committed configuration. */
  readonly isNew: boolean;
  /** Where its clients reach it, at most 16, for the others to pass on; absent when it has none. */
  readonly clientUrls?: readonly string[];
  /** Where it is dialled, for a peer that has not heard of it yet. */
  readonly peerUrls?: readonly string[];
}

export const REFUSAL = {
  /** The dialler speaks a newer version of this protocol. */
  versionTooNew: "VERSION_TOO_NEW",
  tokenMismatch: "TOKEN_MISMATCH",
  clusterMismatch: "CLUSTER_MISMATCH",
  /** The address leads to another node than the one meant. */
  wrongNode: "WRONG_NODE",
  unknownMember: "UNKNOWN_MEMBER",
  /** The member is known with another data directory. */
  memberReplaced: "MEMBER_REPLACED",
  /** It was a member once and has been taken out. */
  memberRemoved: "MEMBER_REMOVED",
} as const;
export type RefusalReason = (typeof REFUSAL)[keyof typeof REFUSAL];

export interface Refusal {
  readonly reason: RefusalReason;
  /** What is wrong and what to do, for the operator of the refused node. */
  readonly message: string;
}

/** Asked by a node that was added and has no identity yet. */
export interface JoinRequest {
  readonly clusterToken: string;
  readonly name: string;
  /** Of its directory, kept or about to be made; 16 hex digits. */
  readonly incarnation: string;
}

/** Who it is, and who the others are. */
export interface Joined {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** An encoded configuration that is committed and names it. */
  readonly configuration: Uint8Array;
}

/** Another node of the cluster and where it listens for peers. */
export interface PeerNode {
  readonly id: NodeId;
  readonly name: string;
  /** Tried in turn; at least one. */
  readonly addresses: readonly Address[];
}

/** Someone who was not let in. */
export interface Stranger {
  readonly remote: Address;
  /** What it said of itself; absent when it said nothing that could be understood. */
  readonly identity?: PeerIdentity;
  /** A refusal's reason, or `NO_HELLO` (garbage, or nothing in time), or `TOO_MANY_STRANGERS`. */
  readonly reason: RefusalReason | "NO_HELLO" | "TOO_MANY_STRANGERS";
  readonly message: string;
}

/** Where a bulk stream goes. One write at a time; the same shape as a snapshot's sink. */
export interface BulkSink {
  /** Takes ownership of `slice`. `next` is called when another is welcome. */
  write(slice: Uint8Array, next: () => void): void;
  /** All has come. `done(false)`: it could not be taken; the sender is told. */
  finish(done: (taken: boolean) => void): void;
  /** The stream broke off. What was written may be kept to resume from. Nothing else follows. */
  abort(): void;
}

/** A bulk stream being sent. One write at a time. */
export interface BulkStream {
  /**
   * Takes ownership of `slice` (1 byte … 4 MiB). `next(true)` when another is welcome;
   * `next(false)` when the stream is broken: nothing else follows.
   */
  write(slice: Uint8Array, next: (standing: boolean) => void): void;
  /** To be called after the last `next`. `done(true)`: the receiver took it all. */
  finish(done: (taken: boolean) => void): void;
  /** Gives it up; no callback follows. */
  abort(): void;
}

/** A stream that is being opened, or stands. */
export interface BulkAttempt {
  /** The other side said no, to the offer or to what came; a mere break says nothing. */
  readonly isRefused: boolean;
  abort(): void;
}

export interface PeerHost {
  /** What this node says of itself; asked anew for every hello. */
  identity(): PeerIdentity;
  /**
   * May this node, whose cluster and token fit, be spoken with? `decide(null)` lets it in. May be
   * decided at once or later; decided at most once. Asked for each connection, by both sides.
   */
  admit(peer: PeerIdentity, decide: (refusal: Refusal | null) => void): void;
  /** A node that was added asks who it is; its token fits. */
  joins(request: JoinRequest): Joined | Refusal;
  /** A message from `from`, in order while the link stands; `message.to` is this node. */
  received(from: NodeId, message: Message): void;
  /** A question. `answer` may be called once, now or later; it may be lost. */
  asked(from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void;
  /**
   * `from` wants to send a bulk stream described by `metadata`. `decide(sink, resumeAt)` takes it
   * from that offset on (0: from the start); `decide(null, 0)` declines. Now or later, at most
   * once.
   */
  bulkOffered(
    from: NodeId,
    metadata: Uint8Array,
    decide: (sink: BulkSink | null, resumeAt: number) => void,
  ): void;
  linkUp(node: NodeId): void;
  /**
   * `startedByUs`: this side closed it (silence, garbage); otherwise the other side did, or its
   * process died, or the network broke it. Not called for a node that `setPeers` left out.
   */
  linkDown(node: NodeId, startedByUs: boolean): void;
  /**
   * `node` refuses us, or we refuse it; once per change of the reason. Tries go on, at a
   * distance.
   */
  refused(node: NodeId, by: "them" | "us", refusal: Refusal): void;
  strangerRefused(stranger: Stranger): void;
}

export interface PeerPorts {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly bytes: Bytes;
  readonly checksum: Checksum;
  readonly endOfTurn: EndOfTurn;
}

export interface PeerTiming {
  readonly tickMs: number;
  /** Ticks without a byte after which a connection counts as dead. */
  readonly silentTicks: number;
  readonly connectTimeoutMs: number;
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
}

export const PEER_TIMING: PeerTiming = {
  tickMs: 250,
  silentTicks: 6,
  connectTimeoutMs: 1_000,
  firstRetryMs: 50,
  lastRetryMs: 1_000,
};

export type PeerLimits = Pick<
  Limits,
  | "maxPeerFrameBytes"
  | "maxPeerBacklogBytes"
  | "maxStrangerConnections"
  | "maxHelloBytes"
  | "helloTimeoutMs"
  | "maxAskBytes"
  | "maxAsksPerPeer"
  | "askTimeoutMs"
  | "bulkWindowBytes"
>;

export const PEER_LIMITS: PeerLimits = LIMITS;

export interface PeerStatus {
  readonly id: NodeId;
  readonly up: boolean;
  /** For people: why it is not up, or "". */
  readonly problem: string;
}

/**
 * Parses `http://host:port` (also https, IPv6 in brackets, a trailing slash); null if it is not
 * one.
 */
export function addressOf(url: string): Address | null {
  const match = /^https?:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^/:?#[\]@\s]+)):(\d{1,5})\/?$/.exec(url);
  if (match === null) return null;
  const host = match[1] ?? match[2] ?? "";
  const port = Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}
