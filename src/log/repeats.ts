/**
 * What is said again and again is said once in a while: a peer that is refused tries for ever, and
 * must not fill everybody's log. Called by links.ts.
 */
import type { Clock } from "../base/ports.js";

const QUIET_MS = 60_000;
/** Beyond these, what was said longest ago counts as never said. */
const MOST_REMEMBERED = 256;

export class Repeats {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** When each text was said last, oldest first. */
  readonly #saidMs = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** True: to be said now; it was not within the last minute. */
  isNews(text: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const saidMs = this.#saidMs.get(text);
    if (saidMs !== undefined && nowMs - saidMs < QUIET_MS) return false;
    this.#saidMs.delete(text);
    this.#saidMs.set(text, nowMs);
    const [oldest] = this.#saidMs.keys();
    if (this.#saidMs.size > MOST_REMEMBERED && oldest !== undefined) this.#saidMs.delete(oldest);
    return true;
  }
}
