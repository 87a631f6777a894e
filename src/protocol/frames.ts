/**
 * What travels over `/v1/ws`, as types: a frame is an array of messages, either way. How they are
 * encoded is the doors' matter (msgpack or JSON); docs/PROTOCOL.md tells the story in words.
 */
import type { ErrorCode, WireError } from "./errors.js";
import type { LIMITS } from "./limits.js";
import type { OperationName, WireForm } from "./operations.js";
import type { EndReason, Holder, KeyRecord, Leader } from "./shapes.js";

export const PROTOCOL_VERSION = 1;
export const SUBPROTOCOLS = ["holdfast.v1.msgpack", "holdfast.v1.json"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];

// From client to node.

/** The first message of a connection. */
export interface HelloMessage {
  readonly hello: {
    readonly v: typeof PROTOCOL_VERSION;
    readonly token?: string;
    /** 16 hex digits, 64 random bits a process. Absent: no request has an identity. */
    readonly client?: string;
    /** The leases that the client keeps alive: it hears of their ends here. */
    readonly leases?: readonly string[];
  };
}
export interface RequestMessage {
  /** The request's number in this client's process, from 1; the same when it is sent again. */
  readonly id: number;
  readonly op: OperationName;
  readonly params?: Readonly<Record<string, unknown>>;
  /** The lowest number that is still unanswered; it only grows. */
  readonly low?: number;
}
/** Gives a request up. Its own answer, or a stream's `end`, is the final truth. */
export interface CancelMessage {
  readonly cancel: number;
}
export type ClientMessage = HelloMessage | RequestMessage | CancelMessage;

// From node to client.

export interface WelcomeMessage {
  readonly welcome: {
    readonly v: typeof PROTOCOL_VERSION;
    readonly clusterId: string;
    readonly nodeId: string;
    /** The leader as this node knows it, comparable with `nodeId`; absent while none is known. */
    readonly leader?: string;
    /** Where clients reach the leader, if this node knows: there, a write saves a hop. */
    readonly leaderUrls?: readonly string[];
    readonly limits: Readonly<Record<keyof typeof LIMITS, number>>;
    /** In the order of the hello; with neither field, nothing is known of it at the moment. */
    readonly leases: readonly {
      readonly lease: string;
      readonly remainingMs?: number;
      readonly ended?: { readonly reason: EndReason };
    }[];
  };
}
export interface AnswerMessage {
  readonly id: number;
  readonly ok: Readonly<Record<string, unknown>>;
}
export interface ErrorMessage {
  /** 0: the connection itself; it is closed after this. */
  readonly id: number;
  readonly error: WireError;
}
/** The events as they travel. */
export type EventMessage = WireForm<PushedEvent>;
export type ServerMessage = WelcomeMessage | AnswerMessage | ErrorMessage | EventMessage;

// What is pushed, as it stands within a node (strings are byte strings there).

/** A grant has ended, other than by a release of this connection. */
export interface LostEvent {
  readonly event: "lost";
  readonly lease: string;
  readonly key: string;
  readonly name: string;
  readonly token: number;
  readonly reason: EndReason;
  /** Who broke it, and why, as they said. */
  readonly by?: string;
  readonly why?: string;
}
/** Somebody asks the holder to hand over. The grant stands; nothing has ended. */
export interface YieldEvent {
  readonly event: "yield";
  readonly lease: string;
  readonly key: string;
  readonly name: string;
  /** How long it is given, from now on, before it may be broken. */
  readonly graceMs: number;
  readonly by?: string;
  readonly why?: string;
}
/** A lease that this connection attached has ended; the `lost` of its grants come before it. */
export interface LeaseEndedEvent {
  readonly event: "leaseEnded";
  readonly lease: string;
  readonly reason: EndReason;
}
/** Where a wait stands, if it asked with `position`: at most once a second, to the first 100. */
export interface PositionEvent {
  readonly event: "position";
  readonly id: number;
  /** 1 is next. */
  readonly position: number;
  readonly holders: readonly Holder[];
}
export interface WatchedChange {
  readonly kind: "put" | "delete";
  readonly key: string;
  /** Absent for deletes, and where only keys were asked for. */
  readonly value?: string;
  readonly createRevision: number;
  /** For deletes the revision of the delete. */
  readonly modRevision: number;
  readonly version: number;
  readonly lease?: string;
  /** Why the key went: deleted, released, cancelled, expired, revoked, … Absent for puts. */
  readonly cause?: string;
  /** As it was before, if asked for and still known. */
  readonly prev?: KeyRecord;
}
/**
 * All changes of one revision that a watch sees, in order; revisions only grow. Without changes
 * it is progress: everything up to and including `revision` has been told.
 */
export interface WatchEvent {
  readonly event: "watch";
  readonly id: number;
  readonly revision: number;
  readonly changes: readonly WatchedChange[];
}
/** Someone leads, or proclaims anew; without `leader`, nobody leads from this revision on. */
export interface ObserveEvent {
  readonly event: "observe";
  readonly id: number;
  readonly revision: number;
  readonly leader?: Leader;
}
/** The last word of a stream: cancelled (no error), or broken off by the node. */
export interface EndEvent {
  readonly event: "end";
  readonly id: number;
  readonly error?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>>;
  };
}
/**
 * `id` is the number of the request (see the coordinator's call context) that the event belongs
 * to.
 */
export type PushedEvent =
  | LostEvent
  | YieldEvent
  | LeaseEndedEvent
  | PositionEvent
  | WatchEvent
  | ObserveEvent
  | EndEvent;
