/**
 * What apply tells, handed to whom it concerns: answers to the proposals of this process, ends and
 * grants to leases' clocks, connections and places, changes to followers. Runs in the midst of an
 * entry, so nothing here answers the outside: the outbox does that at the turn's end.
 */
import type {
  Change,
  CommandResult,
  EndReason,
  EntryEnd,
  Grant,
  LeaseView,
  MachineOutput,
  Move,
  YieldAsk,
} from "../state/index.js";
import type { Core } from "./core.js";
import type { LeaseClock } from "./leases/lease-clock.js";

export class Applier implements MachineOutput {
  readonly #core: Core;
  readonly #leaseClock: LeaseClock;

  constructor(core: Core, leaseClock: LeaseClock) {
    this.#core = core;
    this.#leaseClock = leaseClock;
  }

  answer(originBoot: number, originNumber: number, result: CommandResult): void {
    const { boot, proposals, attachments } = this.#core.parts;
    const isOurs = originBoot === boot;
    if (attachments.hasReleased) {
      attachments.releasedBy(isOurs ? proposals.connectionOf(originNumber) : null);
    }
    if (isOurs) proposals.applied(originNumber, result);
    this.#core.justGranted = "";
  }

  wrote(change: Change): void {
    this.#core.watches.wrote(change);
  }

  leaseGranted(lease: LeaseView): void {
    this.#core.justGranted = lease.id;
    this.#leaseClock.granted(lease);
  }

  leaseEnded(lease: LeaseView, reason: EndReason): void {
    this.#leaseClock.ended(lease.id);
    this.#core.parts.attachments.leaseEnded(lease, reason);
  }

  granted(grant: Grant): void {
    this.#core.justGranted = grant.lease;
    const lease = this.#core.machine.lease(grant.lease);
    // A private lease has its full time from the grant on.
    if (lease?.belongsTo === grant.key) this.#leaseClock.granted(lease);
    this.#core.places.entryGranted(grant);
    if (grant.parts !== undefined) this.#core.watches.granted(grant.key);
    this.#core.tallies.granted(grant);
  }

  grantEnded(end: EntryEnd): void {
    this.#core.parts.attachments.grantEnded(end);
    this.#core.endings.ended(end.key, end.reason);
    this.#core.tallies.ended(end);
  }

  waitEnded(end: EntryEnd): void {
    this.#core.places.entryEnded(end);
  }

  yieldAsked(ask: YieldAsk): void {
    this.#core.parts.attachments.yieldAsked(ask);
  }

  moved(move: Move): void {
    this.#core.places.moved(move);
  }
}
