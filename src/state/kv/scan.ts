/**
 * Scans of the keyspace as it is, as it was, or as a transaction sees it: live keys under a
 * layer.
 */

import type { KeySpan } from "../command/command.js";
import type { World } from "../world.js";
import { KeyMap } from "./key-map.js";
import type { KvRecord } from "./record.js";

/**
 * Keys that stand in front of the live ones: null hides a key. In order, so that a walk of a range
 * meets only the part of it within that range.
 */
export type Layer = KeyMap<KvRecord | null>;

export interface Bounds {
  readonly from: string;
  /** Exclusive; null: no end. */
  readonly to: string | null;
}

/** The half-open range that a span names. */
export function boundsOf(span: KeySpan): Bounds {
  if ("key" in span) return { from: span.key, to: `${span.key}\0` };
  return span;
}

export function within(bounds: Bounds, key: string): boolean {
  return key >= bounds.from && (bounds.to === null || key < bounds.to);
}

/** Visits records in order of key, upward or downward, until `visit` returns false. */
export function scan(
  live: KeyMap<KvRecord>,
  layer: Layer | null,
  bounds: Bounds,
  descending: boolean,
  visit: (record: KvRecord) => boolean,
): void {
  if (bounds.to !== null && bounds.to <= bounds.from) return;
  const merge = new Merge(layerKeys(layer, bounds, descending), layer, descending, visit);
  const step = (key: string, record: KvRecord) => merge.live(key, record);
  if (descending) live.scanBackward(bounds.from, bounds.to, step);
  else live.scan(bounds.from, bounds.to, step);
  merge.rest();
}

function layerKeys(layer: Layer | null, bounds: Bounds, descending: boolean): string[] {
  const keys: string[] = [];
  if (layer === null) return keys;
  const add = (key: string) => {
    keys.push(key);
    return true;
  };
  if (descending) layer.scanBackward(bounds.from, bounds.to, add);
  else layer.scan(bounds.from, bounds.to, add);
  return keys;
}

class Merge {
  readonly #keys: readonly string[];
  readonly #layer: Layer | null;
  readonly #descending: boolean;
  readonly #visit: (record: KvRecord) => boolean;
  #next = 0;
  #stopped = false;

  constructor(
    keys: readonly string[],
    layer: Layer | null,
    descending: boolean,
    visit: (record: KvRecord) => boolean,
  ) {
    this.#keys = keys;
    this.#layer = layer;
    this.#descending = descending;
    this.#visit = visit;
  }

  live(key: string, record: KvRecord): boolean {
    for (let next = this.#keys[this.#next]; next !== undefined; next = this.#keys[this.#next]) {
      if (next === key) {
        this.#next++;
        return this.#show(next);
      }
      if (this.#descending ? next < key : next > key) break;
      this.#next++;
      if (!this.#show(next)) return false;
    }
    this.#stopped = !this.#visit(record);
    return !this.#stopped;
  }

  rest(): void {
    while (!this.#stopped) {
      const next = this.#keys[this.#next++];
      if (next === undefined) return;
      this.#show(next);
    }
  }

  #show(key: string): boolean {
    const record = this.#layer?.get(key);
    if (record !== null && record !== undefined) this.#stopped = !this.#visit(record);
    return !this.#stopped;
  }
}

/** A key as it was at `revision`, which is in the window of history. */
export function recordOfPast(world: World, key: string, revision: number): KvRecord | null {
  const walk = world.history.walkFrom(revision + 1);
  for (let change = walk.next(); change !== undefined; change = walk.next()) {
    if (change.key === key) return change.prev;
  }
  return world.kv.get(key) ?? null;
}

/**
 * The layer that turns the present into the past: each key within the bounds that changed after
 * `revision`, as it was then. Goes through all changes since, but holds only those keys, and ends
 * when they are more than `most`: then it is of no use.
 */
export function layerOfPast(world: World, revision: number, bounds: Bounds, most: number): Layer {
  const layer: Layer = new KeyMap();
  const walk = world.history.walkFrom(revision + 1);
  for (let change = walk.next(); change !== undefined; change = walk.next()) {
    const { key } = change;
    if (!within(bounds, key) || layer.has(key)) continue;
    layer.set(key, change.prev);
    if (layer.size > most) break;
  }
  return layer;
}
