/** Reads of one key and of ranges, in the present, the past, or within a transaction. */
import type { OrderedMap } from "../../base/ordered-map.js";
import type { RangeQuery, SortBy } from "../command/command.js";
import { type RangeResult, type RecordView, type Refusal, refuse } from "../command/result.js";
import type { StateLimits } from "../limits.js";
import type { World } from "../world.js";
import { type KvRecord, viewOf } from "./record.js";
import { type Bounds, boundsOf, type Layer, layerOfPast, scan } from "./scan.js";

/** More than this many records are not sorted by anything but their key. */
const MAX_SORTED = 100_000;
const RECORD_BYTES = 48;

export function readRange(world: World, query: RangeQuery): RangeResult | Refusal {
  const layer = pastLayer(world, query.revision);
  if (layer !== null && "kind" in layer) return layer;
  return rangeOver(world.kv, layer, query, world.revision, world.limits);
}

/** The layer for a read at `revision` (undefined: the present needs none), or why there is none. */
export function pastLayer(world: World, revision: number | undefined): Layer | Refusal | null {
  if (revision === undefined || revision === world.revision) return null;
  if (revision > world.revision) return refuse("REVISION_IN_FUTURE", { revision: world.revision });
  const { oldestRevision } = world.history;
  if (revision < oldestRevision - 1) {
    return refuse("HISTORY_GONE", { oldestRevision, revision: world.revision });
  }
  return layerOfPast(world, revision);
}

export function rangeOver(
  live: OrderedMap<KvRecord>,
  layer: Layer | null,
  query: RangeQuery,
  revision: number,
  limits: StateLimits,
): RangeResult | Refusal {
  const limit = Math.min(query.limit ?? limits.maxRangeItems, limits.maxRangeItems);
  if (query.sortBy !== undefined && query.sortBy !== "key") {
    return sortedRange(live, layer, query, limit, revision, limits);
  }
  const picked = new Picked(query, limit, limits.maxRangeBytes);
  const bounds = boundsOf(query.span);
  const descending = query.descending === true;
  const { after } = query;
  let count = 0;
  scan(live, layer, bounds, descending, record => {
    if (!matches(query, record)) return true;
    count++;
    if (query.countOnly === true) return true;
    if (after === undefined || (descending ? record.key < after : record.key > after)) {
      picked.add(record);
    }
    return true;
  });
  return { kind: "range", records: picked.records, count, more: picked.more, revision };
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

  add(record: KvRecord): void {
    if (this.more || this.records.length >= this.#limit) {
      this.more = true;
      return;
    }
    const value = this.#keysOnly ? 0 : record.value.length;
    const bytes = RECORD_BYTES + record.key.length + value;
    if (bytes > this.#bytesLeft && this.records.length > 0) {
      this.more = true;
      return;
    }
    this.#bytesLeft -= bytes;
    this.records.push(viewOf(record, this.#keysOnly));
  }
}

function sortedRange(
  live: OrderedMap<KvRecord>,
  layer: Layer | null,
  query: RangeQuery,
  limit: number,
  revision: number,
  limits: StateLimits,
): RangeResult | Refusal {
  const found: KvRecord[] = [];
  const bounds: Bounds = boundsOf(query.span);
  scan(live, layer, bounds, false, record => {
    if (matches(query, record)) found.push(record);
    return found.length <= MAX_SORTED;
  });
  if (found.length > MAX_SORTED) return refuse("RESULT_TOO_LARGE", { limit: MAX_SORTED });
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
