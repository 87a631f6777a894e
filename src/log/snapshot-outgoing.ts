/**
 * Snapshots for laggards: raft asks, the newest durable one is streamed over the links' bulk
 * connection, and raft hears how it ended, always. A stream that breaks is gone on with, from where
 * the receiver says, with the same file: newer snapshots that come meanwhile change nothing, so
 * that one that travels slowly arrives all the same. If the newest is too old for what raft's
 * memory still holds, the host is asked for another first. Any number of laggards at once, each
 * with a reader of its own.
 */
import type { NodeId } from "../base/ids.js";
import type { Cancel } from "../base/ports.js";
import type { SnapshotRequest } from "../raft/index.js";
import type { Snapshot } from "../raft/message/index.js";
import type { Storage, StorageStop } from "../storage/contract.js";
import type { SnapshotOffer } from "./snapshot-offer.js";
import { type FileSource, readSnapshot } from "./snapshot-reading.js";

/** `refused`: the receiver said no. `broken`: nobody knows; it may even have arrived. */
export type SendOutcome = "taken" | "refused" | "broken";

export interface SendEvents {
  /** The receiver takes it from this offset on. */
  begun(offset: number): void;
  /** Once, unless it was cancelled. */
  ended(outcome: SendOutcome): void;
}

export interface OutgoingEvents {
  /** Streams it, from wherever the receiver wants it. */
  send(offer: SnapshotOffer, source: FileSource, events: SendEvents): Cancel;
  /** There is a link, so that a stream may come about. */
  isUp(to: NodeId): boolean;
  /** What raft asked for ended. */
  sent(to: NodeId, ok: boolean): void;
  /** A newer snapshot is needed than there is. May be called again and again. */
  wanted(): void;
  failed(stop: StorageStop): void;
}

export interface OutgoingTiming {
  /** Between a break and the next try. */
  readonly retryTicks: number;
  /** So long without progress, and raft is told that it failed. */
  readonly patienceTicks: number;
}

export class OutgoingSnapshots {
  readonly #self: NodeId;
  readonly #storage: Storage;
  readonly #timing: OutgoingTiming;
  readonly #events: OutgoingEvents;
  /** By receiver: no snapshot that is new enough is there yet. */
  readonly #waiting = new Map<NodeId, SnapshotRequest>();
  readonly #sending = new Map<NodeId, Transfer>();

  constructor(self: NodeId, storage: Storage, timing: OutgoingTiming, events: OutgoingEvents) {
    this.#self = self;
    this.#storage = storage;
    this.#timing = timing;
    this.#events = events;
  }

  /** A later request of raft takes an earlier one's place: it hears of the end once, for both. */
  request(request: SnapshotRequest): void {
    const transfer = this.#sending.get(request.to);
    if (transfer?.goesOnFor(request)) return;
    transfer?.stop();
    this.#sending.delete(request.to);
    this.#waiting.set(request.to, request);
    this.serve();
  }

  /** Sends to whom the newest snapshot is good enough; asks for a newer one if some still wait. */
  serve(): void {
    for (const request of [...this.#waiting.values()]) {
      const newest = this.#storage.snapshot;
      if (newest === null || newest.index < request.atLeast) continue;
      this.#waiting.delete(request.to);
      this.#open(request);
    }
    if (this.#waiting.size > 0) this.#events.wanted();
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Time has passed: what broke off is gone on with, or given up. */
  tick(ticks: number): void {
    for (const transfer of [...this.#sending.values()]) {
      const { source } = transfer;
      if (source === null || transfer.cancel !== null) continue;
      transfer.retryTicks -= ticks;
      transfer.patienceTicks -= ticks;
      const { to } = transfer.request;
      if (transfer.patienceTicks <= 0) this.#end(to, false);
      else if (transfer.retryTicks <= 0 && this.#events.isUp(to)) this.#stream(transfer, source);
    }
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

  #open(request: SnapshotRequest): void {
    const transfer = new Transfer(request, this.#timing.patienceTicks);
    this.#sending.set(request.to, transfer);
    readSnapshot(
      this.#storage,
      stop => this.#events.failed(stop),
      source => {
        if (transfer.isStopped) return source.close();
        transfer.source = source;
        this.#stream(transfer, source);
      },
    );
  }

  #stream(transfer: Transfer, source: FileSource): void {
    const { to, term } = transfer.request;
    const { metadata, content } = source;
    const message: Snapshot = { type: "snapshot", from: this.#self, to, term, metadata };
    transfer.cancel = this.#events.send({ message, content }, source, {
      begun: offset => this.#begun(transfer, offset),
      ended: outcome => this.#ended(transfer, outcome),
    });
  }

  #begun(transfer: Transfer, offset: number): void {
    if (offset > transfer.begunAt) transfer.patienceTicks = this.#timing.patienceTicks;
    transfer.begunAt = offset;
  }

  #ended(transfer: Transfer, outcome: SendOutcome): void {
    const { to } = transfer.request;
    if (this.#sending.get(to) !== transfer) return;
    transfer.cancel = null;
    transfer.retryTicks = this.#timing.retryTicks;
    if (outcome !== "broken") this.#end(to, outcome === "taken");
  }
}

/** One snapshot on its way to one laggard, over one stream or, after breaks, several. */
class Transfer {
  request: SnapshotRequest;
  source: FileSource | null = null;
  /** Null while no stream stands. */
  cancel: Cancel | null = null;
  retryTicks = 0;
  patienceTicks: number;
  /** Where the last stream began. */
  begunAt = 0;
  isStopped = false;

  constructor(request: SnapshotRequest, patienceTicks: number) {
    this.request = request;
    this.patienceTicks = patienceTicks;
  }

  /** It serves the later request as well. */
  goesOnFor(request: SnapshotRequest): boolean {
    if (this.source === null || this.source.index < request.atLeast) return false;
    this.request = request;
    return true;
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
    this.source?.close();
  }
}
