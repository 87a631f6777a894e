/**
 * What all parts of an open storage share: the ports, the identity, the pacer, and the one stop
 * that ends everything. It owns no file.
 */

import { assert } from "../base/assert.js";
import type { Disk } from "../base/disk.js";
import type { Bytes, Checksum, Random } from "../base/ports.js";
import type { Identity, StorageLimits, StorageOptions, StorageStop } from "./contract.js";
import { Pacer } from "./pacer.js";
import { run, type Steps, value } from "./steps.js";
import { StopError } from "./stop.js";

export class DataDirectory {
  readonly options: StorageOptions;
  readonly disk: Disk;
  readonly path: string;
  readonly bytes: Bytes;
  readonly checksum: Checksum;
  readonly random: Random;
  readonly limits: StorageLimits;
  readonly pacer: Pacer;
  /** Set once recovery or `initialize` knows it. */
  identity: Identity | null = null;
  /** Why nothing goes on: a failure, or the caller's `close`. */
  stop: StorageStop | null = null;
  /** Once opening has been answered: a failure before that is its answer. */
  isOpen = false;
  /** What ends with the storage: called once with the stop. */
  onStop: (stop: StorageStop) => void = () => {};
  #background = 0;
  #whenQuiet: (() => void) | null = null;

  constructor(options: StorageOptions) {
    this.options = options;
    this.disk = options.disk;
    this.path = options.directory;
    this.bytes = options.bytes;
    this.checksum = options.checksum;
    this.random = options.random;
    this.limits = options.limits;
    this.pacer = new Pacer(options.clock, options.limits.pauseMs);
  }

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  get known(): Identity {
    assert(this.identity !== null, "an empty directory is initialised before it is written");
    return this.identity;
  }

  /** The first failure wins and is told once; what follows from it is not told again. */
  fail(stop: StorageStop): void {
    if (this.stop !== null) return;
    this.stop = stop;
    if (this.isOpen) this.options.onFatal(stop);
    this.wind(stop);
  }

  /** Ends what waits its turn: it goes on at once and finds the stop. */
  wind(stop: StorageStop): void {
    this.stop = stop;
    this.pacer.stop();
    this.onStop(stop);
  }

  /** Runs work beside the log; its failure is the storage's. */
  background<T>(
    steps: Steps<T>,
    finished: (stop: StorageStop | null, value: T | null) => void,
  ): void {
    this.#background += 1;
    run(steps, (stop, result) => {
      this.#background -= 1;
      if (stop !== null && stop !== this.stop) this.fail(stop);
      finished(stop, result);
      if (this.#background === 0) this.#whenQuiet?.();
    });
  }

  /** The same for work whose failure concerns nobody. */
  quietly(steps: Steps<void>, finished: () => void): void {
    this.#background += 1;
    run(steps, () => {
      this.#background -= 1;
      finished();
      if (this.#background === 0) this.#whenQuiet?.();
    });
  }

  /** Calls back when no background work is left; after `wind` no new one begins by itself. */
  whenQuiet(callback: () => void): void {
    if (this.#background === 0) {
      callback();
      return;
    }
    this.#whenQuiet = () => {
      this.#whenQuiet = null;
      callback();
    };
  }

  /**
   * One turn for one write beside the log. `hurried`: no pause need follow it.
   * @throws StopError when the storage has stopped
   */
  *turn<T>(urgent: boolean, write: Steps<T>, hurried = false): Steps<T> {
    yield* value<null>(begin => this.pacer.enter(() => begin(null, null), urgent));
    try {
      this.check();
      return yield* write;
    } finally {
      this.pacer.end(hurried);
    }
  }

  check(): void {
    if (this.stop !== null) throw new StopError(this.stop);
  }
}
