/**
 * Who may stand in several lines at once: threads that named themselves, and requests for several
 * names. One that has two entries or more, of which at least one waits, is *entangled*: only such
 * can be part of a circle, so only their entries are tied into their lines as knots, and counted.
 * One whose entries all hold will be done; it is tied when it begins to wait. An index over the
 * entries, rebuilt by a loader: what is tied follows from who stands, not from how it came.
 */
import { assert } from "../../base/assert.js";
import type { KvRecord } from "../kv/record.js";
import { comparePlaces, type Line, type Place, placeOf } from "./line.js";

/** An entry of somebody who may stand in several lines. */
export interface Knot {
  /** Of the thread, or of the request for several names. */
  readonly id: string;
  readonly key: string;
  readonly line: Line;
  readonly place: Place;
}

/** All entries of a thread, or of a request for several names. */
interface Stander {
  /** By place. */
  readonly knots: Knot[];
  /** How many of them wait. */
  waits: number;
}

const NOBODY: readonly Knot[] = [];

/** "" when the entry is of somebody who stands nowhere else, as far as anyone has said. */
export function standerOf({ lease, entry }: KvRecord): string {
  if (entry === null) return "";
  if (entry.actor !== "") return threadOf(lease, entry.actor);
  const [first] = entry.extra.group;
  return first === undefined ? "" : `request ${first}`;
}

export function threadOf(lease: string, actor: string): string {
  return `thread ${lease} ${actor}`;
}

function isEntangled({ knots, waits }: Stander): boolean {
  return waits > 0 && knots.length > 1;
}

export class Actors {
  readonly #byId = new Map<string, Stander>();
  /** Entries of those who are entangled. */
  #entangled = 0;

  get entangled(): number {
    return this.#entangled;
  }

  of(id: string): readonly Knot[] {
    return this.#byId.get(id)?.knots ?? NOBODY;
  }

  isEntangled(id: string): boolean {
    const stander = this.#byId.get(id);
    return stander !== undefined && isEntangled(stander);
  }

  /** How many more entries would be entangled if so many of `id` came, to wait or to hold. */
  growth(id: string, entries: number, isWait: boolean): number {
    const stander = this.#byId.get(id);
    if (stander === undefined) return isWait && entries > 1 ? entries : 0;
    if (isEntangled(stander)) return entries;
    return isWait || stander.waits > 0 ? stander.knots.length + entries : 0;
  }

  enter(record: KvRecord, line: Line): void {
    const id = standerOf(record);
    if (id === "") return;
    const knot: Knot = { id, key: record.key, line, place: placeOf(record) };
    const waits = record.entry?.granted === true ? 0 : 1;
    const stander = this.#byId.get(id);
    if (stander === undefined) {
      this.#byId.set(id, { knots: [knot], waits });
      return;
    }
    const { knots } = stander;
    const wasEntangled = isEntangled(stander);
    // By place, whatever the order in which a loader brings them: searches go that way.
    knots.splice(placeAmong(knots, knot.place), 0, knot);
    stander.waits += waits;
    if (wasEntangled) this.#tie(knot);
    else if (isEntangled(stander)) for (const one of knots) this.#tie(one);
  }

  /** An entry that waited holds from now on. */
  hold(record: KvRecord): void {
    const id = standerOf(record);
    if (id === "") return;
    const stander = this.#byId.get(id);
    assert(stander !== undefined && stander.waits > 0, "who is granted has waited");
    const wasEntangled = isEntangled(stander);
    stander.waits--;
    if (wasEntangled && !isEntangled(stander)) for (const one of stander.knots) this.#untie(one);
  }

  leave(record: KvRecord): void {
    const id = standerOf(record);
    if (id === "") return;
    const stander = this.#byId.get(id);
    assert(stander !== undefined, "who leaves has entered");
    const { knots } = stander;
    const wasEntangled = isEntangled(stander);
    const [gone] = knots.splice(placeAmong(knots, placeOf(record)), 1);
    assert(gone?.key === record.key, "who leaves stands where it entered");
    if (record.entry?.granted !== true) stander.waits--;
    if (knots.length === 0) this.#byId.delete(id);
    if (!wasEntangled) return;
    this.#untie(gone);
    if (!isEntangled(stander)) for (const one of knots) this.#untie(one);
  }

  #tie(knot: Knot): void {
    knot.line.tie(knot);
    this.#entangled++;
  }

  #untie(knot: Knot): void {
    knot.line.untie(knot);
    this.#entangled--;
  }
}

/** How many of them stand before `place`. */
function placeAmong(knots: readonly Knot[], place: Place): number {
  let low = 0;
  let high = knots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const knot = knots[middle];
    if (knot !== undefined && comparePlaces(knot.place, place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
