/**
 * Leases, the keys that hang on them, and how they ended. Their clocks are not here: the leader
 * keeps those. Which keys a lease carries follows from the records, so it is an index, not state.
 */

import type { EndReason } from "../command/result.js";
import type { LeaseView } from "../output.js";
import { Trail } from "../trail.js";

export class Lease implements LeaseView {
  readonly id: string;
  readonly ttlMs: number;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly belongsTo: string;
  /**
   * The log index of the entry that gave it its full time: its own grant, or that of the lock's
   * entry which owns it. An end that was proposed before that is not meant for it.
   */
  readonly sinceIndex: number;

  constructor(
    id: string,
    ttlMs: number,
    owner: string,
    labels: Readonly<Record<string, string>>,
    belongsTo: string,
    sinceIndex: number,
  ) {
    this.sinceIndex = sinceIndex;
    this.id = id;
    this.ttlMs = ttlMs;
    this.owner = owner;
    this.labels = labels;
    this.belongsTo = belongsTo;
  }

  /** What entries on it show that say nothing of their own; null: nothing. */
  get shownLabels(): Lease["labels"] | null {
    return Object.keys(this.labels).length === 0 ? null : this.labels;
  }

  /** The same lease, with its full time from that entry on. */
  renewed(sinceIndex: number): Lease {
    const { id, ttlMs, owner, labels, belongsTo } = this;
    return new Lease(id, ttlMs, owner, labels, belongsTo, sinceIndex);
  }
}

export class EndedLease {
  readonly id: string;
  readonly reason: EndReason;
  readonly endedMs: number;

  constructor(id: string, reason: EndReason, endedMs: number) {
    this.id = id;
    this.reason = reason;
    this.endedMs = endedMs;
  }
}

/** Which keys hang on which lease. Most leases carry one: those cost no set. */
export class LeaseKeys {
  readonly #keys = new Map<string, string | Set<string>>();

  count(lease: string): number {
    const keys = this.#keys.get(lease);
    return keys === undefined ? 0 : typeof keys === "string" ? 1 : keys.size;
  }

  add(lease: string, key: string): void {
    const keys = this.#keys.get(lease);
    if (keys === undefined) this.#keys.set(lease, key);
    else if (typeof keys !== "string") keys.add(key);
    else if (keys !== key) this.#keys.set(lease, new Set([keys, key]));
  }

  delete(lease: string, key: string): void {
    const keys = this.#keys.get(lease);
    if (keys === undefined) return;
    if (typeof keys === "string") {
      if (keys === key) this.#keys.delete(lease);
    } else if (keys.delete(key) && keys.size === 0) {
      this.#keys.delete(lease);
    }
  }

  /** In order of bytes, whatever the order in which they came. */
  sorted(lease: string): string[] {
    const keys = this.#keys.get(lease);
    if (keys === undefined) return [];
    return typeof keys === "string" ? [keys] : [...keys].sort();
  }
}

/** Ended leases: as many, and for as long, as the limits say. */
export class EndedLeases {
  readonly #trail = new Trail<EndedLease>();
  readonly #byId = new Map<string, EndedLease>();

  get(id: string): EndedLease | undefined {
    return this.#byId.get(id);
  }

  push(ended: EndedLease): void {
    this.#trail.push(ended);
    this.#byId.set(ended.id, ended);
  }

  forget(beforeMs: number, keep: number): void {
    for (let e = this.#trail.first(); e !== undefined; e = this.#trail.first()) {
      if (e.endedMs > beforeMs && this.#trail.size <= keep) return;
      this.#trail.shift();
      if (this.#byId.get(e.id) === e) this.#byId.delete(e.id);
    }
  }

  walk() {
    return this.#trail.walk();
  }
}
