/**
 * The loop that ties raft, storage and links together: input goes into raft at once, and one pass
 * at the end of the turn carries out what raft wants done. Knows neither how links come about nor
 * who may take part (participation.ts), nor how the log starts and stops (embedded.ts, the caller).
 */
import { assert } from "../base/assert.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { EndOfTurn } from "../base/ports.js";
import type { ProposalRefusal, Raft, Ready, SnapshotRequest } from "../raft/index.js";
import type { Message } from "../raft/message/index.js";
import type { Storage } from "../storage/contract.js";
import type { Delivery } from "./delivery.js";
import { Durability } from "./durability.js";
import type { LogLimits } from "./options.js";
import type { AppendOutcome, Leadership, LogHost } from "./port/index.js";
import type { Reads } from "./reads.js";
import type { Ticker } from "./ticker.js";

/** Passes of one turn: a synchronous write may make another Ready at once; past this, the next turn. */
const READYS_PER_PASS = 4;

/** Raft's refusals as the port names them. */
const REFUSED: Readonly<Record<ProposalRefusal, AppendOutcome>> = {
  "not-leader": { ok: false, refusal: "not-leader" },
  "no-quorum": { ok: false, refusal: "no-quorum" },
  transferring: { ok: false, refusal: "no-quorum" },
  full: { ok: false, refusal: "overloaded" },
};

export interface LoopParts {
  readonly self: NodeId;
  readonly raft: Raft;
  readonly storage: Storage;
  readonly delivery: Delivery;
  readonly reads: Reads;
  readonly ticker: Ticker;
  readonly host: LogHost;
  readonly endOfTurn: EndOfTurn;
  readonly limits: LogLimits;
  readonly events: LoopEvents;
}

/** What the loop leaves to its owner. */
export interface LoopEvents {
  /** False: raft gets no ticks yet, so that it neither campaigns nor votes. */
  takesPart(): boolean;
  /** To be sent when links are flushed; may be lost. */
  send(message: Message): void;
  flush(): void;
  /** `ticks` (1 …) have passed, and raft has been told. */
  ticked(ticks: number): void;
  /** The same where raft was not told, since the log is being replaced. */
  waited(): void;
  snapshotRequested(request: SnapshotRequest): void;
  /** At the end of each pass, after the host's `turnEnded`. */
  passed(): void;
}

export class Loop {
  readonly #parts: LoopParts;
  readonly #durability: Durability;
  #scheduled = false;
  #running = false;
  #stopped = false;
  /** While a received snapshot takes the log's place on disk, raft hears nothing and says nothing. */
  #frozen = false;
  /** Frozen, and called once storage has caught up. */
  #onDrained: (() => void) | null = null;
  /** Raft's index that it has been told is applied. */
  #toldApplied: LogIndex;
  #told: Leadership;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#durability = new Durability(parts.storage, {
      persisted: (term, lastIndex) => this.#persisted(term, lastIndex),
      send: message => this.#sendVouching(message),
      wake: () => this.wake(),
    });
    this.#toldApplied = parts.delivery.index;
    this.#told = this.leadership();
  }

  /** Bytes of log handed to storage since this process started. */
  get writtenBytes(): number {
    return this.#durability.bytes;
  }

  /** Asks for a pass at the end of this turn. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#parts.endOfTurn.schedule(this.#pass);
  }

  /** No pass runs any more, and nothing that is under way comes to anything. */
  stop(): void {
    this.#stopped = true;
    this.#parts.ticker.stop();
  }

  step(message: Message): void {
    // Lost while the log is being replaced: messages may be.
    if (this.#stopped || this.#frozen) return;
    this.#parts.raft.step(message);
    this.wake();
  }

  append(payload: Uint8Array, onlyInTerm: Term | null): AppendOutcome {
    const { raft, limits } = this.#parts;
    assert(
      payload.length > 0 && payload.length <= limits.entryBytes,
      "a payload has from 1 byte to the entry limit",
    );
    if (this.#stopped || this.#frozen) return REFUSED["not-leader"];
    if (onlyInTerm !== null && raft.term !== onlyInTerm) {
      return REFUSED["not-leader"];
    }
    const proposed = raft.propose([payload]);
    if (typeof proposed === "string") return REFUSED[proposed];
    this.wake();
    return { ok: true, index: proposed.index, term: proposed.term };
  }

  leadership(): Leadership {
    const { raft, delivery, self } = this.#parts;
    const { term, leader } = raft;
    return {
      term,
      leader,
      serving: leader === self && delivery.term === term && !delivery.restoring,
    };
  }

  /**
   * Stops raft's input and output, and calls back when all that it has said so far is durable: then
   * storage's log and raft's are the same. Until {@link thaw}.
   */
  freeze(drained: () => void): void {
    assert(!this.#frozen, "the loop is frozen once at a time");
    this.#frozen = true;
    this.#onDrained = drained;
    this.wake();
  }

  /** With a snapshot: what it holds is durable here; raft hears of it before anything else. */
  thaw(installed: Message | null): void {
    assert(this.#frozen && this.#onDrained === null, "only a drained loop is thawed");
    this.#frozen = false;
    if (installed !== null) this.#parts.raft.step(installed);
    this.wake();
  }

  start(): void {
    this.#parts.ticker.start();
  }

  readonly #pass = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    const { host, events, reads, ticker } = this.#parts;
    this.#running = true;
    const ticks = ticker.collect();
    if (this.#frozen) {
      reads.refuse();
      if (ticks > 0) {
        reads.retry();
        events.waited();
      }
      this.#drain();
    } else {
      this.#tick(ticks);
      this.#carryOut();
    }
    if (this.#stopped) return;
    host.turnEnded();
    this.#tellLeadership();
    events.passed();
    this.#running = false;
    if (!this.#stopped) events.flush();
  };

  #tick(ticks: number): void {
    if (ticks === 0) return;
    const { raft, reads, events } = this.#parts;
    if (events.takesPart()) for (let count = 0; count < ticks; count++) raft.tick();
    reads.retry();
    events.ticked(ticks);
  }

  /** Takes what raft wants done, and does it. What does not fit into this pass asks for another. */
  #carryOut(): void {
    const { raft, reads, delivery, events, limits } = this.#parts;
    this.#tellApplied();
    reads.ask(raft, this.leadership().serving);
    let entriesLeft = limits.sliceEntries;
    for (let round = 0; round < READYS_PER_PASS && !this.#stopped; round++) {
      if (!raft.hasReady && !delivery.ready) return;
      if (raft.hasReady) this.#handle(raft.take());
      // Other nodes go on while this one applies.
      events.flush();
      const before = delivery.index;
      delivery.slice(entriesLeft, limits.sliceBytes);
      entriesLeft -= delivery.index - before;
      this.#tellApplied();
    }
    if (raft.hasReady || delivery.ready) this.wake();
  }

  /** The last of what raft had to say goes to storage, and is waited for. */
  #drain(): void {
    const { raft } = this.#parts;
    while (raft.hasReady && !this.#stopped) this.#handle(raft.take());
    const drained = this.#onDrained;
    if (drained === null || !this.#durability.idle || this.#stopped) return;
    this.#onDrained = null;
    drained();
  }

  #handle(ready: Ready): void {
    const { delivery, reads, events, limits } = this.#parts;
    for (const message of ready.messages) events.send(message);
    // Followers write at the same time as this node, also where its own write blocks.
    if (ready.entries.length > 0 && limits.storage.synchronousBytes > 0) events.flush();
    this.#durability.accept(ready);
    if (ready.snapshot !== null) delivery.restore(ready.snapshot);
    delivery.push(ready.committed);
    for (const request of ready.snapshotRequests) events.snapshotRequested(request);
    if (ready.leadership !== null) reads.retry();
    if (ready.reads.length > 0) reads.onReads(ready.reads, delivery.index);
    if (ready.confirmations.length > 0) {
      const { serving, term } = this.leadership();
      reads.onConfirmations(ready.confirmations, serving ? term : null);
    }
  }

  #tellApplied(): void {
    const { raft, delivery } = this.#parts;
    if (delivery.restoring || delivery.index === this.#toldApplied) return;
    this.#toldApplied = delivery.index;
    raft.applied(delivery.index);
  }

  #tellLeadership(): void {
    const now = this.leadership();
    const told = this.#told;
    if (now.term === told.term && now.leader === told.leader && now.serving === told.serving) {
      return;
    }
    this.#told = now;
    this.#parts.host.leadershipChanged(now);
  }

  #persisted(term: Term, lastIndex: LogIndex): void {
    if (this.#stopped) return;
    this.#parts.raft.persisted(term, lastIndex);
  }

  #sendVouching(message: Message): void {
    if (this.#stopped) return;
    this.#parts.events.send(message);
    // Outside of a pass nobody would flush before the next one.
    if (!this.#running) this.wake();
  }
}
