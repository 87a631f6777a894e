/** A walk through the window of history that outlives any number of applied entries. */

import { type Refusal, refuse } from "../command/result.js";
import type { HistoryCursor } from "../face.js";
import type { World } from "../world.js";
import type { Change } from "./change.js";

/**
 * Changes looked at in one call, so that a far cursor of a quiet key does not hold up the node.
 */
const MAX_LOOKED_AT = 10_000;

export class WindowCursor implements HistoryCursor {
  readonly #world: World;
  readonly #from: string;
  readonly #to: string | null;
  #position: number;
  #looks = 0;

  constructor(world: World, position: number, from: string, to: string | null) {
    this.#world = world;
    this.#position = position;
    this.#from = from;
    this.#to = to;
  }

  get position(): number {
    return this.#position;
  }

  get looks(): number {
    return this.#looks;
  }

  get caughtUp(): boolean {
    return this.#position > this.#world.revision;
  }

  next(maxChanges: number): readonly Change[] | Refusal {
    const { history, revision } = this.#world;
    const { oldestRevision } = history;
    if (this.#position < oldestRevision) {
      return refuse("HISTORY_GONE", { oldestRevision, revision });
    }
    const found: Change[] = [];
    if (this.caughtUp) return found;
    const walk = history.walkFrom(this.#position);
    let seen = 0;
    for (let change = walk.next(); change !== undefined; change = walk.next()) {
      // Stop only between revisions, so that none is handed out in parts.
      if (change.revision !== this.#position) {
        if (found.length >= maxChanges || seen >= MAX_LOOKED_AT) {
          this.#position = change.revision;
          this.#looks += seen;
          return found;
        }
        this.#position = change.revision;
      }
      seen++;
      if (this.#matches(change.key)) found.push(change);
    }
    this.#position = revision + 1;
    this.#looks += seen;
    return found;
  }

  #matches(key: string): boolean {
    return key >= this.#from && (this.#to === null || key < this.#to);
  }
}
