/**
 * `lock.acquire` and `election.campaign`: one call from its request to grant, refusal or the end of
 * its wait. Who is granted is decided by the state; this waits, counts its time, and gives up
 * through the log, so that a grant that came first is answered as granted.
 */
import type { OperationName, ParamsOf, ResultOf } from "holdfast-protocol";
import {
  type AcquireCommand,
  type CommandResult,
  type EndReason,
  type EntryView,
  type Grant,
  lineNameOf,
  type WaitingResult,
} from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Dependent } from "../dependents.js";
import { invalid, outcomeUnknown, overloaded } from "../failure.js";
import { identityOf } from "../identity.js";
import { type Handler, misfit, type PendingCall } from "../operations/call.js";
import { leaseEnded, withRemaining } from "../operations/lease.js";
import type { Proposer } from "../proposals/proposal.js";
import { endReason, grantedOf, heldText, holderOf, ordinal } from "../views.js";
import type { Waiter } from "./places.js";

type AcquireParams = ParamsOf<"lock.acquire"> &
  Partial<Pick<ParamsOf<"election.campaign">, "value">>;
/** Both operations have the same results. */
type AcquireCall = Pick<
  PendingCall<"lock.acquire">,
  "core" | "connection" | "context" | "fail" | "refuse" | "succeed"
> & { readonly operation: OperationName; onCancel: (() => void) | null };

type Surrender = "timeout" | "cancelled" | "abandoned";

const FOREVER = Number.POSITIVE_INFINITY;

class Acquire implements Proposer, Waiter, Dependent {
  readonly waiterId: number;
  before: Dependent | null = null;
  after: Dependent | null = null;
  readonly #call: AcquireCall;
  readonly #params: AcquireParams;
  readonly #startedMs: number;
  readonly #pollAtMs: number;
  #waitUntilMs: number;
  /** The entry's key, once it is in line. */
  #key: string | null = null;
  #lease = "";
  /** Why it is to be given up, once it is. */
  #surrender: Surrender | null = null;
  #over = false;
  /**
   * Granted, and not known to be taken: the leader is asked what is left of its lease, or the
   * answer is on its way to a caller who may be gone.
   */
  #untaken: Grant | null = null;
  #toldPosition = 0;

  constructor(call: AcquireCall, params: AcquireParams) {
    this.#call = call;
    this.#params = params;
    this.waiterId = call.core.places.nextWaiterId();
    this.#startedMs = call.core.parts.time.nowMs();
    const { waitMs = 0, pollMs } = params;
    this.#waitUntilMs = waitMs < 0 ? FOREVER : this.#startedMs + waitMs;
    this.#pollAtMs = pollMs === undefined ? FOREVER : this.#startedMs + pollMs;
  }

  get wantsPosition(): boolean {
    return this.#params.position === true && this.#call.connection.takesEvents;
  }

  start(): void {
    const { core, connection } = this.#call;
    const { maxPlaces } = core.parts.limits;
    if ((this.#params.waitMs ?? 0) !== 0 && core.places.size >= maxPlaces) {
      this.#call.fail(overloaded("waits in line", maxPlaces));
      return;
    }
    const full = connection.leaseRefusal(this.#params.lease);
    if (full !== null) {
      this.#call.fail(full);
      return;
    }
    connection.join(this);
    this.#call.onCancel = () => this.#giveUp("cancelled");
    this.#propose();
  }

  applied(result: CommandResult): void {
    switch (result.kind) {
      case "granted":
        this.granted(result.grant);
        break;
      case "waiting":
        this.#wait(result);
        break;
      case "entryEnded":
        this.ended(result.reason, result.granted);
        break;
      case "refused":
        this.#leave();
        this.#call.refuse(result);
        break;
      default:
        this.#fail(misfit(this.#call.operation, result.kind));
    }
  }

  failed(failure: Failure): void {
    this.#fail(failure);
  }

  granted(grant: Grant): void {
    const { core, connection } = this.#call;
    if (connection.closed) {
      this.#leave();
      if (this.#surrender === "abandoned") core.places.release(grant.key);
      return;
    }
    this.#call.onCancel = null;
    connection.attach(grant.lease);
    const nowMs = core.parts.time.nowMs();
    const known = this.#private
      ? this.#fullTimeLeft(grant, nowMs)
      : core.parts.attachments.remainingMs(grant.lease, grant.ttlMs, nowMs);
    if (known !== null && known >= this.#enoughMs) this.#answer(grant, known);
    else this.#askRemaining(grant);
  }

  get #enoughMs(): number {
    return this.#params.minRemainingMs ?? 0;
  }

  /**
   * What is certainly left of the full time that a private lease has at its grant. null: the grant
   * is of before, found in the request table or a snapshot, or this node may have heard of it late.
   */
  #fullTimeLeft(grant: Grant, nowMs: number): number | null {
    const { core } = this.#call;
    if (core.justGranted !== grant.lease) return null;
    if (core.parts.log.leadership().serving) return grant.ttlMs;
    if (this.#key !== null) return null;
    return Math.max(0, grant.ttlMs - (nowMs - this.#startedMs));
  }

  withdrawn(position: number, holders: readonly EntryView[]): void {
    this.#fail(this.#gaveUp(position, holders));
  }

  ended(reason: EndReason, granted: boolean): void {
    const name = this.#name;
    if (!granted && reason === "cancelled") {
      this.#fail(this.#gaveUp(0, []));
    } else if (!granted && (reason === "expired" || reason === "revoked")) {
      const failure = leaseEnded(this.#lease || this.#params.lease || "?", reason);
      this.#fail({ ...failure, message: `${failure.message}; the place in ${name} went with it` });
    } else {
      const why = granted ? "the grant that this request got" : "the place that this request had";
      const ended = endReason(reason);
      const message = `${why} in ${name} has ended (${ended}); acquire it anew under a new request`;
      this.#fail({ code: "NOT_HELD", message, details: { reason: ended } });
    }
  }

  moved(key: string): void {
    this.#key = key;
  }

  withdrawalFailed(failure: Failure): void {
    this.#fail(outcomeUnknown(`giving up the wait for ${this.#name}: ${failure.code}`));
  }

  due(nowMs: number): void {
    if (nowMs >= this.#waitUntilMs) this.#giveUp("timeout");
    else if (nowMs >= this.#pollAtMs) this.#poll();
    else this.#call.core.places.setDue(this, this.#nextDueMs);
  }

  tellPosition(position: number): void {
    const { core, connection, context } = this.#call;
    if (position === this.#toldPosition || position === 0) return;
    this.#toldPosition = position;
    const now = core.clusterNowMs();
    const head = core.machine.headBefore(this.#key ?? "");
    connection.push({
      event: "position",
      id: context.id ?? 0,
      position,
      holders: head === undefined ? [] : [holderOf(head, now)],
    });
  }

  connectionClosed(abandon: boolean): void {
    const { idempotencyKey, request } = this.#call.context;
    const unclaimed = abandon && idempotencyKey === undefined;
    if (this.#untaken !== null) {
      this.#over = true;
      // Under a request's id it may have been given over another connection.
      if (unclaimed && request === undefined) this.#call.core.places.release(this.#untaken.key);
    } else if (this.#over) {
      return;
    } else if (unclaimed) {
      this.#giveUp("abandoned");
    } else if (this.#key !== null) {
      this.#over = true;
      this.#call.core.places.leave(this.#key, this);
    }
  }

  /** The only name, or the first of several. */
  get #name(): string {
    return this.#params.name ?? this.#params.names?.[0] ?? "";
  }

  get #private(): boolean {
    return this.#params.ttlMs !== undefined;
  }

  get #nextDueMs(): number {
    return this.#surrender === null ? Math.min(this.#waitUntilMs, this.#pollAtMs) : FOREVER;
  }

  #propose(): void {
    const { core, context, connection, operation } = this.#call;
    const identity = identityOf(context, operation, this.#params, connection.sessionLease);
    const refused = core.propose(this.#command(), identity, this);
    if (refused !== null) this.#fail(refused);
  }

  #command(): AcquireCommand {
    const { lease, ttlMs, waitMs, value, owner, labels, actor } = this.#params;
    const { names, mode, permits } = this.#params;
    return {
      kind: "lock.acquire",
      name: this.#name,
      ...(names === undefined || names.length < 2 ? {} : { names }),
      ...(permits !== undefined ? { mode: "permit", permits } : mode === undefined ? {} : { mode }),
      lease: lease ?? { id: this.#call.core.drawLease(), ttlMs: ttlMs ?? 0 },
      ...(value === undefined ? {} : { value }),
      ...(owner === undefined ? {} : { owner }),
      ...(labels === undefined ? {} : { labels }),
      ...(actor === undefined ? {} : { actor }),
      wait: (waitMs ?? 0) !== 0,
    };
  }

  #wait(result: WaitingResult): void {
    const { core, connection, context } = this.#call;
    this.#key = result.key;
    this.#lease = result.lease;
    // The time to wait counts from the first request, which may have come over another connection.
    // Counted by the entry's own time: this node's guess at the present may be far ahead of it.
    const waitedMs = Math.max(0, core.machine.clusterTimeMs - result.enteredMs);
    const nowMs = core.parts.time.nowMs();
    this.#waitUntilMs = Math.min(this.#waitUntilMs, nowMs + this.#waitMs - waitedMs);
    if (connection.closed && this.#surrender === null) {
      this.#over = true;
      if (context.idempotencyKey === undefined) return;
    }
    core.places.enter(result, this.#private, this, this.#nextDueMs);
    if (this.#over) core.places.leave(result.key, this);
    else if (this.#surrender !== null) this.#withdraw();
  }

  get #waitMs(): number {
    const { waitMs = 0 } = this.#params;
    return waitMs < 0 ? FOREVER : waitMs;
  }

  #giveUp(why: Surrender): void {
    if (this.#over || (this.#surrender !== null && why !== "abandoned")) return;
    this.#surrender = why;
    if (this.#key !== null) this.#withdraw();
  }

  #withdraw(): void {
    if (this.#key === null) return;
    const { places } = this.#call.core;
    if (this.#surrender !== "abandoned") {
      places.withdraw(this.#key);
      return;
    }
    this.#over = true;
    places.abandon(this.#key, this);
  }

  #poll(): void {
    const key = this.#key;
    if (key === null) return;
    const { core } = this.#call;
    const position = Math.max(1, core.machine.position(key) ?? 1);
    core.places.leave(key, this);
    this.#leave();
    this.#call.succeed({ waiting: true, position, lease: this.#lease });
  }

  #askRemaining(grant: Grant): void {
    this.#untaken = grant;
    const told = (remainingMs: number): void => {
      if (this.#over) return;
      // The question takes a while. A grant that ended meanwhile is not given: its loss was told.
      const truth = this.#call.core.machine.entry(grant.key);
      if (truth.kind === "entryEnded") this.ended(truth.reason, true);
      else if (remainingMs >= this.#enoughMs) this.#answer(grant, remainingMs);
      else this.#tooLate(grant, remainingMs);
    };
    const call = { core: this.#call.core, fail: () => told(0) };
    withRemaining(call, [grant.lease], ([remainingMs = 0]) => told(remainingMs));
  }

  /** Released first and answered then: nobody is told that it is free while it may be held. */
  #tooLate(grant: Grant, remainingMs: number): void {
    this.#leave();
    const left =
      `${grant.name} was granted, but lease ${grant.lease} has only ${remainingMs} ms left, ` +
      "less than minRemainingMs";
    this.#call.core.places.release(grant.key, this.#call.connection, failure => {
      if (failure === null) {
        const message = `${left}: it is released again; keep the lease alive and ask anew`;
        this.#call.fail({ code: "NOT_HELD", message, details: { reason: "released" } });
      } else {
        this.#call.fail(outcomeUnknown(`${left}, and to release it again: ${failure.code}`));
      }
    });
  }

  #answer(grant: Grant, remainingMs: number): void {
    if (this.#call.connection.takesEvents) {
      this.#leave();
    } else {
      // It ends with this call, and says only then whether the answer has left.
      this.#over = true;
      this.#untaken = grant;
    }
    this.#call.succeed(grantedOf(grant, remainingMs) as ResultOf<"lock.acquire">);
  }

  #timedOut(position: number, holders: readonly EntryView[]): Failure {
    const { core } = this.#call;
    const [blocking] = holders;
    // Of several names, the one that it waited for longest.
    const name = blocking === undefined ? this.#name : lineNameOf(blocking.key);
    const shown = holders.map(holder => holderOf(holder, core.clusterNowMs()));
    const [first] = shown;
    const held = first === undefined ? "was held" : heldText(first);
    const place = position > 0 ? `; you were ${ordinal(position)}` : "";
    const details = { position, holders: shown };
    return { code: "WAIT_TIMEOUT", message: `${name} ${held}${place}`, details };
  }

  /**
   * Where it was not given up here, the same request was over another connection, before its client
   * came to this one: a caller who cancels wants no answer any more, so its time was over.
   */
  #gaveUp(position: number, holders: readonly EntryView[]): Failure {
    const elsewhere = this.#surrender === null && this.#waitMs < FOREVER;
    if (elsewhere || this.#surrender === "timeout") return this.#timedOut(position, holders);
    return this.#cancelled();
  }

  #cancelled(): Failure {
    const message = `the wait for ${this.#name} was given up before it was granted`;
    return { code: "CANCELLED", message };
  }

  #fail(failure: Failure): void {
    this.#leave();
    this.#call.fail(failure);
  }

  #leave(): void {
    this.#over = true;
    this.#call.onCancel = null;
    this.#call.connection.leave(this);
  }
}

function startAcquire(call: AcquireCall, params: AcquireParams): void {
  const unfit = unfitNames(params);
  if (unfit !== null) {
    call.fail(unfit);
    return;
  }
  if ((params.lease === undefined) === (params.ttlMs === undefined)) {
    const message =
      "give either lease (one that you keep alive) or ttlMs (one made for this grant)";
    call.fail(invalid("lease", message));
    return;
  }
  new Acquire(call, params).start();
}

/** What the schema cannot say. */
function unfitNames({ name, names, mode, permits }: AcquireParams): Failure | null {
  if ((name === undefined) === (names === undefined))
    return invalid("name", "give either name (one lock) or names (all of these at once)");
  const isShared = mode === "shared";
  if (names !== undefined && names.length > 1 && (isShared || permits !== undefined))
    return invalid("names", "several names at once are exclusive: leave mode and permits out");
  if (permits === undefined || mode === undefined) return null;
  return invalid("mode", "a semaphore has permits in place of a mode: leave mode out");
}

export const acquire: Handler<"lock.acquire"> = startAcquire;
export const campaign: Handler<"election.campaign"> = startAcquire;
