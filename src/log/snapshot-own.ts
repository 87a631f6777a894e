/**
 * A snapshot of this node's own state, from the host's slices to the disk. One at a time. Storage
 * sets the pace; the host is asked for the next slice when the one before is written.
 */
import { assert } from "../base/assert.js";
import type { SnapshotMetadata } from "../raft/message/index.js";
import type { SnapshotSink as DiskSink, Storage, StorageStop } from "../storage/contract.js";
import type { SnapshotSink } from "./port/index.js";

export class OwnSnapshots {
  readonly #storage: Storage;
  readonly #ended: (durable: SnapshotMetadata | null) => void;
  #current: OwnSnapshot | null = null;

  /** `ended`: one has ended, durable or (null) given up. */
  constructor(storage: Storage, ended: (durable: SnapshotMetadata | null) => void) {
    this.#storage = storage;
    this.#ended = ended;
  }

  get underWay(): boolean {
    return this.#current !== null;
  }

  begin(metadata: SnapshotMetadata): SnapshotSink | null {
    if (this.#current !== null) return null;
    const sink = this.#storage.beginSnapshot(metadata);
    this.#current = new OwnSnapshot(sink, durable => {
      this.#current = null;
      this.#ended(durable ? metadata : null);
    });
    return this.#current;
  }

  abort(): void {
    this.#current?.abort();
  }
}

class OwnSnapshot implements SnapshotSink {
  readonly #sink: DiskSink;
  readonly #ended: (durable: boolean) => void;
  #over = false;

  constructor(sink: DiskSink, ended: (durable: boolean) => void) {
    this.#sink = sink;
    this.#ended = ended;
  }

  write(slice: Uint8Array, next: () => void): void {
    assert(slice.length > 0, "a slice of a snapshot is not empty");
    if (this.#over) return;
    this.#sink.write(slice, stop => {
      if (stop === null && !this.#over) next();
    });
  }

  finish(done: (durable: boolean) => void): void {
    if (this.#over) return;
    this.#sink.finish((stop: StorageStop | null) => {
      const durable = stop === null && !this.#over;
      if (!this.#over) {
        this.#over = true;
        this.#ended(durable);
      }
      done(durable);
    });
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.abort();
    this.#ended(false);
  }
}
