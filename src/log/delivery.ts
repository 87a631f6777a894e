/**
 * Hands what is committed to the host: entries in order and each once, in slices, and snapshots in
 * their place between them. Knows the index, term and configuration of the host's state, which is
 * what a snapshot of it is named by. Called by the loop alone; calls the host from its passes.
 */
import { assert } from "../base/assert.js";
import { type LogIndex, logIndex, type Term, term } from "../base/ids.js";
import { Ring } from "../base/ring.js";
import {
  type Configuration,
  decodeConfiguration,
  ENTRY_KIND,
  type Entry,
  type SnapshotMetadata,
} from "../raft/message/index.js";
import type { LogHost, SnapshotSource } from "./port/index.js";

const NO_PAYLOAD = new Uint8Array(0);

/** What the loop does with what becomes of the host's state. */
export interface DeliveryEvents {
  /** After each entry and each restored snapshot: whoever waits for this index may read. */
  applied(index: LogIndex): void;
  /** A snapshot to be restored is durable: open it. `opened` is called once, or never after a failure. */
  openSnapshot(metadata: SnapshotMetadata, opened: (source: SnapshotSource) => void): void;
  /** A restore has ended; what was held back can go on in a pass. */
  resumed(): void;
}

export class Delivery {
  readonly #host: LogHost;
  readonly #events: DeliveryEvents;
  readonly #queue = new Ring<readonly Entry[]>();
  /** How much of the queue's oldest part has been handed over. */
  #position = 0;
  #restoring = false;
  #index: LogIndex = logIndex(0);
  #term: Term = term(0);
  #configuration: Configuration;

  /** `base`: the configuration before the first entry. */
  constructor(host: LogHost, base: Configuration, events: DeliveryEvents) {
    this.#host = host;
    this.#events = events;
    this.#configuration = base;
  }

  /** In force at the last index handed over. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** The last index handed over, its term, and the configuration in force there. */
  get metadata(): SnapshotMetadata {
    return { index: this.#index, term: this.#term, configuration: this.#configuration };
  }

  get index(): LogIndex {
    return this.#index;
  }

  /** The term of the last entry handed over: a leader serves once it is its own. */
  get term(): Term {
    return this.#term;
  }

  /** Something can be handed over in the next slice. */
  get ready(): boolean {
    return this.#queue.length > 0 && !this.#restoring;
  }

  get restoring(): boolean {
    return this.#restoring;
  }

  push(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#queue.push(entries);
  }

  /** The host's state is to be replaced: what was queued before is part of the snapshot. */
  restore(metadata: SnapshotMetadata): void {
    assert(metadata.index > this.#index, "a snapshot to be restored is ahead of the host");
    this.#queue.clear();
    this.#position = 0;
    this.#restoring = true;
    this.#events.openSnapshot(metadata, source => {
      assert(source.index === metadata.index, "the snapshot opened is the one to be restored");
      this.#host.restore(source, () => this.#restored(source, metadata));
    });
  }

  /** Hands over until `entries` or `bytes` is used up, at least one if there is one. False: nothing was. */
  slice(entries: number, bytes: number): boolean {
    let entriesLeft = entries;
    let bytesLeft = bytes;
    let handed = false;
    while (this.ready && entriesLeft > 0 && bytesLeft > 0) {
      const entry = this.#next();
      entriesLeft -= 1;
      bytesLeft -= entry.payload.length;
      this.#handOver(entry);
      handed = true;
    }
    return handed;
  }

  #next(): Entry {
    const part = this.#queue.peek();
    const entry = part?.[this.#position];
    assert(
      part !== undefined && entry !== undefined,
      "the queue of the committed has no empty part",
    );
    this.#position += 1;
    if (this.#position === part.length) {
      this.#queue.shift();
      this.#position = 0;
    }
    return entry;
  }

  #handOver(entry: Entry): void {
    assert(entry.index === this.#index + 1, "committed entries are handed over without a gap");
    assert(entry.term >= this.#term, "terms of committed entries never fall");
    this.#index = entry.index;
    this.#term = entry.term;
    if (entry.kind === ENTRY_KIND.configuration) {
      this.#configuration = decodeConfiguration(entry.payload);
      this.#host.committed(entry.index, entry.term, NO_PAYLOAD);
    } else {
      this.#host.committed(entry.index, entry.term, entry.payload);
    }
    this.#events.applied(entry.index);
  }

  #restored(source: SnapshotSource, metadata: SnapshotMetadata): void {
    assert(this.#restoring, "a restore ends once");
    source.close();
    this.#restoring = false;
    this.#index = metadata.index;
    this.#term = metadata.term;
    this.#configuration = metadata.configuration;
    this.#events.applied(metadata.index);
    this.#events.resumed();
  }
}
