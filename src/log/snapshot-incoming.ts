/**
 * A snapshot from the leader: written beside everything else, made durable in a moment in which
 * raft and storage agree about the log, then told to raft. One at a time; while it is streamed a
 * second offer is declined, and its sender will try again. Of a stream that broke off everything is
 * kept for a while: the next offer of the same content, by whoever leads then, goes on from there;
 * an offer of another takes its place. Called by the links through the running log.
 */
import type { Bytes } from "../base/ports.js";
import type { BulkSink } from "../peer/contract.js";
import type { Snapshot } from "../raft/message/index.js";
import type { SnapshotSink, Storage } from "../storage/contract.js";
import {
  decodeOffer,
  isSameContent,
  isSameSnapshot,
  type SnapshotOffer,
} from "./snapshot-offer.js";

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
  /** What came is not what was offered. It was dropped. */
  mismatched(snapshot: Snapshot): void;
  /** Stops raft until `thaw`; calls back when storage holds exactly what raft has said. */
  freeze(drained: () => void): void;
  /** Lets raft go on. With a snapshot: it is durable now, raft is to hear of it first. */
  thaw(installed: Snapshot | null): void;
}

/** `decide(null, 0)` declines, else it is taken from the offset on. */
export type Decide = (sink: BulkSink | null, resumeAt: number) => void;

export class IncomingSnapshots {
  readonly #storage: Storage;
  readonly #bytes: Bytes;
  readonly #keptTicks: number;
  readonly #events: IncomingEvents;
  #current: Incoming | null = null;

  /** `keptTicks`: how long the part of a snapshot is kept that came before its stream broke. */
  constructor(storage: Storage, bytes: Bytes, keptTicks: number, events: IncomingEvents) {
    this.#storage = storage;
    this.#bytes = bytes;
    this.#keptTicks = keptTicks;
    this.#events = events;
  }

  offered(encoded: Uint8Array, decide: Decide): void {
    const offer = decodeOffer(encoded, this.#bytes);
    if (offer === null) decide(null, 0);
    else this.#offered(offer, decide);
  }

  /** Time has passed: a part that nobody goes on with, or nobody needs any more, is dropped. */
  tick(ticks: number): void {
    const current = this.#current;
    if (current === null || current.isStreaming || current.isBusy) return;
    current.idleTicks += ticks;
    const isWanted = this.#events.judge(current.offer.message) === "wanted";
    if (!isWanted || current.idleTicks >= this.#keptTicks) current.drop();
  }

  #offered(offer: SnapshotOffer, decide: Decide): void {
    const current = this.#current;
    if (current?.isStreaming) {
      decide(null, 0);
    } else if (current?.isBusy) {
      // A write that the break left under way, or an installation, ends first.
      current.whenIdle(() => this.#offered(offer, decide));
    } else {
      this.#decide(offer, decide);
    }
  }

  #decide(offer: SnapshotOffer, decide: Decide): void {
    const verdict = this.#events.judge(offer.message);
    if (verdict === "held") this.#events.alreadyHeld(offer.message);
    if (verdict !== "wanted") {
      decide(null, 0);
      return;
    }
    const current = this.#current;
    if (current !== null && isSameSnapshot(current.offer, offer)) {
      decide(current.attach(offer), current.takenBytes);
      return;
    }
    current?.drop();
    decide(this.#begin(offer).attach(offer), 0);
  }

  #begin(offer: SnapshotOffer): Incoming {
    const sink = this.#storage.installSnapshot(offer.message.metadata);
    const begun = new Incoming(offer, sink, this.#events, () => {
      this.#current = null;
    });
    this.#current = begun;
    return begun;
  }
}

/** One snapshot that comes, over one stream or, after breaks, several. */
class Incoming {
  offer: SnapshotOffer;
  /** Since a stream was here last. */
  idleTicks = 0;
  readonly #sink: SnapshotSink;
  readonly #events: IncomingEvents;
  readonly #over: () => void;
  readonly #waiting: (() => void)[] = [];
  #stream: BulkSink | null = null;
  /** A write is under way, or the installation. */
  #isBusy = false;
  #isOver = false;
  /** More came than was offered: the rest is not written. */
  #isTooLong = false;

  constructor(offer: SnapshotOffer, sink: SnapshotSink, events: IncomingEvents, over: () => void) {
    this.offer = offer;
    this.#sink = sink;
    this.#events = events;
    this.#over = over;
  }

  get isStreaming(): boolean {
    return this.#stream !== null;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  get takenBytes(): number {
    return this.#sink.taken.sizeBytes;
  }

  /** Calls back once it does nothing, or is over. */
  whenIdle(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** What the next stream writes into: this one's content, by whoever offers it now. */
  attach(offer: SnapshotOffer): BulkSink {
    this.offer = offer;
    this.idleTicks = 0;
    const stream: BulkSink = {
      write: (slice, next) => {
        if (this.#stream === stream) this.#write(stream, slice, next);
      },
      finish: done => {
        if (this.#stream === stream) this.#finish(done);
      },
      abort: () => {
        if (this.#stream === stream) this.#stream = null;
      },
    };
    this.#stream = stream;
    return stream;
  }

  drop(): void {
    if (this.#isOver) return;
    this.#sink.abort();
    this.#end();
  }

  #write(stream: BulkSink, slice: Uint8Array, next: () => void): void {
    const { sizeBytes } = this.offer.content;
    this.#isTooLong ||= this.takenBytes + slice.length > sizeBytes;
    if (this.#isTooLong) {
      next();
      return;
    }
    this.#isBusy = true;
    this.#sink.write(slice, stop => {
      this.#isBusy = false;
      // Otherwise the disk has failed, or all of it was given up.
      if (stop !== null || this.#isOver) return;
      if (this.#stream === stream) next();
      else this.#idle();
    });
  }

  #finish(done: (taken: boolean) => void): void {
    if (this.#isTooLong || !isSameContent(this.#sink.taken, this.offer.content)) {
      this.drop();
      this.#events.mismatched(this.offer.message);
      done(false);
      return;
    }
    this.#isBusy = true;
    this.#events.freeze(() => this.#install(done));
  }

  #install(done: (taken: boolean) => void): void {
    const { message } = this.offer;
    // What came meanwhile may have made it needless, or this node a leader.
    const verdict = this.#events.judge(message);
    if (verdict !== "wanted") {
      this.#sink.abort();
      this.#events.thaw(verdict === "held" ? message : null);
      this.#end();
      done(false);
      return;
    }
    this.#sink.finish(stop => {
      // After a failure of the disk everything stays frozen.
      if (stop === null) this.#events.thaw(message);
      this.#end();
      done(stop === null);
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#isBusy = false;
    this.#stream = null;
    this.#over();
    this.#idle();
  }

  #idle(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}
