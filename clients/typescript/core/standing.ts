/**
 * Standing in line, for locks and elections alike: the request, what a grant becomes, what happens
 * to one that nobody wants any more, and the way back into the line when the lease was lost.
 */
import type { OperationName } from "holdfast-protocol";
import { callOptions, invalid, strangeOption } from "./arguments.js";
import { type Answer, Call } from "./call.js";
import { tell } from "./callbacks.js";
import type { Engine } from "./engine.js";
import { errorFrom, HoldfastError, lossReason } from "./errors.js";
import { outcomeUnknown, waitOver } from "./failures.js";
import type { HeldGrant } from "./held.js";
import { holdersOf } from "./holders.js";
import type { Lease } from "./lease.js";
import type { Cancel } from "./platform.js";
import type { SessionOf } from "./session.js";
import type { WaitOptions } from "./surface.js";

const LONGEST_WAIT_MS = 2_147_483_647;
/** As it travels; to callers a wait without bound is one without `waitMs`. */
const FOR_EVER = -1;

const WAIT_OPTIONS = callOptions("waitMs", "onWaiting");

export type MakeHeld<H> = new (engine: Engine, lease: Lease, granted: Answer, actor: string) => H;

export class Standing<H extends HeldGrant> {
  readonly #engine: Engine;
  readonly #session: SessionOf;
  readonly #op: OperationName;
  readonly #release: OperationName;
  readonly #make: MakeHeld<H>;

  constructor(
    engine: Engine,
    session: SessionOf,
    op: "lock.acquire" | "election.campaign" | "slot.claim",
    make: MakeHeld<H>,
  ) {
    this.#engine = engine;
    this.#session = session;
    this.#op = op;
    this.#release = op === "election.campaign" ? "election.resign" : "lock.release";
    this.#make = make;
  }

  /** `base` is what the operation needs beside the lease and the wait. */
  stand(base: Readonly<Record<string, unknown>>, options: WaitOptions | undefined): Promise<H> {
    const engine = this.#engine;
    const refusal = wrongWait(options) ?? engine.refusal(options);
    if (refusal !== null) return Promise.reject(refusal);
    const waitMs = options?.waitMs ?? Number.POSITIVE_INFINITY;
    const lease = this.#session.leaseFor(actorOf(base));
    if (lease !== null) return this.#enter(lease, base, Math.ceil(waitMs), options);
    const sinceMs = engine.platform.monotonicMs();
    return this.#session.obtain(options).then(granted => {
      const spentMs = engine.platform.monotonicMs() - sinceMs;
      const leftMs = Math.max(Math.ceil(waitMs - spentMs), 0);
      return this.#enter(granted, base, leftMs, engine.restOf(options, sinceMs));
    });
  }

  /** `waitMs` may be Infinity. */
  #enter(
    lease: Lease,
    base: Readonly<Record<string, unknown>>,
    waitMs: number,
    options: WaitOptions | undefined,
  ): Promise<H> {
    const onWaiting = options?.onWaiting;
    const params: Record<string, unknown> = { lease: lease.id };
    const isBounded = waitMs < Number.POSITIVE_INFINITY;
    // A claim never waits.
    if (this.#op !== "slot.claim") params.waitMs = isBounded ? waitMs : FOR_EVER;
    for (const field in base) params[field] = base[field];
    if (onWaiting !== undefined) params.position = true;
    const call = new Call(this.#op, params, this.#granted);
    call.waits = waitMs !== 0;
    if (waitMs > 0) call.waitEndMs = this.#engine.platform.monotonicMs() + waitMs;
    call.undo = this.#undo;
    call.recover = this.#recover;
    this.#hang(call, lease);
    if (onWaiting !== undefined)
      call.onPosition = ({ position: place, holders }) =>
        tell(onWaiting, { position: Number(place), holders: holdersOf(holders) });
    if (!isBounded)
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
    const held = new this.#make(this.#engine, lease, ok, actorOf(call.params));
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
    if (!wentWithLease(error)) return false;
    const { keeper, requests } = this.#engine;
    const lease = keeper.find(call.lease);
    const reason = error.details.reason;
    if (lease !== undefined) keeper.end(lease, reason, `the cluster says: ${String(reason)}`);
    if (!this.#session.renews) return false;
    this.#obtainAnew(call).then(
      fresh => {
        if (call.settled) return;
        this.#hang(call, fresh);
        requests.again(call, { ...call.params, lease: fresh.id });
      },
      failure => requests.fail(call, failure),
    );
    return true;
  };

  /** Within what is left of its time in line; a wait without bound has none here either. */
  async #obtainAnew(call: Call): Promise<Lease> {
    const { platform } = this.#engine;
    const { waitEndMs, deadlineMs, signal } = call;
    const timeoutMs = Math.min(waitEndMs, deadlineMs) - platform.monotonicMs();
    try {
      return await this.#session.obtain(signal === null ? { timeoutMs } : { timeoutMs, signal });
    } catch (error) {
      throw waitEndMs - platform.monotonicMs() < 1 ? waitOver(call) : error;
    }
  }
}

/** What is wrong with how long somebody would wait. */
function wrongWait(options: WaitOptions | undefined): HoldfastError | null {
  const strange = strangeOption(options, WAIT_OPTIONS);
  if (strange !== null || options === undefined) return strange;
  const { waitMs, onWaiting } = options;
  const isWait = typeof waitMs === "number" && waitMs >= 0 && waitMs <= LONGEST_WAIT_MS;
  if (waitMs !== undefined && !isWait)
    return invalid("waitMs", `from 0 to ${LONGEST_WAIT_MS}, or absent`);
  const isHeard = onWaiting === undefined || typeof onWaiting === "function";
  return isHeard ? null : invalid("onWaiting", "a function");
}

/** The lease has ended; or it was granted, nobody here has heard of it, and then its lease ended. */
function wentWithLease({ code, details: { reason } }: HoldfastError): boolean {
  if (code === "NOT_HELD") return reason === "expired" || reason === "revoked";
  return code === "LEASE_ENDED" || code === "NO_SUCH_LEASE";
}

/** The thread that asks; "": none is named. */
const actorOf = ({ actor }: Readonly<Record<string, unknown>>): string =>
  typeof actor === "string" ? actor : "";

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
