/**
 * What the log is made of: entries, the durable vote, the configuration, the name of a snapshot.
 * Shared with storage and peer; the payload is opaque to all three and never copied by them.
 */
import type { LogIndex, NodeId, Term } from "../../base/ids.js";

export const ENTRY_KIND = { normal: 0, configuration: 1 } as const;
export type EntryKind = (typeof ENTRY_KIND)[keyof typeof ENTRY_KIND];

export interface Entry {
  readonly term: Term;
  /** Contiguous: entry n+1 follows entry n. The first is 1. */
  readonly index: LogIndex;
  readonly kind: EntryKind;
  /** Empty (length 0) in the entry that a new leader writes first. Must not be changed by anyone. */
  readonly payload: Uint8Array;
}

/** What must be durable before the messages that follow from it leave the node. */
export interface HardState {
  readonly term: Term;
  /** Whom this node voted for in `term`, or null. */
  readonly votedFor: NodeId | null;
}

export const MEMBER_ROLE = {
  voter: "voter",
  /** Gets the log and counts for nothing. */
  learner: "learner",
  /** Of a joint configuration: voted before, votes in the outgoing half only, is gone after it. */
  leaving: "leaving",
} as const;
export type MemberRole = (typeof MEMBER_ROLE)[keyof typeof MEMBER_ROLE];

export interface Member {
  readonly id: NodeId;
  readonly name: string;
  readonly role: MemberRole;
  /** URLs as given by the operator, e.g. `http://127.0.0.1:2380`. */
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** 16 hex digits drawn when the data directory was made; "" while it is not known yet. */
  readonly incarnation: string;
  /**
   * The index of the configuration that added it; 0 for the members that a cluster began with. Its
   * log begins with a snapshot at or after this index: what is older may not name it.
   */
  readonly since: LogIndex;
}

export interface Configuration {
  /** In ascending order of id, without duplicates. */
  readonly members: readonly Member[];
  /** Who decided before, ascending, all of them members; empty unless the configuration is joint. */
  readonly outgoingVoters: readonly NodeId[];
  /** Members of the past, oldest first, without duplicates: they are told so when they come back. */
  readonly removed: readonly NodeId[];
}

/** Past it the oldest is forgotten. */
export const MAX_REMOVED = 256;

export const isJoint = (configuration: Configuration): boolean =>
  configuration.outgoingVoters.length > 0;

/** Names a state: everything up to and including `index` is in it. */
export interface SnapshotMetadata {
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration in force at `index`. */
  readonly configuration: Configuration;
}
