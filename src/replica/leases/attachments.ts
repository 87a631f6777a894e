/**
 * Which connections want to hear of which leases, and when this node last knew a lease to be given
 * its full time. Pushes the losses: ends of grants and leases that the connection did not bring
 * about itself.
 */
import type { PushedEvent } from "holdfast-protocol";
import { LIMITS } from "../../base/limits.js";
import type {
  Blame,
  EndReason,
  EntryEnd,
  LeaseView,
  StateMachine,
  YieldAsk,
} from "../../state/index.js";
import { endReason } from "../views.js";

type Loss = Omit<EntryEnd, "revision" | "heldMs">;

/** Of a grant that held: the state knows no more of it, or how it ended. */
const reasonOf = (reason: EndReason | "waiting" | "never" | "ambiguous"): EndReason =>
  reason === "waiting" || reason === "never" || reason === "ambiguous" ? "forgotten" : reason;

const saidOf = ({ by, why }: Blame) => ({
  ...(by === "" ? {} : { by }),
  ...(why === "" ? {} : { why }),
});

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

  yieldAsked({ lease, key, name, graceMs, by, why }: YieldAsk): void {
    const attachment = this.#byLease.get(lease);
    if (attachment === undefined) return;
    for (const listener of attachment.listeners)
      listener.push({ event: "yield", lease, key, name, graceMs, ...saidOf({ by, why }) });
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
      // The key of an entry that is named by its lease may stand for a later one, of another token.
      const { token } = was.grant;
      const standing = machine.check({ key });
      if (standing.held && standing.entry.token === token) continue;
      if (standing.held) {
        this.#tell(attachment, { ...was.grant, reason: "forgotten" }, null);
        continue;
      }
      const blame = standing.blame === undefined ? {} : { blame: standing.blame };
      this.#tell(attachment, { ...was.grant, reason: reasonOf(standing.reason), ...blame }, null);
    }
  }

  #tell(attachment: Attachment, loss: Loss, releaser: Listener | null): void {
    const { lease, key, name, token, blame } = loss;
    const reason = endReason(loss.reason);
    const lost = { event: "lost", lease, key, name, token, reason } as const;
    const told = blame === undefined ? lost : { ...lost, ...saidOf(blame) };
    for (const listener of attachment.listeners) {
      if (listener === releaser) continue;
      this.lost++;
      listener.push(told);
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
