/** A read that asks for nothing but that it can be made: by which the outside learns of health. */
import type { Failure } from "./coordinator/index.js";
import type { Outbox } from "./outbox.js";
import type { ReadTask } from "./reads.js";

export class Probe implements ReadTask {
  readonly #outbox: Outbox;
  readonly #done: (confirmed: boolean) => void;

  constructor(outbox: Outbox, done: (confirmed: boolean) => void) {
    this.#outbox = outbox;
    this.#done = done;
  }

  run(): void {
    this.#outbox.post({ deliver: () => this.#done(true) });
  }

  fail(_failure: Failure): void {
    this.#outbox.post({ deliver: () => this.#done(false) });
  }
}
