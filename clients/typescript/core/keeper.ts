/**
 * Keeps all leases of a client alive: one keep-alive for all that are due, at a third of their
 * time; fires what their deadlines say; hears which have ended. A lease that could not be proven
 * in time is kept only for those who still stand in line on it, else it is revoked when its time
 * is over.
 */
import { LIMITS } from "holdfast-protocol";
import { type Answer, Call } from "./call.js";
import { type HoldfastError, LockLostError, lossReason } from "./errors.js";
import { blameOf, fieldsOf, isTtlMs, listOf } from "./incoming.js";
import { type Lease, sendingNow } from "./lease.js";
import type { Welcome } from "./link.js";
import type { Platform } from "./platform.js";
import type { Requests } from "./requests.js";
import { Sweep } from "./sweep.js";
import { textOf } from "./text.js";

const LONGEST_SILENCE_MS = 4000;
/** After a failed keep-alive, the next try. */
const SOON = 1 / 12;

export class LeaseKeeper {
  readonly #platform: Platform;
  readonly #requests: Requests;
  readonly #leases = new Map<string, Lease>();
  readonly #sweep: Sweep;

  constructor(platform: Platform, requests: Requests) {
    this.#platform = platform;
    this.#requests = requests;
    this.#sweep = new Sweep(platform, nowMs => this.#look(nowMs));
  }

  /** The time of the shortest lease; Infinity: there is none. */
  get shortestMs(): number {
    return Math.min(...[...this.#leases.values()].map(lease => lease.ttlMs));
  }

  get size(): number {
    return this.#leases.size;
  }

  ids(): readonly string[] {
    return [...this.#leases.keys()];
  }

  find(id: unknown): Lease | undefined {
    return typeof id === "string" ? this.#leases.get(id) : undefined;
  }

  add(lease: Lease): void {
    this.#leases.set(lease.id, lease);
    this.#plan(lease, this.#platform.monotonicMs());
  }

  /** Ends it here; what hangs on it is lost. See {@link Lease.end} for `closed`. */
  end(lease: Lease, endReason: unknown, cause: string, closed?: HoldfastError): void {
    this.#leases.delete(lease.id);
    this.#requests.forgetLease(lease.id);
    lease.end(lossReason(endReason), cause, closed);
  }

  /**
   * Ends it here and at the cluster; resolves when the cluster has answered. Never rejects.
   * `closed` is what those are told who still stand in line on it; without it there are none.
   */
  revoke(lease: Lease, cause: string, timeoutMs: number, closed?: HoldfastError): Promise<void> {
    this.end(lease, "revoked", cause, closed);
    if (closed !== undefined) this.#requests.endWaits(lease.id, closed);
    const call = new Call("lease.revoke", { lease: lease.id }, nothing);
    call.urgent = true;
    call.lease = lease.id;
    return this.#requests.run(call, timeoutMs, undefined).then(nothing, nothing);
  }

  /**
   * A wait or a grant on `lease` is over: a lease whose session is lost goes with the last of
   * them, but not before whoever lost something with it has had the margin to stop.
   */
  tidy(lease: Lease): void {
    if (!lease.isOrphan || lease.waits > 0 || !this.#leases.has(lease.id)) return;
    for (const grant of lease.grants.all()) if (!grant.isLost) return;
    const nowMs = this.#platform.monotonicMs();
    const endMs = passesOnAtMs(lease);
    if (nowMs < endMs) this.#sweep.note(endMs, nowMs);
    else void this.revoke(lease, "its session is lost", lease.ttlMs);
  }

  stop(): void {
    this.#sweep.stop();
  }

  /** A new connection: what it says of the leases, and a fresh proof for each. */
  connected(welcome: Welcome): void {
    for (const told of listOf(welcome.leases, "the welcome's leases")) this.#endedIf(told);
    this.#keepAlive([...this.#leases.values()]);
    for (const lease of this.#leases.values())
      for (const grant of lease.grants.all()) if (!grant.isLost) this.#confirm(lease, grant.keyId);
  }

  /** `lost`, `leaseEnded` and `yield`, as they are pushed. */
  onEvent(event: Answer): void {
    const lease = this.find(event.lease);
    if (lease === undefined) return;
    if (event.event === "yield") {
      lease.grants.find(textOf(event.key))?.asked(event);
      return;
    }
    const reason = event.reason;
    const cause = `the cluster says: ${String(reason)}${blameOf(event)}`;
    if (event.event === "leaseEnded") {
      this.end(lease, reason, cause);
      return;
    }
    this.#loseGrant(lease, textOf(event.key), reason, cause);
  }

  #loseGrant(lease: Lease, keyId: string, reason: unknown, cause: string): void {
    const grant = lease.grants.find(keyId);
    if (grant === undefined) return;
    const message = `the grant ${keyId} is lost (${String(reason)}): ${cause}; stop, and acquire again`;
    const details = { key: keyId, lease: lease.id, cause };
    grant.lose(new LockLostError(lossReason(reason), { message, details }));
  }

  /**
   * While there was no connection, a `lost` or a `yield` may have been pushed to nobody. It is
   * asked until this connection answers; the next one brings a question of its own.
   */
  #confirm(lease: Lease, keyId: string): void {
    const call = new Call("lock.check", { key: keyId }, ({ asked }) => {
      if (asked !== undefined) lease.grants.find(keyId)?.standsAsked(fieldsOf(asked, "asked"));
    });
    call.recover = error => {
      const { details } = error;
      const cause = `the cluster says: ${String(details.reason)}${blameOf(details)}`;
      if (error.code === "NOT_HELD" || error.code === "NO_SUCH_GRANT")
        this.#loseGrant(lease, keyId, details.reason, cause);
      return false;
    };
    call.perishable = true;
    this.#requests.run(call, Number.POSITIVE_INFINITY, undefined).catch(nothing);
  }

  #look(nowMs: number): number {
    const due: Lease[] = [];
    for (const lease of [...this.#leases.values()]) {
      lease.check();
      if (nowMs >= passesOnAtMs(lease)) this.#pastItsTime(lease);
      if (!this.#leases.has(lease.id) || !isKept(lease)) continue;
      // All that is half way there goes with the first that is due.
      if (nowMs >= lease.keptAliveAtMs + lease.ttlMs / 6) due.push(lease);
    }
    if (due.some(lease => nowMs >= dueMs(lease))) this.#keepAlive(due);
    for (const lease of this.#leases.values()) this.#plan(lease, nowMs);
    return Number.POSITIVE_INFINITY;
  }

  #plan(lease: Lease, nowMs: number): void {
    if (isKept(lease)) this.#sweep.note(dueMs(lease), nowMs);
    if (lease.isProven) this.#sweep.note(lease.deadlineMs, nowMs);
    const endMs = passesOnAtMs(lease);
    if (nowMs < endMs) this.#sweep.note(endMs, nowMs);
  }

  /**
   * Nobody can mind any more: others may have what hung on it when it was lost. That it could be
   * proven again too late gives no grant back, so those go also then.
   */
  #pastItsTime(lease: Lease): void {
    const grants = lease.grants.all();
    if (lease.waits === 0 && grants.every(grant => grant.isLost))
      void this.revoke(lease, "it could not be proven in time", lease.ttlMs);
    else for (const grant of grants) if (grant.isLost) grant.abandon();
  }

  #keepAlive(leases: readonly Lease[]): void {
    const kept = leases.filter(isKept);
    for (let start = 0; start < kept.length; start += LIMITS.leasesPerMessage)
      this.#send(kept.slice(start, start + LIMITS.leasesPerMessage));
  }

  #send(leases: readonly Lease[]): void {
    const sending = sendingNow(this.#platform);
    const shortestMs = Math.min(...leases.map(lease => lease.ttlMs));
    for (const lease of leases) {
      // A sleep since the last proof must be seen before this one hides it.
      lease.check();
      lease.keptAliveAtMs = sending.stamp;
      this.#plan(lease, sending.stamp);
    }
    const params = { leases: leases.map(lease => lease.id), stamp: sending.stamp };
    const call = new Call("lease.keepalive", params, ok => {
      for (const one of listOf(ok.leases, "leases")) this.#kept(one, sending);
    });
    call.urgent = true;
    call.perishable = true;
    call.answerWithinMs = this.#patienceMs(leases, shortestMs);
    this.#requests.run(call, shortestMs / 3, undefined).catch(() => this.#again(leases));
  }

  /**
   * Half of what the most pressing lease has left, so that after two connections that told nothing
   * there is time for a third, and a fourth.
   */
  #patienceMs(leases: readonly Lease[], shortestMs: number): number {
    const left = leases.map(lease => lease.remainingMs).filter(leftMs => leftMs > 0);
    const pressingMs = Math.max(Math.min(...left) / 2, shortestMs / 20);
    return Math.min(LONGEST_SILENCE_MS, shortestMs / 4, pressingMs);
  }

  #kept(told: Answer, sending: { stamp: number; wallAheadMs: number }): void {
    const lease = this.find(told.lease);
    if (lease === undefined || this.#endedIf(told)) return;
    const ttlMs = told.ttlMs;
    if (typeof told.remainingMs !== "number") return;
    lease.prove(sending, isTtlMs(ttlMs) ? ttlMs : lease.ttlMs);
    this.#plan(lease, this.#platform.monotonicMs());
  }

  /** The node says of a lease that it has ended. */
  #endedIf(told: Answer): boolean {
    if (told.ended === undefined) return false;
    const { reason } = fieldsOf(told.ended, "a lease's end");
    const lease = this.find(told.lease);
    if (lease !== undefined) this.end(lease, reason, `the cluster says: ${String(reason)}`);
    return true;
  }

  /** Not answered in time. With a new connection there will be a new one; on this one, try soon. */
  #again(leases: readonly Lease[]): void {
    const nowMs = this.#platform.monotonicMs();
    for (const lease of leases) {
      if (!this.#leases.has(lease.id)) continue;
      lease.keptAliveAtMs = Math.min(lease.keptAliveAtMs, nowMs - lease.ttlMs * (1 / 3 - SOON));
      this.#plan(lease, nowMs);
    }
  }
}

/** A lost session is kept alive only for those who stand in line on it. */
const isKept = (lease: Lease): boolean => lease.isProven || lease.waits > 0;
const dueMs = (lease: Lease): number => lease.keptAliveAtMs + lease.ttlMs / 3;
/** From then on others may have what was lost with it; Infinity: nothing was. */
const passesOnAtMs = (lease: Lease): number =>
  lease.isProven ? lease.lossEndMs : lease.provableEndMs;

function nothing(): void {
  // the answer is of no interest
}
