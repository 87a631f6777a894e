/**
 * A session: one lease, granted when it is first needed. A client's default session gets a new
 * lease when one is lost; a session that was asked for is over then.
 */
import type { Answer } from "./call.js";
import { Call } from "./call.js";
import { ElectionOf } from "./election.js";
import { type Engine, invalid } from "./engine.js";
import { HoldfastError, type LockLostError, UnavailableError } from "./errors.js";
import { isTtlMs } from "./incoming.js";
import { Lease, type LeaseTimes, type Sending, sendingNow } from "./lease.js";
import { LockOf } from "./lock.js";
import type { CallOptions, Election, Lock, LockOptions, Session } from "./surface.js";

/** How long a close may take to hand on what the session holds. */
export const CLOSE_WITHIN_MS = 2000;

export class SessionOf implements Session {
  readonly #engine: Engine;
  readonly #times: LeaseTimes;
  /** A lost lease is followed by a new one. */
  readonly #renews: boolean;
  #lease: Lease | null = null;
  /** With those that were lost and still have somebody in line. */
  readonly #leases = new Set<Lease>();
  #granting: Promise<Lease> | null = null;
  #grantCall: Call | null = null;
  #controller: AbortController | null = null;
  #lost: LockLostError | null = null;
  #closed = false;

  constructor(engine: Engine, times: LeaseTimes, renews: boolean) {
    this.#engine = engine;
    this.#times = times;
    this.#renews = renews;
  }

  lock(name: string, options?: LockOptions): Lock {
    return new LockOf(this.#engine, this, name, options?.actor);
  }

  election(name: string): Election {
    return new ElectionOf(this.#engine, this, name);
  }

  get signal(): AbortSignal {
    this.#lease?.check();
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#lost !== null) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return this.#lease?.remainingMs ?? 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { platform } = this.#engine;
    const endMs = platform.monotonicMs() + CLOSE_WITHIN_MS;
    const revoked = this.#revokeAll(CLOSE_WITHIN_MS);
    if (this.#granting !== null) {
      await this.#grantedOrGivenUp(this.#granting, CLOSE_WITHIN_MS);
      await this.#revokeAll(Math.max(endMs - platform.monotonicMs(), 1));
    }
    await revoked;
  }

  async #revokeAll(withinMs: number): Promise<void> {
    const { keeper } = this.#engine;
    const leases = [...this.#leases].filter(lease => !lease.hasEnded);
    await Promise.all(
      leases.map(lease => keeper.revoke(lease, "the session was closed", withinMs)),
    );
  }

  /** A lease that comes later still is undone: it is given back, and is never this session's. */
  async #grantedOrGivenUp(granting: Promise<Lease>, withinMs: number): Promise<void> {
    const { platform, requests } = this.#engine;
    const cancel = platform.after(withinMs, () => {
      if (this.#grantCall !== null) requests.giveUp(this.#grantCall, this.#closedError());
    });
    await granting.catch(() => {});
    cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether waits on a lost lease may go on with a new one. */
  get renews(): boolean {
    return this.#renews && !this.#closed;
  }

  /** The lease, if it stands. */
  get lease(): Lease | null {
    const lease = this.#lease;
    return lease?.isProven === true ? lease : null;
  }

  /** The lease, granted first if need be. Callers share the request; each has its own signal. */
  obtain(options?: CallOptions): Promise<Lease> {
    const lease = this.lease;
    if (lease !== null) return Promise.resolve(lease);
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = null;
      this.#grantCall = null;
    });
    return withSignal(this.#granting, signal);
  }

  #refusal(): HoldfastError | null {
    if (this.#closed) return this.#closedError();
    return this.#renews ? null : this.#lost;
  }

  #closedError(): UnavailableError {
    return closedError(this.#renews ? "client" : "session");
  }

  async #grant(): Promise<Lease> {
    const engine = this.#engine;
    const { ttlMs } = this.#times;
    const sending = sendingNow(engine.platform);
    // The stamp is of the first sending: retries repeat it with the rest.
    const params = { ttlMs, ...engine.shown, stamp: sending.stamp };
    const call = new Call("lease.grant", params, ok => this.#granted(ok, sending));
    call.urgent = true;
    // A lease that comes when nobody waits for it any more is not left to run out. It was never
    // this session's, which may have another by now.
    call.undo = ok =>
      void engine.keeper.revoke(this.#leaseOf(ok, sending), "it came too late", ttlMs);
    this.#grantCall = call;
    return (await engine.requests.run(call, engine.timeoutMs, undefined)) as Lease;
  }

  #leaseOf(ok: Answer, sending: Sending): Lease {
    const { id, ttlMs } = grantOf(ok);
    const { marginMs } = this.#times;
    return new Lease(this.#engine.platform, id, { ttlMs, marginMs }, sending);
  }

  #granted(ok: Answer, sending: Sending): Lease {
    const lease = this.#leaseOf(ok, sending);
    lease.onLost = error => this.#onLost(lease, error);
    this.#engine.keeper.add(lease);
    for (const old of this.#leases) if (old.hasEnded) this.#leases.delete(old);
    this.#leases.add(lease);
    this.#lease = lease;
    if (this.#lost !== null) {
      this.#lost = null;
      this.#controller = null;
    }
    return lease;
  }

  #onLost(lease: Lease, error: LockLostError): void {
    lease.isOrphan = true;
    if (this.#lease === lease) this.#lease = null;
    this.#lost = error;
    this.#controller?.abort(error);
  }
}

function grantOf(ok: Answer): { id: string; ttlMs: number } {
  const { lease, ttlMs } = ok;
  if (typeof lease === "string" && isTtlMs(ttlMs)) return { id: lease, ttlMs };
  throw new HoldfastError({ code: "INTERNAL", message: "lease.grant: an answer without a lease" });
}

export function closedError(what: "session" | "client"): UnavailableError {
  const message = `this ${what} is closed; make a new one`;
  return new UnavailableError({ code: "UNAVAILABLE", message, retryable: false });
}

/** The times of a lease, checked. */
export function leaseTimes(ttlMs: number, marginMs: number | undefined): LeaseTimes {
  if (!Number.isInteger(ttlMs) || ttlMs < 1000 || ttlMs > 86_400_000)
    throw invalid("ttlMs", "an integer from 1,000 to 86,400,000");
  const margin = marginMs ?? ttlMs / 5;
  if (!(margin >= 0 && margin <= ttlMs / 2))
    throw invalid("marginMs", "a number from 0 to half of ttlMs");
  return { ttlMs, marginMs: margin };
}

function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    // First of all: a failure that comes when the caller has gone is heard by somebody.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
}
