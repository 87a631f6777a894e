/**
 * Which connections want to hear of which leases, and when this node last knew a lease to be given
 * its full time. Pushes the losses: ends of grants and leases that their owner did not bring about
 * itself.
 */
import type { PushedEvent } from "holdfast-protocol";
import { LIMITS } from "../../base/limits.js";
import type { EndReason, EntryEnd, Grant, LeaseView, StateMachine } from "../../state/index.js";
import { endReason } from "../views.js";

type GrantNames = Pick<Grant, "lease" | "key" | "name" | "token">;

/** Of a grant that held: the state knows no more of it, or how it ended. */
const reasonOf = (reason: EndReason | "waiting" | "never"): EndReason =>
  reason === "waiting" || reason === "never" ? "forgotten" : reason;

/** Who can be told; a connection of ours. */
export interface Listener {
  push(event: PushedEvent): void;
  /** The lease has ended: it counts among those that are attached no more. */
  forget(lease: string): void;
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
    if (attachment !== undefined) this.#tell(attachment, end, end.reason);
  }

  leaseEnded(lease: LeaseView, reason: EndReason): void {
    this.#end(lease.id, reason, lease.belongsTo !== "" && reason === "released");
  }

  /**
   * The state was replaced: tells of grants and leases that were in the one before, and are not in
   * this one. Their ends were skipped, so nothing else will ever tell.
   */
  restored(before: StateMachine, machine: StateMachine): void {
    for (const lease of [...this.#byLease.keys()].sort()) {
      this.#tellSkipped(lease, before, machine);
      if (machine.lease(lease) !== undefined) continue;
      this.#end(lease, machine.endedLease(lease) ?? "forgotten", false);
    }
  }

  #tellSkipped(lease: string, before: StateMachine, machine: StateMachine): void {
    const attachment = this.#byLease.get(lease);
    if (attachment === undefined) return;
    for (const key of before.leaseKeys(lease, LIMITS.maxKeysPerLease)) {
      const was = before.entry(key);
      if (was.kind !== "granted") continue;
      // By its token: the key of an entry that is named by its lease may stand for a later one.
      const { name, token } = was.grant;
      const standing = machine.check({ name, token });
      if (!standing.held) this.#tell(attachment, was.grant, reasonOf(standing.reason));
    }
  }

  #tell(attachment: Attachment, grant: GrantNames, ended: EndReason): void {
    const { lease, key, name, token } = grant;
    const reason = endReason(ended);
    for (const listener of attachment.listeners) {
      this.lost++;
      listener.push({ event: "lost", lease, key, name, token, reason });
    }
  }

  #end(lease: string, ended: EndReason, silent: boolean): void {
    const attachment = this.#byLease.get(lease);
    if (attachment === undefined) return;
    this.#byLease.delete(lease);
    const reason = endReason(ended);
    for (const listener of attachment.listeners) {
      listener.forget(lease);
      if (!silent) listener.push({ event: "leaseEnded", lease, reason });
    }
  }
}
