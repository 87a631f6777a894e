/**
 * The clocks of all leases, in the memory of the serving leader and nowhere else. Keeps time of its
 * own: a gap between two looks counts at most one heartbeat interval, so that a leader that was
 * stopped does not end the world's leases when it wakes. Proposes ends; the log decides them.
 */
import { assert } from "../../base/assert.js";
import { DeadlineHeap } from "../../base/deadline-heap.js";
import type { Term } from "../../base/ids.js";
import type { LeaseView } from "../../state/index.js";
import type { ReplicaLimits } from "../limits.js";
import type { NodeTime } from "../time.js";

class LeaseTimer implements Heard {
  readonly ttlMs: number;
  /** In the lease clock's time; the heap may hold an earlier one. */
  deadlineMs: number;
  /** Its end was proposed in this term: what became of it is not known yet. */
  expiring = false;
  /** Keep-alives that arrived in time and wait for the leadership to be confirmed. */
  heard = 0;

  constructor(ttlMs: number, deadlineMs: number) {
    this.ttlMs = ttlMs;
    this.deadlineMs = deadlineMs;
  }
}

/** Of whom a keep-alive was heard: this lease since it last was granted, and no later of its id. */
export interface Heard {
  heard: number;
}

/** Proposes to end these leases, in that term only; `told` comes once. */
export type ProposeExpiry = (
  leases: readonly string[],
  term: Term,
  told: (fate: "applied" | "not-applied" | "unknown") => void,
) => void;

export class LeaseClock {
  readonly #time: NodeTime;
  readonly #limits: ReplicaLimits;
  readonly #propose: ProposeExpiry;
  readonly #timers = new Map<string, LeaseTimer>();
  readonly #heap = new DeadlineHeap<string>();
  /** Not null while this node serves. */
  #term: Term | null = null;
  #nowMs = 0;
  #lookedAtMs = 0;
  expiriesProposed = 0;

  constructor(time: NodeTime, limits: ReplicaLimits, propose: ProposeExpiry) {
    this.#time = time;
    this.#limits = limits;
    this.#propose = propose;
  }

  /** This clock's time when it was last looked at: a stall of this node moves it little. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** This node serves: every lease has its full time from here on. */
  begin(term: Term, each: (visit: (lease: LeaseView) => void) => void): void {
    this.end();
    this.#term = term;
    this.#lookedAtMs = this.#time.nowMs();
    each(lease => this.granted(lease));
  }

  end(): void {
    this.#term = null;
    this.#timers.clear();
    this.#heap.clear();
  }

  granted(lease: LeaseView): void {
    if (this.#term === null) return;
    this.#look();
    const timer = new LeaseTimer(lease.ttlMs, this.#nowMs + lease.ttlMs);
    this.#timers.set(lease.id, timer);
    this.#heap.set(lease.id, timer.deadlineMs);
  }

  ended(id: string): void {
    if (this.#timers.delete(id)) this.#heap.delete(id);
  }

  /**
   * Gives it its full time: its ttl; undefined when there is no such lease, or its end is proposed.
   */
  extend(id: string): number | undefined {
    const timer = this.#timers.get(id);
    if (timer === undefined || timer.expiring) return undefined;
    this.#look();
    timer.deadlineMs = this.#nowMs + timer.ttlMs;
    return timer.ttlMs;
  }

  isExpiring(id: string): boolean {
    return this.#timers.get(id)?.expiring === true;
  }

  /** What is left; undefined when there is no such lease. */
  remainingMs(id: string): number | undefined {
    const timer = this.#timers.get(id);
    if (timer === undefined) return undefined;
    this.#look();
    return timer.expiring ? 0 : Math.max(0, timer.deadlineMs - this.#nowMs);
  }

  /** Keep-alives have come: until `unhear` of what this gives, those leases are not ended. */
  hear(ids: readonly string[]): readonly Heard[] {
    const heard: Heard[] = [];
    for (const id of ids) {
      const timer = this.#timers.get(id);
      if (timer === undefined) continue;
      timer.heard++;
      heard.push(timer);
    }
    return heard;
  }

  unhear(heard: readonly Heard[]): void {
    for (const one of heard) one.heard--;
  }

  /** Lets time pass. True when a lease may be due: then call `expireDue` once input was handled. */
  tick(): boolean {
    if (this.#term === null) return false;
    this.#look();
    return this.#heap.nextDeadline() <= this.#nowMs;
  }

  /** Proposes the end of what is due, many leases in one command. */
  expireDue(): void {
    if (this.#term === null) return;
    let due: string[] = [];
    const again: string[] = [];
    for (let id = this.#heap.popDue(this.#nowMs); id !== undefined; ) {
      const timer = this.#timers.get(id);
      assert(timer !== undefined, "every deadline belongs to a lease");
      if (timer.deadlineMs > this.#nowMs) this.#heap.set(id, timer.deadlineMs);
      else if (timer.heard > 0) again.push(id);
      else {
        timer.expiring = true;
        due.push(id);
      }
      if (due.length === this.#limits.maxLeasesPerBatch) {
        this.#expire(due);
        due = [];
      }
      id = this.#heap.popDue(this.#nowMs);
    }
    for (const id of again) this.#heap.set(id, this.#nowMs + this.#limits.tickMs);
    if (due.length > 0) this.#expire(due);
  }

  #expire(leases: readonly string[]): void {
    const term = this.#term;
    assert(term !== null, "only a serving leader proposes ends");
    this.expiriesProposed += leases.length;
    this.#propose(leases, term, fate => {
      if (this.#term !== term) return;
      for (const id of leases) this.#decided(id, fate);
    });
  }

  /**
   * An ended lease is gone from here by now. One that is still here is tried again, also where the
   * command had no room for it, unless its end may still be in the log: that comes to be while this
   * term lasts. One that was given its full time in between stands in the heap anew.
   */
  #decided(id: string, fate: "applied" | "not-applied" | "unknown"): void {
    const timer = this.#timers.get(id);
    if (timer === undefined || this.#heap.has(id) || fate === "unknown") return;
    timer.expiring = false;
    this.#heap.set(id, Math.max(timer.deadlineMs, this.#nowMs + this.#limits.tickMs));
  }

  #look(): void {
    const now = this.#time.nowMs();
    this.#nowMs += Math.min(now - this.#lookedAtMs, this.#limits.maxLeaseGapMs);
    this.#lookedAtMs = now;
  }
}
