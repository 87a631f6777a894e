/**
 * Tells whoever awaits what only the turned clock can bring why nothing happens: without it, a test
 * just runs out of its time. A warning of Node's, once a cluster. It moves nothing.
 */

// Taken now: a test that fakes its own timers must not fake this one.
const { setTimeout, clearTimeout } = globalThis;

const STANDS_FOR_MS = 2_000;

export class Hint {
  readonly #afterMs: number;
  #timer: NodeJS.Timeout | null = null;
  #wasGiven = false;

  /** `afterMs`: of real time. */
  constructor(afterMs: number = STANDS_FOR_MS) {
    this.#afterMs = afterMs;
  }

  /** Nothing happens any more by itself, and somebody waits. */
  arm(nowMs: number): void {
    if (this.#wasGiven) return;
    this.disarm();
    this.#timer = setTimeout(() => {
      this.#wasGiven = true;
      const message =
        `a client of the test cluster waits, and its clock stands at ${nowMs} ms: only advance() ` +
        "and until() turn it. To await a wait in line, write `await cluster.until(promise)`.";
      process.emitWarning(message, { code: "HOLDFAST_CLOCK_STANDS" });
    }, this.#afterMs);
    // Nobody's process stays for it.
    this.#timer.unref();
  }

  disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
