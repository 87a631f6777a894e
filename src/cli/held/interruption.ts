/**
 * Signals that come before CMD runs: they end the waiting, and CMD is not started, but what was
 * acquired meanwhile is given back. Once CMD runs, signals are CMD's (child.ts).
 */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Interruption {
  readonly #controller = new AbortController();
  readonly #handlers = new Map<(typeof SIGNALS)[number], () => void>();
  #exitCode: number | null = null;

  /** Catches signals from now on. */
  constructor() {
    for (const name of SIGNALS) {
      const handler = (): void => {
        this.#exitCode ??= 128 + constants.signals[name];
        this.#controller.abort();
      };
      this.#handlers.set(name, handler);
      process.on(name, handler);
    }
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 128 + the first signal; null: none has come. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** From now on signals are somebody else's. May be called again. */
  end(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler);
    this.#handlers.clear();
  }
}
