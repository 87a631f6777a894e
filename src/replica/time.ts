/**
 * Time as this room sees it: whole milliseconds of this process's monotonic clock, the cluster's
 * time that a leader stamps on entries, and a guess at the present cluster time for display.
 */
import type { Clock } from "../base/ports.js";

export class NodeTime {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Monotonic, whole milliseconds. */
  nowMs(): number {
    return Math.floor(this.#clock.monotonicMs());
  }

  wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }
}

/**
 * The cluster's time: the last applied value, and on a serving leader that plus its own monotonic
 * time since it began to serve. Never goes back, whatever is asked in whatever order.
 */
export class ClusterTime {
  readonly #time: NodeTime;
  #appliedMs = 0;
  /** This process's time when `#appliedMs` was last seen to move. */
  #seenAtMs = 0;
  #base: number | null = null;
  #baseAtMs = 0;
  #stampedMs = 0;

  constructor(time: NodeTime) {
    this.#time = time;
  }

  applied(clusterTimeMs: number): void {
    if (clusterTimeMs === this.#appliedMs) return;
    this.#appliedMs = clusterTimeMs;
    this.#seenAtMs = this.#time.nowMs();
  }

  /** This node serves from now on, having applied everything before its term. */
  begin(): void {
    this.#base = this.#appliedMs;
    this.#baseAtMs = this.#time.nowMs();
    this.#stampedMs = this.#appliedMs;
  }

  end(): void {
    this.#base = null;
  }

  /** For an entry's header. Only between `begin` and `end`. */
  stampMs(): number {
    const ms = this.#base === null ? 0 : this.#base + this.#time.nowMs() - this.#baseAtMs;
    this.#stampedMs = Math.max(this.#stampedMs, this.#appliedMs, ms);
    return this.#stampedMs;
  }

  /**
   * For people: the applied time, moved on by our own clock. Far ahead of the cluster's own after a
   * time in which nobody led.
   */
  estimateMs(): number {
    if (this.#base !== null) return this.stampMs();
    return this.#appliedMs + this.#time.nowMs() - this.#seenAtMs;
  }
}
