/**
 * Which connections want to hear of which leases, and when this node last knew a lease to be given
 * its full time. Pushes the losses: ends of grants and leases that their owner did not bring about
 * itself.
 */
import type { PushedEvent } from "holdfast-protocol";
import type { EndReason, EntryEnd, LeaseView, StateMachine } from "../../state/index.js";
import { endReason } from "../views.js";

/** Who can be told; a connection of ours. */
export interface Listener {
  push(event: PushedEvent): void;
}

class Attachment {
  readonly listeners: Listener[] = [];
  /** Own time at which the request that extended it arrived here; null: not known. */
  extendedAtMs: number | null = null;
}

export class Attachments {
  readonly #byLease = new Map<string, Attachment>();
  lost = 0;

  get size(): number {
    return this.#byLease.size;
  }

  attach(lease: string, listener: Listener): void {
    let attachment = this.#byLease.get(lease);
    if (attachment === undefined) {
      attachment = new Attachment();
      this.#byLease.set(lease, attachment);
    }
    if (!attachment.listeners.includes(listener)) attachment.listeners.push(listener);
  }

  detach(lease: string, listener: Listener): void {
    const attachment = this.#byLease.get(lease);
    const place = attachment?.listeners.indexOf(listener) ?? -1;
    if (attachment === undefined || place < 0) return;
    attachment.listeners.splice(place, 1);
    if (attachment.listeners.length === 0) this.#byLease.delete(lease);
  }

  /** The lease was given its full time by the leader, for a request that arrived here at `atMs`. */
  extended(lease: string, atMs: number): void {
    const attachment = this.#byLease.get(lease);
    if (attachment !== undefined) attachment.extendedAtMs = atMs;
  }

  /** At least so much is left of it; null when this node has not heard of it. */
  remainingMs(lease: string, ttlMs: number, nowMs: number): number | null {
    const at = this.#byLease.get(lease)?.extendedAtMs ?? null;
    return at === null ? null : Math.max(0, ttlMs - (nowMs - at));
  }

  grantEnded(end: EntryEnd): void {
    if (end.reason === "released" || end.reason === "cancelled") return;
    const attachment = this.#byLease.get(end.lease);
    if (attachment === undefined) return;
    const { lease, key, name, token } = end;
    const reason = endReason(end.reason);
    for (const listener of attachment.listeners) {
      this.lost++;
      listener.push({ event: "lost", lease, key, name, token, reason });
    }
  }

  leaseEnded(lease: LeaseView, reason: EndReason): void {
    this.#end(lease.id, reason, lease.belongsTo !== "" && reason === "released");
  }

  /** The state was replaced: tells of leases that are not in it. */
  restored(machine: StateMachine): void {
    for (const lease of [...this.#byLease.keys()].sort()) {
      if (machine.lease(lease) !== undefined) continue;
      this.#end(lease, machine.endedLease(lease) ?? "forgotten", false);
    }
  }

  #end(lease: string, ended: EndReason, silent: boolean): void {
    const attachment = this.#byLease.get(lease);
    if (attachment === undefined) return;
    this.#byLease.delete(lease);
    if (silent) return;
    const reason = endReason(ended);
    for (const listener of attachment.listeners) {
      listener.push({ event: "leaseEnded", lease, reason });
    }
  }
}
