/**
 * The places in line that calls of this node wait for, by their entry's key. A place may have
 * several calls (the same request asked again over another connection); it keeps a private lease
 * alive while it has one, and gives the wait up through the log, which alone decides whether the
 * grant came first.
 */
import { assert } from "../../base/assert.js";
import { DeadlineHeap } from "../../base/deadline-heap.js";
import {
  type CommandResult,
  type EndReason,
  type EntryEnd,
  type EntryView,
  entryKeyOf,
  type Grant,
  type Move,
  type WaitingResult,
} from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import type { Listener } from "../leases/attachments.js";
import type { LeaseWaiter } from "../leases/leader-query.js";
import type { LeaseReply } from "../leases/replies.js";
import type { Proposer } from "../proposals/proposal.js";
import { Positions } from "./positions.js";

/** A call that waits for a place. */
export interface Waiter {
  readonly waiterId: number;
  readonly wantsPosition: boolean;
  granted(grant: Grant): void;
  /** The wait was given up through the log, as this node asked. */
  withdrawn(position: number, holders: readonly EntryView[]): void;
  ended(reason: EndReason, granted: boolean): void;
  /** Whether it was given up could not be learnt. */
  withdrawalFailed(failure: Failure): void;
  /** The entry has another key from now on: one was let go before it. */
  moved(key: string): void;
  /** Its time is over, or it is to be polled. */
  due(nowMs: number): void;
  tellPosition(position: number): void;
}

const AGAIN_MS = 1_000;

class Place implements LeaseWaiter {
  readonly name: string;
  key: string;
  readonly lease: string;
  readonly ttlMs: number;
  /** The lease was made for this entry: nobody else keeps it alive. */
  readonly isPrivate: boolean;
  readonly waiters: Waiter[] = [];
  withdrawing = false;
  /** Nobody could take the grant any more: if it comes all the same, it is released. */
  abandoned = false;
  position = 0;

  constructor(result: WaitingResult, isPrivate: boolean) {
    this.name = result.name;
    this.key = result.key;
    this.lease = result.lease;
    this.ttlMs = result.ttlMs;
    this.isPrivate = isPrivate;
    this.position = result.position;
  }

  /** Nothing follows from the leader's word: the end of the entry comes through the log. */
  told(_replies: readonly LeaseReply[] | null): void {}
}

class Withdrawal implements Proposer {
  readonly #places: Places;
  readonly #place: Place;

  constructor(places: Places, place: Place) {
    this.#places = places;
    this.#place = place;
  }

  applied(result: CommandResult): void {
    this.#places.withdrawalDecided(this.#place, result);
  }

  failed(failure: Failure): void {
    this.#places.withdrawalFailed(this.#place, failure);
  }
}

/** Of a grant that nobody was given: who asked is told of no loss. */
class Return implements Proposer {
  readonly connection: Listener | null;
  readonly #done: (failure: Failure | null) => void;

  constructor(connection: Listener | null, done: (failure: Failure | null) => void) {
    this.connection = connection;
    this.#done = done;
  }

  applied(): void {
    this.#done(null);
  }

  failed(failure: Failure): void {
    this.#done(failure);
  }
}

export class Places {
  readonly #core: Core;
  readonly #byKey = new Map<string, Place>();
  readonly #waiters = new Map<number, Waiter>();
  readonly #due = new DeadlineHeap<number>();
  readonly #keepAliveDue = new DeadlineHeap<string>();
  readonly #withdrawDue = new DeadlineHeap<string>();
  /** Grants that nobody was there to take, and whose release failed. */
  readonly #releaseDue = new DeadlineHeap<string>();
  readonly #positions = new Positions<Place>();
  #nextWaiter = 1;
  #tellPositionsAtMs = 0;
  granted = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#byKey.size;
  }

  nextWaiterId(): number {
    return this.#nextWaiter++;
  }

  /** The place of that entry, known already or new, with one more call waiting for it. */
  enter(result: WaitingResult, isPrivate: boolean, waiter: Waiter, dueMs: number): void {
    let place = this.#byKey.get(result.key);
    if (place === undefined) {
      place = new Place(result, isPrivate);
      this.#byKey.set(place.key, place);
      // Asked again here after a wait elsewhere, it may not have been kept alive for a while.
      if (isPrivate) this.#keepAlive(place);
    }
    place.abandoned = false;
    place.waiters.push(waiter);
    this.#waiters.set(waiter.waiterId, waiter);
    if (waiter.wantsPosition) this.#positions.add(place);
    this.setDue(waiter, dueMs);
  }

  setDue(waiter: Waiter, dueMs: number): void {
    if (dueMs === Number.POSITIVE_INFINITY) this.#due.delete(waiter.waiterId);
    else this.#due.set(waiter.waiterId, dueMs);
  }

  /** One call waits no longer. A place without calls keeps its private lease for one more ttl. */
  leave(key: string, waiter: Waiter): void {
    const place = this.#byKey.get(key);
    this.#forget(waiter);
    if (place === undefined) return;
    this.#stepOut(place, waiter);
    if (place.waiters.length > 0 || place.withdrawing) return;
    if (place.isPrivate) this.#keepAlive(place);
    this.#remove(place);
  }

  /** Gives the place up. All calls that wait for it hear what became of it. */
  withdraw(key: string): void {
    const place = this.#byKey.get(key);
    if (place !== undefined && !place.withdrawing) this.#propose(place);
  }

  /** The waiter's connection is gone: gives the place up if no other call waits for it. */
  abandon(key: string, waiter: Waiter): void {
    const place = this.#byKey.get(key);
    this.#forget(waiter);
    if (place === undefined) return;
    this.#stepOut(place, waiter);
    if (place.waiters.length > 0) return;
    place.abandoned = true;
    if (!place.withdrawing) this.#propose(place);
  }

  /**
   * Releases a grant that nobody is there to take, or that `connection` was not given. Where nobody
   * waits for its end, it is tried until it is done: its lease may be kept alive for long.
   */
  release(
    key: string,
    connection: Listener | null = null,
    done: (failure: Failure | null) => void = failure => this.#releaseAgain(key, failure),
  ): void {
    const release = { kind: "lock.release", grant: { key } } as const;
    const refused = this.#core.propose(release, null, new Return(connection, done), true);
    if (refused !== null) done(refused);
  }

  entryGranted(grant: Grant): void {
    const place = this.#byKey.get(grant.key);
    if (place === undefined) return;
    this.granted++;
    this.#remove(place);
    if (place.abandoned && place.waiters.length === 0) this.release(place.key);
    for (const waiter of this.#dismiss(place)) waiter.granted(grant);
  }

  entryEnded(end: EntryEnd): void {
    const place = this.#byKey.get(end.key);
    if (place === undefined) return;
    // Our own withdrawal's answer follows, and knows more; so does the news of where it went.
    if (place.withdrawing && end.reason === "cancelled") return;
    if (end.reason === "moved") return;
    this.#end(place, end.reason, false);
  }

  moved({ key, newKey }: Move): void {
    const place = this.#byKey.get(key);
    if (place === undefined) return;
    const keepAliveMs = this.#keepAliveDue.deadlineOf(key);
    const withdrawMs = this.#withdrawDue.deadlineOf(key);
    this.#remove(place);
    this.#positions.remove(place);
    place.key = newKey;
    this.#byKey.set(newKey, place);
    if (keepAliveMs !== undefined) this.#keepAliveDue.set(newKey, keepAliveMs);
    if (withdrawMs !== undefined) this.#withdrawDue.set(newKey, withdrawMs);
    if (place.waiters.some(({ wantsPosition }) => wantsPosition)) this.#positions.add(place);
    for (const waiter of place.waiters) waiter.moved(newKey);
  }

  withdrawalDecided(place: Place, result: CommandResult): void {
    if (this.#byKey.get(place.key) !== place) return;
    if (result.kind === "cancelled") {
      this.#remove(place);
      for (const waiter of this.#dismiss(place)) waiter.withdrawn(result.position, result.holders);
    } else {
      place.withdrawing = false;
      this.#recheck(place);
    }
  }

  withdrawalFailed(place: Place, failure: Failure): void {
    if (this.#byKey.get(place.key) !== place) return;
    place.withdrawing = false;
    this.#recheck(place);
    if (this.#byKey.get(place.key) !== place) return;
    for (const waiter of this.#dismiss(place)) waiter.withdrawalFailed(failure);
    if (place.isPrivate && !place.abandoned) this.#remove(place);
    else this.#withdrawDue.set(place.key, this.#core.parts.time.nowMs() + AGAIN_MS);
  }

  /** The state was replaced: every place is compared with it. */
  restored(): void {
    for (const key of [...this.#byKey.keys()].sort()) {
      const place = this.#byKey.get(key);
      if (place !== undefined) this.#recheck(place);
    }
  }

  tick(nowMs: number): void {
    for (let id = this.#due.popDue(nowMs); id !== undefined; id = this.#due.popDue(nowMs)) {
      this.#waiters.get(id)?.due(nowMs);
    }
    this.#eachDue(this.#keepAliveDue, nowMs, place => this.#keepAlive(place));
    this.#eachDue(this.#withdrawDue, nowMs, place => {
      if (!place.withdrawing) this.#propose(place);
    });
    const overdue = (): string | undefined => this.#releaseDue.popDue(nowMs);
    for (let key = overdue(); key !== undefined; key = overdue()) this.release(key);
    if (nowMs >= this.#tellPositionsAtMs && this.#positions.lines > 0) {
      this.#tellPositionsAtMs = nowMs + this.#core.parts.limits.positionEventMs;
      this.#tellPositions();
    }
  }

  #eachDue(heap: DeadlineHeap<string>, nowMs: number, visit: (place: Place) => void): void {
    for (let key = heap.popDue(nowMs); key !== undefined; key = heap.popDue(nowMs)) {
      const place = this.#byKey.get(key);
      if (place !== undefined) visit(place);
    }
  }

  #propose(place: Place): void {
    place.withdrawing = true;
    const cancel = { kind: "lock.cancel", key: place.key } as const;
    const refused = this.#core.propose(cancel, null, new Withdrawal(this, place), true);
    if (refused !== null) this.withdrawalFailed(place, refused);
  }

  #releaseAgain(key: string, failure: Failure | null): void {
    if (failure !== null) this.#releaseDue.set(key, this.#core.parts.time.nowMs() + AGAIN_MS);
  }

  #keepAlive(place: Place): void {
    this.#core.parts.keepAlives.ask([place.lease], place);
    const nowMs = this.#core.parts.time.nowMs();
    this.#keepAliveDue.set(place.key, nowMs + Math.floor(place.ttlMs / 3));
  }

  #tellPositions(): void {
    const { machine, parts } = this.#core;
    this.#positions.eachNear(
      key => machine.position(key),
      parts.limits.maxPositionEvents,
      (place, position) => {
        for (const waiter of place.waiters) {
          if (waiter.wantsPosition) waiter.tellPosition(position);
        }
      },
    );
  }

  #recheck(place: Place): void {
    const truth = this.#core.machine.entry(place.key);
    if (truth.kind !== "entryEnded") this.#follow(place, entryKeyOf(truth));
    if (truth.kind === "granted") this.entryGranted(truth.grant);
    else if (truth.kind === "entryEnded") this.#end(place, truth.reason, truth.granted);
  }

  /** A snapshot may have jumped over the news that it entered anew. */
  #follow(place: Place, newKey: string): void {
    const { key, name, lease } = place;
    if (newKey !== key) this.moved({ name, key, newKey, newToken: 0, lease });
  }

  #end(place: Place, reason: EndReason, granted: boolean): void {
    this.#remove(place);
    for (const waiter of this.#dismiss(place)) waiter.ended(reason, granted);
  }

  #remove(place: Place): void {
    assert(this.#byKey.get(place.key) === place, "a place is removed once");
    this.#byKey.delete(place.key);
    this.#keepAliveDue.delete(place.key);
    this.#withdrawDue.delete(place.key);
  }

  #dismiss(place: Place): readonly Waiter[] {
    const waiters = place.waiters.splice(0);
    for (const waiter of waiters) this.#forget(waiter);
    this.#positions.remove(place);
    return waiters;
  }

  #stepOut(place: Place, waiter: Waiter): void {
    const at = place.waiters.indexOf(waiter);
    if (at >= 0) place.waiters.splice(at, 1);
    if (!place.waiters.some(({ wantsPosition }) => wantsPosition)) this.#positions.remove(place);
  }

  #forget(waiter: Waiter): void {
    this.#waiters.delete(waiter.waiterId);
    this.#due.delete(waiter.waiterId);
  }
}
