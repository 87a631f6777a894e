/**
 * A node's storage on a memory disk, on a loop that is turned by hand: open, act, crash, open
 * again. Answers are collected as values, so that tests read top to bottom.
 */
import { logIndex, type NodeId, nodeId, term } from "../../src/base/ids.js";
import { SeededRandom } from "../../src/base/random.js";
import type { Configuration, Entry, SnapshotMetadata } from "../../src/raft/message/entry.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import type {
  AppendRequest,
  Identity,
  OpenResult,
  Recovered,
  SnapshotSink,
  Storage,
  StorageLimits,
  StorageStop,
} from "../../src/storage/contract.js";
import { openStorage } from "../../src/storage/open.js";
import { type DiskOperation, MemoryDisk } from "../../src/testing/memory-disk.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

export const DIRECTORY = "/data/node";

export const IDENTITY: Identity = {
  clusterId: "00000000c1a57e12",
  nodeId: nodeId(7),
  incarnation: "1ca12a7109000001",
};

/** Small, so that rotation, cutting and pieces are common. */
export const SMALL: StorageLimits = {
  segmentBytes: 4096,
  batchBytes: 2048,
  synchronousBytes: 0,
  synchronousMs: 2,
  pieceBytes: 1024,
  pauseMs: 1,
  installPieceBytes: 2048,
};

export const CONFIGURATION: Configuration = {
  members: [
    {
      id: nodeId(7),
      name: "seven",
      role: "voter",
      peerUrls: ["http://127.0.0.1:2380"],
      clientUrls: ["http://127.0.0.1:2379"],
      incarnation: IDENTITY.incarnation,
      since: logIndex(0),
    },
  ],
  outgoingVoters: [],
  removed: [],
};

export const metadata = (index: number, atTerm: number): SnapshotMetadata => ({
  index: logIndex(index),
  term: term(atTerm),
  configuration: CONFIGURATION,
});

/** A payload that tells its index and term, of `length` bytes, none of them zero. */
export function payload(index: number, atTerm: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => 1 + ((index * 31 + atTerm * 7 + at) % 255));
}

/** `each` bytes of 0, as many of 1, and so on. */
export const stairs = (length: number, each: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => Math.floor(at / each));

export const entry = (index: number, atTerm: number, length = 20): Entry => ({
  term: term(atTerm),
  index: logIndex(index),
  kind: 0,
  payload: payload(index, atTerm, length),
});

export function entries(from: number, to: number, atTerm: number, length = 20): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => entry(from + n, atTerm, length));
}

export const vote = (atTerm: number, votedFor: number | null) => ({
  term: term(atTerm),
  votedFor: votedFor === null ? null : nodeId(votedFor),
});

/** "1:2 2:2 3:5": index and term of each. */
export const shape = (list: readonly Entry[]): string =>
  list.map(each => `${each.index}:${each.term}`).join(" ");

export interface Opened {
  readonly storage: Storage;
  readonly recovered: Recovered;
}

export class World {
  readonly loop = new TurnedLoop();
  readonly random: SeededRandom;
  readonly disk: MemoryDisk;
  readonly limits: StorageLimits;
  readonly fatal: StorageStop[] = [];
  /** Operations completed so far: the boundaries at which a crash may come. */
  operations = 0;
  /** How long an operation takes. */
  takesMs: (operation: DiskOperation) => number = () => this.random.below(3);

  constructor(seed = 1, limits: StorageLimits = SMALL, like?: World) {
    this.random = new SeededRandom(seed);
    this.limits = limits;
    const options = {
      random: this.random,
      schedule: (operation: DiskOperation, complete: () => void): void => {
        this.loop.after(this.takesMs(operation), () => {
          this.operations += 1;
          complete();
        });
      },
    };
    this.disk = like === undefined ? new MemoryDisk(options) : like.disk.copy(options);
  }

  /** The same disk content in a world of its own; nothing may be under way. */
  copy(seed = 1): World {
    return new World(seed, this.limits, this);
  }

  start(done: (result: OpenResult) => void): void {
    openStorage(
      {
        disk: this.disk.mount(),
        directory: DIRECTORY,
        clock: this.loop,
        bytes: nodeBytes,
        checksum: nodeChecksum,
        random: this.random,
        limits: this.limits,
        onFatal: stop => this.fatal.push(stop),
      },
      done,
    );
  }

  tryOpen(): OpenResult {
    return this.wait<OpenResult>(done => this.start(done));
  }

  open(): Opened {
    const result = this.tryOpen();
    if (!result.ok) throw new Error(`${result.stop.code}: ${result.stop.message}`);
    return result;
  }

  stopped(): StorageStop {
    const result = this.tryOpen();
    if (result.ok) throw new Error("storage opened, but a stop was expected");
    return result.stop;
  }

  /** Opens an empty directory and makes it this node's. */
  fresh(): Storage {
    const { storage } = this.open();
    this.ok(done => storage.initialize(IDENTITY, done));
    return storage;
  }

  wait<T>(begin: (done: (value: T) => void) => void): T {
    const answers: T[] = [];
    begin(value => answers.push(value));
    this.loop.runUntil(() => answers.length > 0);
    if (answers.length !== 1) throw new Error(`answered ${answers.length} times`);
    return answers[0] as T;
  }

  ok(begin: (done: (stop: StorageStop | null) => void) => void): void {
    const stop = this.wait(begin);
    if (stop !== null) throw new Error(`${stop.code}: ${stop.message}`);
  }

  append(storage: Storage, request: AppendRequest): void {
    this.ok(done => storage.append(request, done));
  }

  peer(storage: Storage, peer: number, incarnation: string): void {
    this.ok(done => storage.recordPeer(nodeId(peer) as NodeId, incarnation, done));
  }

  fill(sink: SnapshotSink, content: Uint8Array): void {
    this.ok(done => sink.write(content, done));
    this.ok(done => sink.finish(done));
    this.settle();
  }

  readSnapshot(storage: Storage): Uint8Array {
    const reader = this.wait<NonNullable<Parameters<Parameters<Storage["openSnapshot"]>[0]>[1]>>(
      done =>
        storage.openSnapshot((stop, opened) => {
          if (opened === null) throw new Error(stop?.message);
          done(opened);
        }),
    );
    const content = new Uint8Array(reader.content.sizeBytes);
    for (let at = 0; at < reader.content.sizeBytes; ) {
      const from = at;
      const slice = this.wait<Uint8Array>(done =>
        reader.read(from, (stop, bytes) => {
          if (bytes === null) throw new Error(stop?.message);
          done(bytes);
        }),
      );
      content.set(slice, at);
      at += slice.length;
    }
    reader.close();
    this.settle();
    return content;
  }

  close(storage: Storage): void {
    this.wait<true>(done => storage.close(() => done(true)));
  }

  /** Lets all that is under way end. */
  settle(): void {
    this.loop.advance(1000);
  }

  names(): string[] {
    return this.disk.paths().map(path => path.slice(DIRECTORY.length + 1));
  }

  segments(): string[] {
    return this.names().filter(name => /^segment-\d+$/.test(name));
  }
}

export const SEGMENT_1 = `${DIRECTORY}/segment-0000000000000001`;
