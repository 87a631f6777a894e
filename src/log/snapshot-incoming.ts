/**
 * A snapshot from the leader: written beside everything else, made durable in a moment in which
 * raft and storage agree about the log, then told to raft. One at a time; a second offer is
 * declined, and its sender will try again. Called by the links through the running log.
 */

import type { BulkSink } from "../peer/contract.js";
import { DecodeError, decodeMessage, type Snapshot } from "../raft/message/index.js";
import type { SnapshotSink, Storage } from "../storage/contract.js";

/**
 * `wanted`: it takes part, does not lead, and does not hold that state yet. `held`: it is at least
 * as far, which the leader does not know, or would not offer it.
 */
export type SnapshotVerdict = "wanted" | "held" | "unwanted";

export interface IncomingEvents {
  /** What this node would do with it. */
  judge(snapshot: Snapshot): SnapshotVerdict;
  /** All of it is here already, and the leader does not know: raft is to say so. */
  alreadyHeld(snapshot: Snapshot): void;
  /** Stops raft until `thaw`; calls back when storage holds exactly what raft has said. */
  freeze(drained: () => void): void;
  /** Lets raft go on. With a snapshot: it is durable now, raft is to hear of it first. */
  thaw(installed: Snapshot | null): void;
}

export class IncomingSnapshots {
  readonly #storage: Storage;
  readonly #events: IncomingEvents;
  #current: Incoming | null = null;

  constructor(storage: Storage, events: IncomingEvents) {
    this.#storage = storage;
    this.#events = events;
  }

  /** What to write into, or null when the offer is declined. */
  offered(metadata: Uint8Array): BulkSink | null {
    const snapshot = decodeOffer(metadata);
    if (snapshot === null || this.#current !== null) return null;
    const verdict = this.#events.judge(snapshot);
    if (verdict === "held") this.#events.alreadyHeld(snapshot);
    if (verdict !== "wanted") return null;
    const sink = this.#storage.installSnapshot(snapshot.metadata);
    this.#current = new Incoming(snapshot, sink, this.#events, () => {
      this.#current = null;
    });
    return this.#current;
  }
}

class Incoming implements BulkSink {
  readonly #snapshot: Snapshot;
  readonly #sink: SnapshotSink;
  readonly #events: IncomingEvents;
  readonly #over: () => void;
  #isOver = false;
  #installing = false;

  constructor(snapshot: Snapshot, sink: SnapshotSink, events: IncomingEvents, over: () => void) {
    this.#snapshot = snapshot;
    this.#sink = sink;
    this.#events = events;
    this.#over = over;
  }

  write(slice: Uint8Array, next: () => void): void {
    if (this.#isOver) return;
    this.#sink.write(slice, stop => {
      if (stop === null && !this.#isOver) next();
    });
  }

  finish(done: (taken: boolean) => void): void {
    if (this.#isOver) return;
    this.#installing = true;
    this.#events.freeze(() => this.#install(done));
  }

  #install(done: (taken: boolean) => void): void {
    // What came meanwhile may have made it needless, or this node a leader.
    const verdict = this.#events.judge(this.#snapshot);
    if (verdict !== "wanted") {
      this.#sink.abort();
      this.#end();
      this.#events.thaw(verdict === "held" ? this.#snapshot : null);
      done(false);
      return;
    }
    this.#sink.finish(stop => {
      this.#end();
      // After a failure of the disk everything stays frozen.
      if (stop === null) this.#events.thaw(this.#snapshot);
      done(stop === null);
    });
  }

  abort(): void {
    if (this.#isOver || this.#installing) return;
    this.#sink.abort();
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#over();
  }
}

/** Null for anything but the offer of a snapshot. */
function decodeOffer(bytes: Uint8Array): Snapshot | null {
  try {
    const message = decodeMessage(bytes);
    return message.type === "snapshot" ? message : null;
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}
