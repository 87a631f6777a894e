/**
 * The open storage: ties the running log to the snapshots. What may be cut, and when, is decided
 * here; bytes are written elsewhere.
 */
import { assert } from "../base/assert.js";
import type { DirectoryLock, DiskFile } from "../base/disk.js";
import { type LogIndex, logIndex, type NodeId, type Term, term } from "../base/ids.js";
import type { SnapshotMetadata } from "../raft/message/entry.js";
import type {
  AppendRequest,
  Identity,
  SnapshotReader,
  SnapshotSink,
  Storage,
  StorageDone,
  StorageStop,
} from "./contract.js";
import type { DataDirectory } from "./data-directory.js";
import { FILE_KIND, HEAD_BYTES, isHex64, sealHead, writeHead } from "./layout.js";
import { IDENTITY_NAME, PART_SUFFIX, type SnapshotName, snapshotName } from "./names.js";
import type { RecoveredState } from "./recovery.js";
import { AT_ONCE, createSegment, writePiece } from "./segment-file.js";
import { openSnapshotFile } from "./snapshot-reader.js";
import { FileSnapshotSink, type SnapshotPace } from "./snapshot-sink.js";
import { done, run, type Steps, value } from "./steps.js";
import { closed, StopError } from "./stop.js";
import { TermRuns } from "./term-runs.js";
import { Wal, type WalStart } from "./wal.js";

const SNAPSHOTS_KEPT = 2;

export class DurableStorage implements Storage {
  snapshot: SnapshotMetadata | null = null;
  readonly #directory: DataDirectory;
  readonly #lock: DirectoryLock;
  readonly #sinks = new Set<FileSnapshotSink>();
  /** Newest first. */
  #snapshots: SnapshotName[] = [];
  /** Names of those that are being opened: until they are, they are not removed. */
  readonly #opening: string[] = [];
  #wal: Wal | null = null;
  #serial = 0;
  #isRetaining = false;
  #isClosing = false;

  constructor(directory: DataDirectory, lock: DirectoryLock) {
    this.#directory = directory;
    this.#lock = lock;
    directory.onStop = stop => this.#wal?.end(stop);
  }

  get identity(): Identity | null {
    return this.#wal === null ? null : this.#directory.identity;
  }

  get lastIndex(): LogIndex {
    return this.#wal?.runs.lastIndex ?? logIndex(0);
  }

  get lastTerm(): Term {
    return this.#wal?.runs.lastTerm ?? term(0);
  }

  /** Takes up what recovery found. @throws StopError */
  *resume(state: RecoveredState): Steps<void> {
    this.#snapshots = [...state.snapshots];
    this.snapshot = state.snapshot;
    const wal = new Wal(this.#directory, state.start);
    this.#wal = wal;
    const { snapshot } = state;
    if (state.needsReset && snapshot !== null) {
      const stop = yield* value<StorageStop | null>(end =>
        wal.reset(snapshot.index, snapshot.term, result => end(null, result)),
      );
      if (stop !== null) throw new StopError(stop);
    }
    this.#retain();
  }

  initialize(identity: Identity, onDone: StorageDone): void {
    assert(this.#wal === null, "a directory is initialised once");
    assert(isHex64(identity.clusterId), "a cluster id is 16 lowercase hex digits");
    assert(isHex64(identity.incarnation), "an incarnation is 16 lowercase hex digits");
    const { stop } = this.#directory;
    if (stop !== null) {
      onDone(stop);
      return;
    }
    this.#directory.background(this.#initialize(identity), (failure, start) => {
      if (start !== null) this.#wal = new Wal(this.#directory, start);
      onDone(failure);
    });
  }

  append(request: AppendRequest, onDone: StorageDone): void {
    this.#log.append(request, onDone);
  }

  recordPeer(peer: NodeId, incarnation: string, onDone: StorageDone): void {
    assert(isHex64(incarnation), "an incarnation is 16 lowercase hex digits");
    this.#log.recordPeer(peer, incarnation, onDone);
  }

  beginSnapshot(metadata: SnapshotMetadata): SnapshotSink {
    assert(metadata.index <= this.lastIndex, "a node's own snapshot ends within its log");
    const { pieceBytes } = this.#directory.limits;
    return this.#sink(metadata, { pieceBytes, isHurried: false }, function* () {});
  }

  installSnapshot(metadata: SnapshotMetadata): SnapshotSink {
    const { index, term: atTerm } = metadata;
    assert(this.#isNewest(metadata), "an installed snapshot is newer than those that are here");
    const wal = this.#log;
    const pieceBytes = this.#directory.limits.installPieceBytes;
    return this.#sink(metadata, { pieceBytes, isHurried: true }, function* (): Steps<void> {
      if (wal.runs.termAt(index) === atTerm) return;
      const stop = yield* value<StorageStop | null>(end =>
        wal.reset(index, atTerm, result => end(null, result)),
      );
      if (stop !== null) throw new StopError(stop);
    });
  }

  openSnapshot(onDone: (stop: StorageStop | null, reader: SnapshotReader | null) => void): void {
    const [newest] = this.#snapshots;
    assert(newest !== undefined, "a snapshot is opened when there is one");
    if (this.#directory.stop !== null) {
      onDone(this.#directory.stop, null);
      return;
    }
    const { name } = newest;
    this.#opening.push(name);
    run(openSnapshotFile(this.#directory, newest), (stop, reader) => {
      this.#opening.splice(this.#opening.indexOf(name), 1);
      this.#retain();
      onDone(stop, reader);
    });
  }

  close(onDone: () => void): void {
    assert(!this.#isClosing, "storage is closed once");
    this.#isClosing = true;
    for (const sink of this.#sinks) sink.abort();
    const directory = this.#directory;
    const wind = (): void => {
      if (directory.stop === null) directory.wind(closed(directory.path));
      directory.whenQuiet(() => {
        run(this.#wal?.closeFiles() ?? nothing(), () => this.#lock.release(onDone));
      });
    };
    if (this.#wal === null) wind();
    else this.#wal.whenIdle(wind);
  }

  get #log(): Wal {
    assert(this.#wal !== null, "an empty directory is initialised before it is written");
    return this.#wal;
  }

  /** The identity's name comes last: before it, the directory is empty. */
  *#initialize(identity: Identity): Steps<WalStart> {
    const directory = this.#directory;
    const { bytes, checksum, disk, path } = directory;
    directory.identity = identity;
    const segment = yield* createSegment(directory, 1, AT_ONCE);
    const head = bytes.allocate(HEAD_BYTES);
    writeHead(head, FILE_KIND.identity, identity);
    sealHead(head, checksum);
    const name = directory.file(IDENTITY_NAME);
    const file = yield* value<DiskFile>(end => disk.open(name + PART_SUFFIX, "create", end));
    yield* writePiece(file, [head], 0);
    yield* done(end => file.close(end));
    yield* done(end => disk.rename(name + PART_SUFFIX, name, end));
    yield* done(end => disk.syncDirectory(path, end));
    return {
      segment,
      position: HEAD_BYTES,
      chain: null,
      places: [],
      runs: new TermRuns(),
      hardState: { term: term(0), votedFor: null },
      peers: new Map(),
    };
  }

  #sink(metadata: SnapshotMetadata, pace: SnapshotPace, accept: () => Steps<void>): SnapshotSink {
    this.#serial += 1;
    const settle = (): void => this.#settle(metadata);
    const sink = new FileSnapshotSink(this.#directory, metadata, this.#serial, pace, {
      isWanted: () => this.#isNewest(metadata),
      *accept(): Steps<void> {
        yield* accept();
        settle();
      },
      ended: over => this.#sinks.delete(over),
    });
    this.#sinks.add(sink);
    return sink;
  }

  #isNewest(metadata: SnapshotMetadata): boolean {
    return this.snapshot === null || metadata.index > this.snapshot.index;
  }

  /** A snapshot is durable under its name, and the log fits it. */
  #settle(metadata: SnapshotMetadata): void {
    const { index, term: atTerm } = metadata;
    this.#snapshots.push({ name: snapshotName(index, atTerm), index, term: atTerm });
    this.#snapshots.sort((a, b) => b.index - a.index);
    if (this.#isNewest(metadata)) this.snapshot = metadata;
    this.#retain();
  }

  /**
   * Removes what no recovery can need: snapshots but the last two, the log below the older. While
   * that is under way nothing need be asked for: it ends in the turn in which it found no more.
   */
  #retain(): void {
    if (this.#isRetaining || this.#directory.stop !== null) return;
    this.#isRetaining = true;
    this.#directory.background(this.#retention(), () => {
      this.#isRetaining = false;
    });
  }

  *#retention(): Steps<void> {
    const directory = this.#directory;
    const { disk, path } = directory;
    for (;;) {
      // Looked at in every round: a snapshot may have settled in the one before.
      while (this.#snapshots.length > SNAPSHOTS_KEPT) {
        const { name } = this.#snapshots.at(-1) as SnapshotName;
        if (this.#opening.includes(name)) break;
        this.#snapshots.pop();
        const remove = done(end => disk.remove(directory.file(name), end));
        yield* directory.turn(false, remove);
      }
      const older = this.#snapshots[SNAPSHOTS_KEPT - 1];
      const oldest = older === undefined ? null : this.#log.oldestBelow(older.index);
      if (older === undefined || oldest === null) return;
      // One name at a time, each durable before the next: a crash must not leave a gap.
      yield* directory.turn(
        false,
        done(end => disk.remove(oldest.path, end)),
      );
      yield* directory.turn(
        false,
        done(end => disk.syncDirectory(path, end)),
      );
      this.#log.forgetOldest();
      this.#log.runs.cut(older.index);
    }
  }
}

function* nothing(): Steps<void> {}
