/**
 * Snapshots for laggards: raft asks, the newest durable one is streamed over the links' bulk
 * connection, and raft hears how it ended, always. If the newest is too old for what raft's memory
 * still holds, the host is asked for another first. Any number of laggards at once, each with a
 * reader of its own.
 */
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Cancel } from "../base/ports.js";
import type { SnapshotRequest } from "../raft/index.js";
import type { Snapshot, SnapshotMetadata } from "../raft/message/index.js";
import type { Storage, StorageStop } from "../storage/contract.js";
import type { SnapshotSource } from "./port/index.js";
import { readSnapshot } from "./snapshot-reading.js";

export interface OutgoingEvents {
  /** Streams it; `done` once, with false when it did not arrive whole. */
  send(message: Snapshot, source: SnapshotSource, done: (ok: boolean) => void): Cancel;
  /** Every request ends here, once, but those whose place a later one takes. */
  sent(to: NodeId, ok: boolean): void;
  /** A newer snapshot is needed than there is. May be called again and again. */
  wanted(): void;
  failed(stop: StorageStop): void;
}

export class OutgoingSnapshots {
  readonly #self: NodeId;
  readonly #storage: Storage;
  readonly #events: OutgoingEvents;
  /** By receiver; a later request of raft takes an earlier one's place. */
  readonly #waiting = new Map<NodeId, SnapshotRequest>();
  readonly #sending = new Map<NodeId, Transfer>();

  constructor(self: NodeId, storage: Storage, events: OutgoingEvents) {
    this.#self = self;
    this.#storage = storage;
    this.#events = events;
  }

  /**
   * Raft may ask again while a transfer is under way: the laggard had entries in between. What is
   * on its way goes on if it will do, since a new one would be the same again. Of one that will
   * not, raft is told nothing: it would take that for the end of what it has just asked for, ask
   * once more, and so end the next.
   */
  request(request: SnapshotRequest): void {
    const { to, term, atLeast } = request;
    const present = this.#sending.get(to);
    if (present?.term === term && present.index >= atLeast) return;
    this.#sending.delete(to);
    present?.stop();
    this.#waiting.set(to, request);
    this.serve();
  }

  /** Sends to whom the newest snapshot is good enough; asks for a newer one if some still wait. */
  serve(): void {
    for (const request of [...this.#waiting.values()]) {
      const newest = this.#storage.snapshot;
      if (newest === null || newest.index < request.atLeast) continue;
      this.#waiting.delete(request.to);
      this.#send(request, newest.index);
    }
    if (this.#waiting.size > 0) this.#events.wanted();
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** This node leads no more, or not in that term: nobody else's laggards are its concern. */
  abandon(): void {
    for (const peer of [...this.#waiting.keys(), ...this.#sending.keys()]) this.#end(peer, false);
  }

  #end(to: NodeId, ok: boolean): void {
    const transfer = this.#sending.get(to);
    const waited = this.#waiting.delete(to);
    this.#sending.delete(to);
    transfer?.stop();
    if (waited || transfer !== undefined) this.#events.sent(to, ok);
  }

  #send(request: SnapshotRequest, index: LogIndex): void {
    const transfer = new Transfer(request.term, index);
    this.#sending.set(request.to, transfer);
    readSnapshot(
      this.#storage,
      stop => this.#events.failed(stop),
      (source, { metadata }) => {
        if (transfer.stopped) return source.close();
        transfer.source = source;
        transfer.cancel = this.#stream(request, transfer, source, metadata);
      },
    );
  }

  #stream(
    { to, term }: SnapshotRequest,
    transfer: Transfer,
    source: SnapshotSource,
    metadata: SnapshotMetadata,
  ): Cancel {
    const message: Snapshot = { type: "snapshot", from: this.#self, to, term, metadata };
    return this.#events.send(message, source, ok => {
      if (this.#sending.get(to) === transfer) this.#end(to, ok);
    });
  }
}

/** One stream under way. */
class Transfer {
  readonly term: Term;
  /** Of its snapshot, at least. */
  readonly index: LogIndex;
  stopped = false;
  source: SnapshotSource | null = null;
  cancel: Cancel | null = null;

  constructor(term: Term, index: LogIndex) {
    this.term = term;
    this.index = index;
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
    this.source?.close();
  }
}
