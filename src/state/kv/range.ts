/** Reads of one key and of ranges, in the present, the past, or within a transaction. */

import type { RangeQuery, SortBy } from "../command/command.js";
import { type RangeResult, type RecordView, type Refusal, refuse } from "../command/result.js";
import type { StateLimits } from "../limits.js";
import type { World } from "../world.js";
import type { KeyMap } from "./key-map.js";
import { type KvRecord, viewOf } from "./record.js";
import { type Bounds, boundsOf, type Layer, layerOfPast, scan, within } from "./scan.js";

/**
 * How many records one command may look at: those that its ranges and comparisons over ranges find,
 * and those that its own earlier steps have put in the way. So many one read looks at, too.
 */
export const MAX_LOOKED_AT = 100_000;
const RECORD_BYTES = 48;

export function readRange(world: World, query: RangeQuery): RangeResult | Refusal {
  const gone = checkPast(world, query.revision);
  if (gone !== null) return gone;
  const { revision } = query;
  const layer =
    revision === undefined || revision === world.revision
      ? null
      : layerOfPast(world, revision, boundsOf(query.span), MAX_LOOKED_AT);
  const changed = layer === null ? 0 : layer.size;
  if (changed + unboundedWork(world.kv, query) > MAX_LOOKED_AT) {
    return refuse("RESULT_TOO_LARGE", { limit: MAX_LOOKED_AT });
  }
  return rangeOver(world.kv, layer, query, world.revision, world.limits);
}

/** Why there is no reading at `revision` (undefined: the present). */
export function checkPast(world: World, revision: number | undefined): Refusal | null {
  if (revision === undefined || revision === world.revision) return null;
  if (revision > world.revision) return refuse("REVISION_IN_FUTURE", { revision: world.revision });
  const { oldestRevision } = world.history;
  if (revision < oldestRevision - 1) {
    return refuse("HISTORY_GONE", { oldestRevision, revision: world.revision });
  }
  return null;
}

/** Whoever calls it has seen that `unboundedWork` and the layer are within what may be looked at. */
export function rangeOver(
  live: KeyMap<KvRecord>,
  layer: Layer | null,
  query: RangeQuery,
  revision: number,
  limits: StateLimits,
): RangeResult {
  const limit = Math.min(query.limit ?? limits.maxRangeItems, limits.maxRangeItems);
  if (query.sortBy !== undefined && query.sortBy !== "key") {
    return sortedRange(live, layer, query, limit, revision, limits);
  }
  const bounds = boundsOf(query.span);
  const picked = new Picked(query, limit, limits.maxRangeBytes);
  if (filters(query)) return walkAll(live, layer, query, bounds, picked, revision);
  if (query.countOnly !== true) {
    const page = pageBounds(bounds, query);
    scan(live, layer, page, query.descending === true, record => picked.add(record));
  }
  const count = live.count(bounds.from, bounds.to) + layerGrowth(live, layer, bounds);
  return { kind: "range", records: picked.records, count, more: picked.more, revision };
}

/** How many keys more than the live ones a range has under the layer. */
function layerGrowth(live: KeyMap<KvRecord>, layer: Layer | null, bounds: Bounds): number {
  let growth = 0;
  layer?.scan(bounds.from, bounds.to, (key, record) => {
    growth += (record === null ? 0 : 1) - (live.has(key) ? 1 : 0);
    return true;
  });
  return growth;
}

/** How many records a query looks at that cannot stop when its page is full; else 0. */
export function unboundedWork(live: KeyMap<KvRecord>, query: RangeQuery): number {
  const sorted = query.sortBy !== undefined && query.sortBy !== "key";
  if (!sorted && !filters(query)) return 0;
  const { from, to } = boundsOf(query.span);
  return live.count(from, to);
}

/** Where the count is not known without looking at every record. */
function walkAll(
  live: KeyMap<KvRecord>,
  layer: Layer | null,
  query: RangeQuery,
  bounds: Bounds,
  picked: Picked,
  revision: number,
): RangeResult {
  const descending = query.descending === true;
  const page = pageBounds(bounds, query);
  let count = 0;
  scan(live, layer, bounds, descending, record => {
    if (!matches(query, record)) return true;
    count++;
    if (query.countOnly !== true && within(page, record.key)) picked.add(record);
    return true;
  });
  return { kind: "range", records: picked.records, count, more: picked.more, revision };
}

/** The part of the range that comes after `after`, in the order asked for. */
function pageBounds(bounds: Bounds, query: RangeQuery): Bounds {
  const { after } = query;
  if (after === undefined) return bounds;
  if (query.descending === true) {
    return bounds.to === null || after < bounds.to ? { from: bounds.from, to: after } : bounds;
  }
  return after >= bounds.from ? { from: `${after}\0`, to: bounds.to } : bounds;
}

function filters(query: RangeQuery): boolean {
  const { minCreateRevision, maxCreateRevision, minModRevision, maxModRevision } = query;
  return (
    minCreateRevision !== undefined ||
    maxCreateRevision !== undefined ||
    minModRevision !== undefined ||
    maxModRevision !== undefined
  );
}

/** The first records that fit, in the order in which they are added. */
class Picked {
  readonly records: RecordView[] = [];
  more = false;
  readonly #keysOnly: boolean;
  readonly #limit: number;
  #bytesLeft: number;

  constructor(query: RangeQuery, limit: number, maxBytes: number) {
    this.#keysOnly = query.keysOnly === true;
    this.#limit = limit;
    this.#bytesLeft = maxBytes;
  }

  /** False once the page is full. */
  add(record: KvRecord): boolean {
    if (this.more || this.records.length >= this.#limit) {
      this.more = true;
      return false;
    }
    const value = this.#keysOnly ? 0 : record.value.length;
    const bytes = RECORD_BYTES + record.key.length + value;
    if (bytes > this.#bytesLeft && this.records.length > 0) {
      this.more = true;
      return false;
    }
    this.#bytesLeft -= bytes;
    this.records.push(viewOf(record, this.#keysOnly));
    return true;
  }
}

function sortedRange(
  live: KeyMap<KvRecord>,
  layer: Layer | null,
  query: RangeQuery,
  limit: number,
  revision: number,
  limits: StateLimits,
): RangeResult {
  const found: KvRecord[] = [];
  const bounds: Bounds = boundsOf(query.span);
  scan(live, layer, bounds, false, record => {
    if (matches(query, record)) found.push(record);
    return true;
  });
  const order = orderBy(query.sortBy ?? "key");
  found.sort(query.descending === true ? (a, b) => order(b, a) : order);
  const picked = new Picked(query, limit, limits.maxRangeBytes);
  for (const record of found) picked.add(record);
  const { records, more } = picked;
  return { kind: "range", records, count: found.length, more, revision };
}

function orderBy(field: SortBy): (a: KvRecord, b: KvRecord) => number {
  if (field === "key") return (a, b) => (a.key < b.key ? -1 : 1);
  if (field === "value") return (a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);
  return (a, b) => a[field] - b[field];
}

function matches(query: RangeQuery, record: KvRecord): boolean {
  const { minCreateRevision, maxCreateRevision, minModRevision, maxModRevision } = query;
  return (
    (minCreateRevision === undefined || record.createRevision >= minCreateRevision) &&
    (maxCreateRevision === undefined || record.createRevision <= maxCreateRevision) &&
    (minModRevision === undefined || record.modRevision >= minModRevision) &&
    (maxModRevision === undefined || record.modRevision <= maxModRevision)
  );
}
