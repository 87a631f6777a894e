/**
 * What waits to be sent on one connection. Past a limit it is held: its owner encodes nothing more
 * and lets its streams stand still until the network has taken half. Who reads, however slowly,
 * is only held; who takes nothing for a minute while held is cut off. A single message may be
 * larger than the limit, so size alone says nothing of a reader. Used by both doors.
 */
import type { Limits } from "../base/limits.js";
import type { Cancel, Clock } from "../base/ports.js";

/** A held connection from which nothing left for so long is ended. */
export const STALLED_AFTER_MS = 60_000;

export interface BacklogOwner {
  /** Given to the network and not taken yet. */
  bufferedBytes(): number;
  /** From now on nothing more is to be sent, as far as that can be helped. */
  hold(): void;
  /** It may go on; what it sends may hold it anew. */
  resume(): void;
  /** Ends the connection. */
  cut(): void;
}

export class Backlog {
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #owner: BacklogOwner;
  #held = false;
  #ended = false;
  #movedAtMs = 0;
  #cancelTimer: Cancel = () => {};

  constructor(clock: Clock, limits: Limits, owner: BacklogOwner) {
    this.#clock = clock;
    this.#limitBytes = limits.maxWatchBacklogBytes;
    this.#owner = owner;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Something was given to the network. */
  sent(): void {
    if (this.#held || this.#ended) return;
    if (this.#owner.bufferedBytes() <= this.#limitBytes) return;
    this.#held = true;
    this.#movedAtMs = this.#clock.monotonicMs();
    this.#look(STALLED_AFTER_MS);
    this.#owner.hold();
  }

  /** Something has left. */
  drained(): void {
    if (!this.#held || this.#ended) return;
    this.#movedAtMs = this.#clock.monotonicMs();
    if (this.#owner.bufferedBytes() > this.#limitBytes / 2) return;
    this.#held = false;
    this.#cancelTimer();
    this.#owner.resume();
  }

  /** The connection is over: nothing is called any more. */
  end(): void {
    this.#ended = true;
    this.#cancelTimer();
  }

  #look(afterMs: number): void {
    this.#cancelTimer = this.#clock.after(afterMs, () => {
      const leftMs = this.#movedAtMs + STALLED_AFTER_MS - this.#clock.monotonicMs();
      if (leftMs > 0) this.#look(leftMs);
      else this.#owner.cut();
    });
  }
}
