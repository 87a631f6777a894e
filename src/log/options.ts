/** What an embedded log is made of: its ports, who it is, and its limits. Data only. */
import type { Disk } from "../base/disk.js";
import type { Address, Network } from "../base/network.js";
import type { Bytes, Checksum, Clock, EndOfTurn, Random } from "../base/ports.js";
import { PEER_LIMITS, PEER_TIMING, type PeerLimits, type PeerTiming } from "../peer/index.js";
import { DEFAULT_RAFT_OPTIONS, type RaftOptions } from "../raft/index.js";
import { DEFAULT_STORAGE_LIMITS, type StorageLimits } from "../storage/contract.js";
import type { InitialMember } from "./cluster.js";

export interface LogLimits {
  readonly raft: RaftOptions;
  readonly storage: StorageLimits;
  readonly peer: PeerLimits;
  readonly peerTiming: PeerTiming;
  /** One raft tick. */
  readonly tickMs: number;
  /** Largest payload of `append`. */
  readonly entryBytes: number;
  /** What one pass hands to the host, so that input and output go on beside it. */
  readonly sliceEntries: number;
  readonly sliceBytes: number;
  /**
   * How long a barrier asks for a leader before it answers false; one that was confirmed has five
   * times as long to see its index applied.
   */
  readonly barrierMs: number;
  /**
   * A snapshot whose stream to a laggard broke is gone on with; after so many ticks without
   * progress it is begun anew.
   */
  readonly snapshotPatienceTicks: number;
  /** How long the laggard keeps what came of it: longer, since the next leader may go on with it. */
  readonly snapshotKeptTicks: number;
}

export const DEFAULT_LOG_LIMITS: LogLimits = {
  raft: DEFAULT_RAFT_OPTIONS,
  storage: DEFAULT_STORAGE_LIMITS,
  peer: PEER_LIMITS,
  peerTiming: PEER_TIMING,
  tickMs: 20,
  entryBytes: 4 * 1024 * 1024,
  sliceEntries: 256,
  sliceBytes: 4 * 1024 * 1024,
  barrierMs: 1_000,
  snapshotPatienceTicks: 1_500,
  snapshotKeptTicks: 15_000,
};

/** Where the log tells the operator what it does: a level, a sentence, and what it is about. */
export type LogNote = (
  level: "info" | "warn",
  message: string,
  details: Readonly<Record<string, unknown>>,
) => void;

export interface EmbeddedLogOptions {
  readonly disk: Disk;
  /** The data directory; made if missing. Holds nothing but this log's files. */
  readonly directory: string;
  readonly network: Network;
  readonly clock: Clock;
  /** A stream of its own for each concern, from the name of the concern. */
  readonly random: (concern: string) => Random;
  readonly bytes: Bytes;
  readonly checksum: Checksum;
  readonly endOfTurn: EndOfTurn;
  /** Where peers reach this node; at least one address. */
  readonly listen: readonly Address[];
  /** This node's name; one of the initial cluster's on an empty directory. */
  readonly name: string;
  /** Where this node's clients reach it; told to the other members. */
  readonly clientUrls: readonly string[];
  /** Looked at until the first configuration is in the log; existing data beats it. */
  readonly initialCluster: readonly InitialMember[];
  /**
   * `existing`: on an empty directory this node was added to a cluster that runs; it asks the other
   * members that `initialCluster` names who it is.
   */
  readonly initialState: "new" | "existing";
  readonly token: string;
  readonly limits: LogLimits;
  readonly note: LogNote;
}
