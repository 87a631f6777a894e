/**
 * Asking for the lease of a session: one request for all who need it. Each waits as long as its
 * own patience and signal let it, and the request goes on for the most patient. A lease that comes
 * past its own deadline is given back, and another one asked for. What becomes of one that comes
 * in time is the session's matter.
 */
import { type Answer, Call } from "./call.js";
import type { Engine } from "./engine.js";
import { HoldfastError } from "./errors.js";
import { noLease } from "./failures.js";
import { isTtlMs } from "./incoming.js";
import { Lease, type LeaseTimes, type Sending, sendingNow } from "./lease.js";
import { Sweep } from "./sweep.js";

interface Waiter {
  readonly deadlineMs: number;
  resolve(lease: Lease): void;
  reject(error: unknown): void;
}

export interface GrantingOwner {
  /** It came, and can be proven. */
  onLease(lease: Lease): void;
  /** Nothing more comes of this: who needs a lease from now on asks anew. */
  onOver(): void;
}

export class Granting {
  readonly #engine: Engine;
  readonly #times: LeaseTimes;
  readonly #owner: GrantingOwner;
  readonly #waiters = new Set<Waiter>();
  readonly #sweep: Sweep;
  #isOver = false;
  #call: Call;
  /** Of a lease that nobody wanted any more. */
  #givenBack: Promise<void> | null = null;

  constructor(engine: Engine, times: LeaseTimes, owner: GrantingOwner) {
    this.#engine = engine;
    this.#times = times;
    this.#owner = owner;
    this.#sweep = new Sweep(engine.platform, nowMs => this.#look(nowMs));
    this.#call = this.#ask();
  }

  /** The lease. `withinMs` may be Infinity. */
  wait(withinMs: number, signal: AbortSignal | undefined): Promise<Lease> {
    const nowMs = this.#engine.platform.monotonicMs();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#leave(waiter, signal?.reason);
      const detach = (): void => signal?.removeEventListener("abort", onAbort);
      const waiter: Waiter = {
        deadlineMs: nowMs + withinMs,
        resolve: lease => {
          detach();
          resolve(lease);
        },
        reject: error => {
          detach();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      this.#sweep.note(waiter.deadlineMs, nowMs);
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** Who waits is told `error`. Resolves when no lease can come of it that is not given back. */
  async abandon(error: HoldfastError): Promise<void> {
    const call = this.#call;
    const done = new Promise<void>(resolve => {
      call.onDone = () => resolve();
    });
    this.#end(error);
    this.#engine.requests.giveUp(call, error);
    await done;
    await this.#givenBack;
  }

  #ask(): Call {
    const { platform, requests, shown } = this.#engine;
    const sending = sendingNow(platform);
    // The stamp is of the first sending: retries repeat it with the rest.
    const params = { ttlMs: this.#times.ttlMs, ...shown, stamp: sending.stamp };
    const call = new Call("lease.grant", params, ok => this.#granted(this.#leaseOf(ok, sending)));
    call.urgent = true;
    // A lease that comes when nobody waits for it any more is not left to run out. It was never
    // the session's, which may have another by now.
    call.undo = ok => {
      this.#givenBack = this.#giveBack(this.#leaseOf(ok, sending));
    };
    requests.run(call, Number.POSITIVE_INFINITY, undefined).catch(error => this.#end(error));
    return call;
  }

  #granted(lease: Lease): void {
    if (!lease.isProven) {
      void this.#giveBack(lease);
      this.#call = this.#ask();
      return;
    }
    this.#close();
    this.#owner.onLease(lease);
    for (const waiter of this.#waiters) waiter.resolve(lease);
  }

  #giveBack(lease: Lease): Promise<void> {
    return this.#engine.keeper.revoke(lease, "it came too late", lease.ttlMs);
  }

  #leaseOf(ok: Answer, sending: Sending): Lease {
    const { lease: id, ttlMs } = ok;
    if (typeof id !== "string" || !isTtlMs(ttlMs)) throw strangeAnswer();
    const { marginMs } = this.#times;
    return new Lease(this.#engine.platform, id, { ttlMs, marginMs }, sending);
  }

  #look(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiter of [...this.#waiters]) {
      if (waiter.deadlineMs > nowMs) nextMs = Math.min(nextMs, waiter.deadlineMs);
      else this.#leave(waiter, noLease(this.#call, this.#engine.requests.linkFailure));
    }
    return nextMs;
  }

  /** `waiter` waits no more. With the last one the request is given up. */
  #leave(waiter: Waiter, why: unknown): void {
    this.#waiters.delete(waiter);
    waiter.reject(why);
    if (this.#waiters.size > 0) return;
    this.#close();
    this.#engine.requests.giveUp(this.#call, why);
  }

  #end(error: unknown): void {
    this.#close();
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sweep.stop();
    this.#owner.onOver();
  }
}

const strangeAnswer = (): HoldfastError =>
  new HoldfastError({ code: "INTERNAL", message: "lease.grant: an answer without a lease" });
