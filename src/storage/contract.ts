/**
 * What storage offers, as types: the log loop (src/log) is the one caller, from one thread. The
 * contract in prose is the README beside this; `openStorage` in open.ts is the way in.
 */
import type { Disk } from "../base/disk.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Bytes, Checksum, Clock, Random } from "../base/ports.js";
import type { Entry, HardState, SnapshotMetadata } from "../raft/message/entry.js";

/** Who this data directory is. Fixed for its life; every file in it carries it. */
export interface Identity {
  /** 16 lowercase hex digits. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** 16 lowercase hex digits drawn when the directory was made. */
  readonly incarnation: string;
}

export const STOP_CODE = {
  /** What is on disk is not what was written. Nothing was guessed, nothing changed. */
  damaged: "DAMAGED",
  formatTooNew: "FORMAT_TOO_NEW",
  locked: "LOCKED",
  diskFull: "DISK_FULL",
  diskError: "DISK_ERROR",
  /** The caller closed the storage, or gave up this snapshot; not a failure. */
  closed: "CLOSED",
} as const;
export type StopCode = (typeof STOP_CODE)[keyof typeof STOP_CODE];

/** Why storage answers no more. Meant to be shown to the operator as it is. */
export interface StorageStop {
  readonly code: StopCode;
  /** The file or directory concerned. */
  readonly file: string;
  /** Bytes from the start of the file, where there is a place to point at. */
  readonly offset: number | null;
  readonly message: string;
  /** What the operator can do. */
  readonly remedy: string;
}

export type StorageDone = (stop: StorageStop | null) => void;

export interface StorageLimits {
  /** Size of a preallocated segment, a multiple of 512. A larger batch grows a segment of its own. */
  readonly segmentBytes: number;
  /** A batch gathers appends up to this many bytes; a single larger append is a batch alone. */
  readonly batchBytes: number;
  /**
   * On an idle log a batch of at most this many bytes is written while the caller waits, which
   * saves four changes of thread; 0: never.
   */
  readonly synchronousBytes: number;
  /** Where that took longer, the disk is slow now, and the next batches are not waited for. */
  readonly synchronousMs: number;
  /** Zero-fill and snapshots go in pieces of this size, each synced, a multiple of 512 … */
  readonly pieceBytes: number;
  /** … with this pause between two, unless the log is idle or about to need the space. */
  readonly pauseMs: number;
  /**
   * The pieces of an installed snapshot, without pauses: until it is whole, nobody waits for this
   * node's log. A multiple of 512.
   */
  readonly installPieceBytes: number;
}

export const DEFAULT_STORAGE_LIMITS: StorageLimits = {
  segmentBytes: 8 * 1024 * 1024,
  batchBytes: 1024 * 1024,
  synchronousBytes: 64 * 1024,
  synchronousMs: 2,
  pieceBytes: 64 * 1024,
  pauseMs: 2,
  installPieceBytes: 256 * 1024,
};

export interface StorageOptions {
  readonly disk: Disk;
  /** Made if missing. Holds nothing but storage's files. */
  readonly directory: string;
  readonly clock: Clock;
  readonly bytes: Bytes;
  readonly checksum: Checksum;
  /** A stream of its own: salts for checksums are drawn from it. */
  readonly random: Random;
  readonly limits: StorageLimits;
  /**
   * Called at most once, when storage fails after it was opened. Every completion under way and
   * every later call is then answered with the same stop. The node must stop.
   */
  readonly onFatal: (stop: StorageStop) => void;
}

/** What the directory held. Everything in it is durable by the time it is handed over. */
export interface Recovered {
  /** Null for an empty directory: then everything else is empty, and `initialize` comes first. */
  readonly identity: Identity | null;
  readonly hardState: HardState;
  /** The newest snapshot that is whole, or null. Read it with `openSnapshot`. */
  readonly snapshot: SnapshotMetadata | null;
  /** Contiguous from `snapshot.index + 1` (1 without one). Payloads have memory of their own. */
  readonly entries: readonly Entry[];
  /** Peers' incarnations as recorded, by node id. */
  readonly peers: ReadonlyMap<NodeId, string>;
  /** For the operator's log: a torn batch that was cut, a damaged snapshot that was passed over. */
  readonly notes: readonly string[];
}

export type OpenResult =
  | { readonly ok: true; readonly storage: Storage; readonly recovered: Recovered }
  | { readonly ok: false; readonly stop: StorageStop };

/** One append: all of it is durable when it is answered, or it is not answered with null. */
export interface AppendRequest {
  readonly hardState?: HardState;
  /** Drops the entries from this index on, before `entries` are added. */
  readonly truncateFrom?: LogIndex;
  /**
   * Contiguous; the first at most one past the last. One at or below the last index replaces the
   * tail from there. Payloads must not be changed before the completion.
   */
  readonly entries: readonly Entry[];
}

export interface Storage {
  /** Null until `initialize`. */
  readonly identity: Identity | null;
  /** Of the log with everything appended so far, durable or not; the snapshot's when it is empty. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The newest durable snapshot. */
  readonly snapshot: SnapshotMetadata | null;

  /** Makes an empty directory this node's. Durable when answered; a crash before leaves it empty. */
  initialize(identity: Identity, done: StorageDone): void;

  /**
   * Durable when answered. Answers come in the order of the calls, `recordPeer` included. With
   * `synchronousBytes` the answer may come before `append` returns.
   */
  append(request: AppendRequest, done: StorageDone): void;

  /** A peer's incarnation, 16 hex digits. Replaces an earlier one of that peer. */
  recordPeer(peer: NodeId, incarnation: string, done: StorageDone): void;

  /**
   * Writes a snapshot of this node's own state at `metadata.index`, which the log holds (or has
   * held). Finished below the newest one it is dropped without error.
   */
  beginSnapshot(metadata: SnapshotMetadata): SnapshotSink;

  /**
   * Writes a snapshot received from the leader. When `finish` is answered it is the newest one, and
   * the log goes on after it: entries behind it stay if the log holds its (index, term), else the
   * whole log is dropped. `metadata.index` must be above the newest snapshot's. Nothing may be
   * appended between `finish` and its answer.
   */
  installSnapshot(metadata: SnapshotMetadata): SnapshotSink;

  /** The newest snapshot for reading; a reader keeps its file although newer ones come. */
  openSnapshot(done: (stop: StorageStop | null, reader: SnapshotReader | null) => void): void;

  /** Waits for what is under way, then lets the directory go. Nothing else may be called after. */
  close(done: () => void): void;
}

/** Tells a snapshot's content, without its metadata, from every other. */
export interface SnapshotContent {
  readonly sizeBytes: number;
  /** CRC-32 of all of it. */
  readonly crc32: number;
}

/** One call at a time: the next only after the answer to the one before. */
export interface SnapshotSink {
  /** Of all writes that were answered; goes on with the next, so a pause may be of any length. */
  readonly taken: SnapshotContent;
  /** Any length; the bytes may be reused when it is answered. Answered at the pace of the disk. */
  write(bytes: Uint8Array, done: StorageDone): void;
  /** Answered when the snapshot is durable under its name. */
  finish(done: StorageDone): void;
  /** Gives up and removes what was written. A write under way is then answered with CLOSED. */
  abort(): void;
}

export interface SnapshotReader {
  readonly metadata: SnapshotMetadata;
  /** As it was written into the sink. */
  readonly content: SnapshotContent;
  /**
   * The bytes from `offset` (0 … sizeBytes) to the end of the piece they lie in, with memory of
   * their own; empty at the end. Each piece is checked: one that is not what was written is
   * DAMAGED.
   */
  read(offset: number, done: (stop: StorageStop | null, bytes: Uint8Array | null) => void): void;
  /** Once, with no read under way. */
  close(): void;
}
