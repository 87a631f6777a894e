/**
 * A session: one lease, granted when it is first needed. A client's default session gets a new
 * lease when one is lost; a session that was asked for is over then.
 */
import { LIMITS } from "holdfast-protocol";
import { checkOptions, invalid } from "./arguments.js";
import { ElectionOf } from "./election.js";
import type { Engine } from "./engine.js";
import { type HoldfastError, LockLostError, UnavailableError } from "./errors.js";
import { Granting } from "./granting.js";
import type { Lease, LeaseTimes } from "./lease.js";
import { LockOf } from "./lock.js";
import type { Platform } from "./platform.js";
import { ScheduleOf } from "./schedule.js";
import type {
  CallOptions,
  Election,
  Lock,
  LockOptions,
  Schedule,
  ScheduleOptions,
  Session,
} from "./surface.js";

/** How long a close may take to hand on what the session holds. */
export const CLOSE_WITHIN_MS = 2000;

const LOCK_OPTIONS = new Set(["mode", "actor"]);

export class SessionOf implements Session {
  readonly #engine: Engine;
  readonly #times: LeaseTimes;
  /** A lost lease is followed by a new one. */
  readonly #renews: boolean;
  #lease: Lease | null = null;
  /** With those that were lost and still have somebody in line. */
  readonly #leases = new Set<Lease>();
  #granting: Granting | null = null;
  #controller: AbortController | null = null;
  #lost: LockLostError | null = null;
  #closed = false;
  #closing: Promise<void> | null = null;

  constructor(engine: Engine, times: LeaseTimes, renews: boolean) {
    this.#engine = engine;
    this.#times = times;
    this.#renews = renews;
  }

  lock(name: string | readonly string[], options: LockOptions = {}): Lock {
    checkOptions(options, LOCK_OPTIONS);
    const { mode, actor } = options;
    return new LockOf(this.#engine, this, name, {
      ...(mode === undefined ? {} : { mode }),
      ...(actor === undefined ? {} : { actor }),
    });
  }

  semaphore(name: string, options: { readonly permits: number }): Lock {
    const permits: unknown = options?.permits;
    if (!(Number.isInteger(permits) && Number(permits) > 0 && Number(permits) <= LIMITS.permitsMax))
      throw invalid("permits", `an integer from 1 to ${LIMITS.permitsMax}`);
    return new LockOf(this.#engine, this, name, { permits });
  }

  schedule(job: string, options: ScheduleOptions = {}): Schedule {
    return new ScheduleOf(this.#engine, this, job, options);
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

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    const { platform } = this.#engine;
    const abandoned = this.#granting?.abandon(this.#closedError());
    const revoked = this.#revokeAll();
    if (this.#lost === null) this.#lose(neverMore());
    if (abandoned !== undefined) await within(platform, CLOSE_WITHIN_MS, abandoned);
    await revoked;
  }

  async #revokeAll(): Promise<void> {
    const { keeper } = this.#engine;
    const leases = [...this.#leases].filter(lease => !lease.hasEnded);
    await Promise.all(
      leases.map(lease =>
        keeper.revoke(lease, "the session was closed", CLOSE_WITHIN_MS, this.#closedError()),
      ),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  isOf(engine: Engine): boolean {
    return engine === this.#engine;
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

  /**
   * As {@link lease}. A thread that was granted something on a lease after its session was lost
   * goes on with that lease: on another one it would be another thread to the cluster, which would
   * not see a circle through it.
   */
  leaseFor(actor: string): Lease | null {
    const { lease } = this;
    if (actor === "") return lease;
    for (const old of this.#leases)
      if (old !== lease && old.carries(actor) && old.isProven) return old;
    return lease;
  }

  /**
   * The lease, granted first if need be, within the options' time limit. Callers share the
   * request; each has its own limit and signal.
   */
  obtain(options?: CallOptions): Promise<Lease> {
    const lease = this.lease;
    if (lease !== null) return Promise.resolve(lease);
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    this.#granting ??= new Granting(this.#engine, this.#times, {
      onLease: lease => this.#adopt(lease),
      onOver: () => {
        this.#granting = null;
      },
    });
    return this.#granting.wait(options?.timeoutMs ?? this.#engine.timeoutMs, signal);
  }

  #refusal(): HoldfastError | null {
    if (this.#closed) return this.#closedError();
    return this.#renews ? null : this.#lost;
  }

  #closedError(): UnavailableError {
    return closedError(this.#renews ? "client" : "session");
  }

  #adopt(lease: Lease): void {
    for (const old of this.#leases) if (old.hasEnded) this.#leases.delete(old);
    this.#leases.add(lease);
    this.#lease = lease;
    if (this.#lost !== null) {
      this.#lost = null;
      this.#controller = null;
    }
    lease.onLost = error => this.#onLost(lease, error);
    // Last: it looks at the clocks.
    this.#engine.keeper.add(lease);
  }

  #onLost(lease: Lease, error: LockLostError): void {
    lease.isOrphan = true;
    if (this.#lease === lease) this.#lease = null;
    this.#lose(error);
  }

  #lose(error: LockLostError): void {
    this.#lost = error;
    this.#controller?.abort(error);
  }
}

/** Of a session that is closed and has no lease. */
function neverMore(): LockLostError {
  const cause = "the session was closed";
  return new LockLostError("revoked", { message: cause, details: { cause } });
}

/** Until `promise` has resolved, or so much time has passed. */
function within(platform: Platform, ms: number, promise: Promise<void>): Promise<void> {
  return new Promise(resolve => {
    const cancel = platform.after(ms, resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
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
