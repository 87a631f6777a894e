/**
 * A write of several keys, planned in full before anything changes: later steps see earlier ones
 * through a layer, and a step that must be refused leaves nothing behind. Each key changes at most
 * once, so that (revision, key) names one change.
 */
import type { KeySpan, RangeQuery } from "../command/command.js";
import {
  type AppendResult,
  type DeleteResult,
  type PutResult,
  type RangeResult,
  type RecordView,
  type Refusal,
  refuse,
} from "../command/result.js";
import type { World } from "../world.js";
import {
  checkForeign,
  checkKey,
  checkLease,
  checkName,
  checkPut,
  checkRoom,
  checkValue,
} from "./check.js";
import { KeyMap } from "./key-map.js";
import { growth, nextRecord } from "./put.js";
import { rangeOver } from "./range.js";
import { type KvRecord, recordBytes, viewOf } from "./record.js";
import { boundsOf, type Layer, scan } from "./scan.js";
import { sequencedKey } from "./sequence.js";
import { putRecord, removeRecord } from "./write.js";

interface PlannedPut {
  readonly prev: KvRecord | undefined;
  readonly record: KvRecord;
}

export class Plan {
  readonly #world: World;
  readonly #revision: number;
  /** What steps see in front of the live keys; null: gone. */
  readonly #layer: Layer = new KeyMap();
  /** In order: a put, or the record to remove. */
  readonly #changes: (PlannedPut | KvRecord)[] = [];
  readonly #endingLeases = new Set<string>();
  readonly #linesEntered = new Set<string>();
  /** How many keys more than now would hang on each lease, and those that any would come to. */
  readonly #leaseGrowth = new Map<string, number>();
  readonly #leasesJoined = new Set<string>();
  #growth = 0;

  constructor(world: World) {
    this.#world = world;
    this.#revision = world.revision + 1;
  }

  /** True when committing would change a key. */
  get writes(): boolean {
    return this.#changes.length > 0;
  }

  put(key: string, value: string, lease: string, wantPrev: boolean): PutResult | Refusal {
    const world = this.#world;
    if (this.#layer.has(key)) return twice(key);
    const prev = world.kv.get(key);
    const refused =
      checkKey(world, key) ??
      checkValue(world, value) ??
      this.#checkEnding(lease) ??
      checkPut(world, prev, key, lease, this.#revision);
    if (refused !== null) return refused;
    const failed = this.#plan(prev, key, value, lease);
    if (failed !== null) return failed;
    const result: PutResult = {
      kind: "put",
      key,
      revision: this.#revision,
      created: prev === undefined,
    };
    return wantPrev && prev !== undefined ? { ...result, prev: viewOf(prev) } : result;
  }

  append(prefix: string, value: string, lease: string): AppendResult | Refusal {
    const world = this.#world;
    const key = sequencedKey(prefix, this.#revision);
    if (this.#layer.has(key)) return twice(key);
    const refused =
      checkName(world, prefix) ??
      checkValue(world, value) ??
      this.#checkEnding(lease) ??
      (lease === "" ? null : checkLease(world, lease)) ??
      checkForeign(world, key, this.#revision, lease) ??
      this.#plan(undefined, key, value, lease);
    return refused ?? { kind: "append", key, revision: this.#revision };
  }

  delete(span: KeySpan, wantPrev: boolean): DeleteResult | Refusal {
    const { maxRangeBytes } = this.#world.limits;
    const found: KvRecord[] = [];
    let bytes = 0;
    scan(this.#world.kv, this.#layer, boundsOf(span), false, record => {
      found.push(record);
      bytes += record.value.length;
      return this.#hasRoom(found.length);
    });
    if (!this.#hasRoom(found.length)) return this.#tooManyKeys();
    if (wantPrev && bytes > maxRangeBytes) {
      return refuse("RESULT_TOO_LARGE", { limitBytes: maxRangeBytes });
    }
    for (const record of found) {
      const refused = this.#remove(record);
      if (refused !== null) return refused;
    }
    const result = { kind: "delete", deleted: found.length, revision: this.#revision } as const;
    if (!wantPrev) return result;
    const prev: RecordView[] = found.map(record => viewOf(record));
    return { ...result, prev };
  }

  range(query: RangeQuery): RangeResult {
    const { kv, limits } = this.#world;
    return rangeOver(kv, this.#layer, query, this.#revision, limits);
  }

  /** How many planned keys a step over this span walks past. */
  plannedWithin(span: KeySpan): number {
    const { from, to } = boundsOf(span);
    return this.#layer.count(from, to);
  }

  /** Why the whole cannot be done, though each step could. */
  check(): Refusal | null {
    return checkRoom(this.#world, this.#growth);
  }

  /** Does it, as one write. Only after `check` said null, and only if it `writes`. */
  commit(): void {
    this.#world.beginWrite();
    for (const change of this.#changes) {
      if ("record" in change) putRecord(this.#world, change.prev, change.record);
      else removeRecord(this.#world, change, "deleted");
    }
  }

  #plan(prev: KvRecord | undefined, key: string, value: string, lease: string): Refusal | null {
    if (!this.#hasRoom(1)) return this.#tooManyKeys();
    const world = this.#world;
    const sub = this.#changes.length;
    const record = nextRecord(world, prev, key, value, lease, this.#revision, sub);
    const before = prev?.lease ?? "";
    if (record.lease !== before && record.lease !== "") {
      const more = (this.#leaseGrowth.get(lease) ?? 0) + 1;
      const limit = world.limits.maxKeysPerLease;
      if (world.leaseKeys.count(lease) + more > limit) return refuse("LEASE_FULL", { limit });
      this.#leaseGrowth.set(lease, more);
      this.#leasesJoined.add(lease);
    }
    if (record.lease !== before) this.#detach(before);
    if (prev === undefined && record.entry !== null) {
      const { name } = record.entry;
      if (this.#linesEntered.has(name)) return refuse("ONE_ENTRY_PER_LINE", { name });
      this.#linesEntered.add(name);
    }
    this.#changes.push({ prev, record });
    this.#layer.set(key, record);
    this.#growth += growth(prev, record);
    return null;
  }

  #remove(record: KvRecord): Refusal | null {
    const seen = this.#layer.get(record.key);
    if (seen === null) return null; // It went with a lease that ended in this very plan.
    if (seen !== undefined) return twice(record.key);
    if (!this.#hasRoom(1)) return this.#tooManyKeys();
    this.#changes.push(record);
    this.#hide(record);
    const { entry, lease } = record;
    let ownsLease = entry?.ownsLease === true;
    for (const key of this.#world.groupOf(record)) {
      if (key === record.key) continue;
      const part = this.#world.kv.get(key);
      if (part === undefined) continue;
      if (this.#layer.has(key)) return twice(key);
      if (!this.#hasRoom(1)) return this.#tooManyKeys();
      this.#hide(part);
      ownsLease ||= part.entry?.ownsLease === true;
    }
    return ownsLease ? this.#endLease(lease) : null;
  }

  /**
   * What hangs on the lease of a removed entry goes with it; `commit` finds those keys by itself.
   */
  #endLease(lease: string): Refusal | null {
    const world = this.#world;
    this.#endingLeases.add(lease);
    if (this.#leasesJoined.has(lease)) return twice(lease);
    for (const key of world.leaseKeys.sorted(lease)) {
      const planned = this.#layer.get(key);
      if (planned !== undefined) {
        if (planned !== null && planned.lease === lease) return twice(key);
        continue;
      }
      const record = world.kv.get(key);
      if (record === undefined) continue;
      if (!this.#hasRoom(1)) return this.#tooManyKeys();
      this.#hide(record);
    }
    return null;
  }

  /**
   * Asked as the plan grows, not of the finished plan: what is refused must not have cost more than
   * what is allowed.
   */
  #hasRoom(keys: number): boolean {
    return this.#layer.size + keys <= this.#world.limits.maxKeysPerCommand;
  }

  #tooManyKeys(): Refusal {
    return refuse("TOO_MANY_KEYS", { limit: this.#world.limits.maxKeysPerCommand });
  }

  #hide(record: KvRecord): void {
    this.#layer.set(record.key, null);
    this.#growth -= recordBytes(record);
    this.#detach(record.lease);
  }

  /** A key leaves this lease ("": none). */
  #detach(lease: string): void {
    if (lease !== "") this.#leaseGrowth.set(lease, (this.#leaseGrowth.get(lease) ?? 0) - 1);
  }

  #checkEnding(lease: string): Refusal | null {
    if (lease === "" || !this.#endingLeases.has(lease)) return null;
    return refuse("LEASE_ENDED", { lease, reason: "deleted" });
  }
}

function twice(key: string): Refusal {
  return refuse("INVALID_PARAMETER", { parameter: "txn", key });
}
