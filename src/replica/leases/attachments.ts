/**
 * Which connections want to hear of which leases, and when this node last knew a lease to be given
 * its full time. Pushes the losses: ends of grants and leases that the connection did not bring
 * about itself.
 */
import type { PushedEvent } from "holdfast-protocol";
import { LIMITS } from "../../base/limits.js";
import type { EndReason, EntryEnd, LeaseView, StateMachine } from "../../state/index.js";
import { endReason } from "../views.js";

type Loss = Omit<EntryEnd, "revision">;

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
  /** The grant that the command being applied has released. */
  #released: { readonly end: EntryEnd; readonly attachment: Attachment } | null = null;
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

  /**
   * What is released ends first, and then what hung on a lease that ended with it. That one waits
   * until the command is answered, when it is known whose it was.
   */
  grantEnded(end: EntryEnd): void {
    const attachment = this.#byLease.get(end.lease);
    if (attachment === undefined) return;
    if (end.reason === "released" && this.#released === null) this.#released = { end, attachment };
    else this.#tell(attachment, end, null);
  }

  get hasReleased(): boolean {
    return this.#released !== null;
  }

  /** Tells of the release in the command that is being answered, but not who released. */
  releasedBy(releaser: Listener | null): void {
    const released = this.#released;
    this.#released = null;
    if (released !== null) this.#tell(released.attachment, released.end, releaser);
  }

  leaseEnded(lease: LeaseView, reason: EndReason): void {
    this.#end(lease.id, reason, lease.belongsTo !== "" && reason === "released");
  }

  /**
   * The state was replaced: tells of grants and leases that were in the one before, and are not in
   * this one. Their ends were skipped, so nothing else will ever tell. A lease that neither knows
   * may have been granted since: a client that came from another node names it before this one has
   * heard of it, and the answer to its hello waits until it has.
   */
  restored(before: StateMachine, machine: StateMachine): void {
    for (const lease of [...this.#byLease.keys()].sort()) {
      if (before.lease(lease) === undefined) continue;
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
      if (standing.held) continue;
      this.#tell(attachment, { ...was.grant, reason: reasonOf(standing.reason) }, null);
    }
  }

  #tell(attachment: Attachment, loss: Loss, releaser: Listener | null): void {
    const { lease, key, name, token } = loss;
    const reason = endReason(loss.reason);
    for (const listener of attachment.listeners) {
      if (listener === releaser) continue;
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
