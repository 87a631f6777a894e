/**
 * Standing in line, for locks and elections alike: the request, what a grant becomes, what happens
 * to one that nobody wants any more, and the way back into the line when the lease was lost.
 */
import type { OperationName } from "holdfast-protocol";
import { type Answer, Call } from "./call.js";
import { type Engine, invalid } from "./engine.js";
import { errorFrom, HoldfastError, lossReason } from "./errors.js";
import { outcomeUnknown } from "./failures.js";
import type { HeldGrant } from "./held.js";
import { holdersOf } from "./holders.js";
import type { Lease } from "./lease.js";
import type { Cancel } from "./platform.js";
import type { SessionOf } from "./session.js";
import type { WaitOptions } from "./surface.js";

const LONGEST_WAIT_MS = 2_147_483_647;
const FOR_EVER = -1;

export type MakeHeld<H> = new (engine: Engine, lease: Lease, granted: Answer) => H;

export class Standing<H extends HeldGrant> {
  readonly #engine: Engine;
  readonly #session: SessionOf;
  readonly #op: OperationName;
  readonly #release: OperationName;
  readonly #make: MakeHeld<H>;

  constructor(
    engine: Engine,
    session: SessionOf,
    op: "lock.acquire" | "election.campaign",
    make: MakeHeld<H>,
  ) {
    this.#engine = engine;
    this.#session = session;
    this.#op = op;
    this.#release = op === "lock.acquire" ? "lock.release" : "election.resign";
    this.#make = make;
  }

  /** `base` is what the operation needs beside the lease and the wait. */
  stand(base: Readonly<Record<string, unknown>>, options: WaitOptions | undefined): Promise<H> {
    const waitMs = options?.waitMs ?? FOR_EVER;
    const isWait = waitMs === FOR_EVER || (waitMs >= 0 && waitMs <= LONGEST_WAIT_MS);
    if (!isWait)
      return Promise.reject(invalid("waitMs", `from 0 to ${LONGEST_WAIT_MS}, or absent`));
    const { lease } = this.#session;
    if (lease !== null) return this.#enter(lease, base, Math.ceil(waitMs), options);
    return this.#session
      .obtain(options)
      .then(granted => this.#enter(granted, base, Math.ceil(waitMs), options));
  }

  #enter(
    lease: Lease,
    base: Readonly<Record<string, unknown>>,
    waitMs: number,
    options: WaitOptions | undefined,
  ): Promise<H> {
    const onWaiting = options?.onWaiting;
    const params: Record<string, unknown> = { lease: lease.id, waitMs };
    for (const field in base) params[field] = base[field];
    if (onWaiting !== undefined) params.position = true;
    const call = new Call(this.#op, params, this.#granted);
    call.waits = waitMs !== 0;
    call.undo = this.#undo;
    call.recover = this.#recover;
    this.#hang(call, lease);
    if (onWaiting !== undefined)
      call.onPosition = ({ position: place, holders }) =>
        onWaiting({ position: Number(place), holders: holdersOf(holders) });
    if (waitMs === FOR_EVER)
      return this.#engine.requests.run(
        call,
        Number.POSITIVE_INFINITY,
        options?.signal,
      ) as Promise<H>;
    const timeoutMs = waitMs + (options?.timeoutMs ?? this.#engine.timeoutMs);
    return this.#engine.run(call, { ...options, timeoutMs }) as Promise<H>;
  }

  #hang(call: Call, lease: Lease): void {
    call.lease = lease.id;
    lease.waits += 1;
    call.onDone = () => this.#unhang(lease);
  }

  #unhang(lease: Lease): void {
    lease.waits -= 1;
    // Not before what the answer became hangs on the lease.
    if (lease.isOrphan) this.#engine.platform.schedule(() => this.#engine.keeper.tidy(lease));
  }

  readonly #granted = (ok: Answer, call: Call): H | Promise<H> => {
    const { keeper } = this.#engine;
    const lease = keeper.find(call.lease);
    if (typeof ok.key !== "string" || typeof ok.token !== "number") throw strangeAnswer(this.#op);
    if (lease === undefined) throw leaseGone(call.lease);
    const { isProven } = lease;
    const held = new this.#make(this.#engine, lease, ok);
    return isProven ? held : this.#onceProven(held, lease, call);
  };

  /**
   * Granted while the lease could not be proven: only a fresh proof makes it worth having, and the
   * caller's patience may end before. It hangs on the lease meanwhile, so that its own loss is not
   * missed.
   */
  #onceProven(held: H, lease: Lease, call: Call): Promise<H> {
    const { signal } = call;
    lease.waits += 1;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (isWorthHaving: boolean, reason: unknown): void => {
        if (isOver) return;
        isOver = true;
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        this.#unhang(lease);
        if (isWorthHaving) {
          resolve(held);
          return;
        }
        held.abandon();
        reject(reason);
      };
      const onAbort = (): void => settle(false, signal?.reason);
      const cancelTimer = this.#atDeadline(call, () => settle(false, notProven(call)));
      signal?.addEventListener("abort", onAbort);
      if (signal?.aborted === true) onAbort();
      lease.whenProven(ended => {
        const error = ended ?? held.loss;
        settle(error === null, error);
      });
    });
  }

  #atDeadline(call: Call, callback: () => void): Cancel {
    const { platform } = this.#engine;
    const leftMs = call.deadlineMs - platform.monotonicMs();
    if (leftMs === Number.POSITIVE_INFINITY) return () => {};
    return platform.after(Math.min(Math.max(Math.ceil(leftMs), 0), LONGEST_WAIT_MS), callback);
  }

  /** Granted, but the caller has gone: it passes on at once. */
  readonly #undo = (ok: Answer): void => {
    if (ok.key === undefined) return;
    const call = new Call(this.#release, { key: ok.key }, () => {});
    call.urgent = true;
    call.persists = true;
    call.lease = typeof ok.lease === "string" ? ok.lease : "";
    this.#engine.requests.run(call, this.#engine.timeoutMs, undefined).catch(() => {});
  };

  /** The lease has ended, and the place with it. A default session stands in line anew. */
  readonly #recover = (error: HoldfastError, call: Call): boolean => {
    if (error.code !== "LEASE_ENDED" && error.code !== "NO_SUCH_LEASE") return false;
    const { keeper, requests } = this.#engine;
    const lease = keeper.find(call.lease);
    const reason = error.details.reason;
    if (lease !== undefined) keeper.end(lease, reason, `the cluster says: ${String(reason)}`);
    if (!this.#session.renews) return false;
    this.#session.obtain().then(
      fresh => {
        if (call.settled) return;
        this.#hang(call, fresh);
        requests.again(call, { ...call.params, lease: fresh.id });
      },
      failure => requests.fail(call, failure),
    );
    return true;
  };
}

function leaseGone(lease: string): HoldfastError {
  return errorFrom({
    code: "LEASE_ENDED",
    message: `the lease ${lease} ended as the grant came`,
    retryable: false,
    outcome: "not-applied",
    details: { lease, reason: lossReason("revoked") },
  });
}

function notProven(call: Call): HoldfastError {
  return outcomeUnknown(
    call,
    "granted, but its lease could not be proven in time: it is given back",
  );
}

function strangeAnswer(op: OperationName): HoldfastError {
  return new HoldfastError({ code: "INTERNAL", message: `${op}: an answer that is no grant` });
}
