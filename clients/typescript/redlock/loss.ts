/** The signal of a hold: fires once, with an `ExecutionError` as its reason and as its `error`. */
import { ExecutionError } from "./errors.js";
import type { RedlockAbortSignal } from "./surface.js";

export class Loss {
  readonly #controller = new AbortController();
  #error: ExecutionError | null = null;

  get signal(): RedlockAbortSignal {
    return this.#controller.signal;
  }

  get error(): ExecutionError | null {
    return this.#error;
  }

  /** The first call counts. */
  declare(message: string, cause?: unknown): ExecutionError {
    if (this.#error !== null) return this.#error;
    const error = new ExecutionError(message, [], cause);
    this.#error = error;
    // Who is woken by the signal finds it there.
    this.signal.error = error;
    this.#controller.abort(error);
    return error;
  }
}
