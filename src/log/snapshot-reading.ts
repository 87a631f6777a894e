/** The newest durable snapshot as the host and the links want it: slice after slice, then the end. */
import { assert } from "../base/assert.js";
import type { LogIndex, Term } from "../base/ids.js";
import type { SnapshotMetadata } from "../raft/message/index.js";
import type { SnapshotContent, SnapshotReader, Storage, StorageStop } from "../storage/contract.js";
import type { SnapshotSource } from "./port/index.js";

/** A failed read is the caller's to report through `failed`; nothing is answered then. */
export function readSnapshot(
  storage: Storage,
  failed: (stop: StorageStop) => void,
  opened: (source: FileSource) => void,
): void {
  storage.openSnapshot((stop, reader) => {
    if (stop !== null) failed(stop);
    else if (reader !== null) opened(new FileSource(reader, failed));
  });
}

/** Stays readable although newer snapshots come, until it is closed. */
export class FileSource implements SnapshotSource {
  readonly metadata: SnapshotMetadata;
  readonly content: SnapshotContent;
  readonly #reader: SnapshotReader;
  readonly #failed: (stop: StorageStop) => void;
  #offset = 0;
  /** Counts the seeks: what was read for an earlier place is for nobody. */
  #seeks = 0;
  #wanted: ((slice: Uint8Array | null) => void) | null = null;
  #isReading = false;
  #isClosed = false;

  constructor(reader: SnapshotReader, failed: (stop: StorageStop) => void) {
    this.#reader = reader;
    this.#failed = failed;
    this.metadata = reader.metadata;
    this.content = reader.content;
  }

  get index(): LogIndex {
    return this.metadata.index;
  }

  get term(): Term {
    return this.metadata.term;
  }

  /** The next read begins there, 0 … size; one under way is not answered. */
  seek(offset: number): void {
    assert(offset >= 0 && offset <= this.content.sizeBytes, "a place is within the content");
    this.#offset = offset;
    this.#seeks += 1;
    this.#wanted = null;
  }

  read(done: (slice: Uint8Array | null) => void): void {
    if (this.#isClosed || this.#wanted !== null) return;
    this.#wanted = done;
    if (!this.#isReading) this.#next();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wanted = null;
    if (!this.#isReading) this.#reader.close();
  }

  #next(): void {
    const seeks = this.#seeks;
    this.#isReading = true;
    this.#reader.read(this.#offset, (stop, bytes) => {
      this.#isReading = false;
      if (this.#isClosed) return this.#reader.close();
      if (stop !== null || bytes === null) return stop === null ? undefined : this.#failed(stop);
      const done = this.#wanted;
      if (done === null) return;
      if (seeks !== this.#seeks) return this.#next();
      this.#wanted = null;
      this.#offset += bytes.length;
      done(bytes.length === 0 ? null : bytes);
    });
  }
}
