/**
 * The way of a Ready into storage, and of what vouches for it out of it. Storage answers in the
 * order of the calls, so what waits is a plain queue, and no closure is made per batch. Called by
 * the loop alone.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, Term } from "../base/ids.js";
import { Ring } from "../base/ring.js";
import type { Ready } from "../raft/index.js";
import type { Entry, HardState, Message } from "../raft/message/index.js";
import type { Storage, StorageStop } from "../storage/contract.js";

/** A Ready on its way to the disk. */
interface Waiting {
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly messages: readonly Message[];
  /** Something was written for it: raft is to be told. */
  readonly persists: boolean;
  durable: boolean;
}

export interface DurabilityEvents {
  /** All up to here, as of `term`, is durable. */
  persisted(term: Term, lastIndex: LogIndex): void;
  /** A message that vouches for what is durable now. */
  send(message: Message): void;
  /** Something has changed: a pass is needed. */
  wake(): void;
}

/** What one entry costs on disk beside its payload, roughly: for the count that snapshots go by. */
const ENTRY_OVERHEAD_BYTES = 32;

export class Durability {
  readonly #storage: Storage;
  readonly #events: DurabilityEvents;
  /** In the order in which they were taken. */
  readonly #waiting = new Ring<Waiting>();
  /** Bytes of log handed to storage since this process started. */
  #bytes = 0;
  #unanswered = 0;

  constructor(storage: Storage, events: DurabilityEvents) {
    this.#storage = storage;
    this.#events = events;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Everything that was handed over is durable. */
  get idle(): boolean {
    return this.#unanswered === 0;
  }

  accept(ready: Ready): void {
    const writes = ready.hardState !== null || ready.cutFrom !== null || ready.entries.length > 0;
    if (!ready.mustPersist && this.#waiting.length === 0) {
      for (const message of ready.messagesAfterPersist) this.#events.send(message);
      return;
    }
    if (!ready.mustPersist && ready.messagesAfterPersist.length === 0) return;
    this.#waiting.push({
      term: ready.term,
      lastIndex: ready.lastIndex,
      messages: ready.messagesAfterPersist,
      persists: ready.mustPersist,
      durable: !writes,
    });
    if (writes) this.#write(ready.hardState, ready.cutFrom, ready.entries);
    else this.#release();
  }

  #write(hardState: HardState | null, cutFrom: LogIndex | null, entries: readonly Entry[]): void {
    for (const entry of entries) this.#bytes += entry.payload.length + ENTRY_OVERHEAD_BYTES;
    this.#unanswered += 1;
    this.#storage.append(
      {
        ...(hardState === null ? {} : { hardState }),
        ...(cutFrom === null ? {} : { truncateFrom: cutFrom }),
        entries,
      },
      this.#onDurable,
    );
  }

  readonly #onDurable = (stop: StorageStop | null): void => {
    // Storage tells its owner of the failure itself; nothing leaves after it.
    if (stop !== null) return;
    this.#unanswered -= 1;
    for (let at = 0; ; at++) {
      const waiting = this.#waiting.at(at);
      assert(waiting !== undefined, "storage answers what was asked, and once");
      if (waiting.durable) continue;
      waiting.durable = true;
      break;
    }
    this.#release();
  };

  #release(): void {
    let term: Term | null = null;
    let lastIndex: LogIndex | null = null;
    for (let first = this.#waiting.peek(); first?.durable; first = this.#waiting.peek()) {
      this.#waiting.shift();
      if (first.persists) {
        term = first.term;
        lastIndex = first.lastIndex;
      }
      for (const message of first.messages) this.#events.send(message);
    }
    if (term !== null && lastIndex !== null) this.#events.persisted(term, lastIndex);
    this.#events.wake();
  }
}
