/**
 * The sliding window of history: every change from `oldestRevision` on. Bounded by revisions and
 * by bytes; as a revision comes in, the oldest ones that no longer fit go, whole, and never the
 * newest.
 */
import { Trail, type TrailWalk } from "../trail.js";
import type { Change } from "./change.js";

export class History {
  readonly #trail = new Trail<Change>();
  #bytes = 0;
  #oldest = 2;

  get size(): number {
    return this.#trail.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The first revision whose changes are all here; the next one to come when it is empty. */
  get oldestRevision(): number {
    return this.#oldest;
  }

  push(change: Change): void {
    this.#trail.push(change);
    this.#bytes += change.bytes;
  }

  /** Drops what is beyond the limits, but nothing of `newest`, the revision written last. */
  slide(newest: number, maxRevisions: number, maxBytes: number): void {
    const least = newest - maxRevisions + 1;
    while (this.#oldest < newest && (this.#oldest < least || this.#bytes > maxBytes)) {
      this.#dropOldest();
    }
  }

  /** For a loader: where the window of an empty trail begins. */
  startAt(oldest: number): void {
    this.#oldest = oldest;
  }

  walk(): TrailWalk<Change> {
    return this.#trail.walk();
  }

  /** The changes from `revision` on. */
  walkFrom(revision: number): TrailWalk<Change> {
    return this.#trail.walkFrom(change => change.revision >= revision);
  }

  #dropOldest(): void {
    const revision = this.#oldest;
    for (let c = this.#trail.first(); c !== undefined && c.revision <= revision; ) {
      this.#bytes -= c.bytes;
      this.#trail.shift();
      c = this.#trail.first();
    }
    this.#oldest = revision + 1;
  }
}
