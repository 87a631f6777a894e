/**
 * One connection of the outside: counts what it has under way, keeps its streams and waits so that
 * they end with it, and hands events on. Knows nothing of what the operations mean.
 */
import type { OperationName, ParamsOf, PushedEvent } from "holdfast-protocol";
import type {
  Call,
  CallContext,
  Connection,
  Failure,
  LeaseStanding,
  Outcome,
} from "./coordinator/index.js";
import type { Core } from "./core.js";
import { type Dependent, Dependents } from "./dependents.js";
import { starting, tooMany, tooManyLeases } from "./failure.js";
import type { Listener } from "./leases/attachments.js";
import { tellStandings } from "./leases/standings.js";
import { PendingCall } from "./operations/call.js";
import { HANDLERS, SERVED_WHILE_STARTING } from "./operations/table.js";
import type { Parcel } from "./outbox.js";

class EventParcel implements Parcel {
  readonly #connection: ClientConnection;
  readonly #event: PushedEvent;

  constructor(connection: ClientConnection, event: PushedEvent) {
    this.#connection = connection;
    this.#event = event;
  }

  deliver(): void {
    this.#connection.deliver(this.#event);
  }
}

export class ClientConnection implements Connection, Listener {
  readonly #core: Core;
  readonly #onEvent: ((event: PushedEvent) => void) | null;
  readonly #onClose: () => void;
  readonly #dependents = new Dependents();
  readonly #leases = new Set<string>();
  #session: string | null = null;
  #open = 0;
  #paused = false;
  closed = false;
  /** Streams that stand; counted against the limit of watches. */
  watches = 0;

  constructor(core: Core, onEvent: ((event: PushedEvent) => void) | null, onClose: () => void) {
    this.#core = core;
    this.#onEvent = onEvent;
    this.#onClose = onClose;
  }

  /** The lease that keeps this client's answers: the first it attached of those that live. */
  get sessionLease(): string | null {
    return this.#session;
  }

  /** One that does not is of no one client: see Coordinator.connect. */
  get takesEvents(): boolean {
    return this.#onEvent !== null;
  }

  /** True while the outside asks for no more stream events. */
  get paused(): boolean {
    return this.#paused;
  }

  call<Name extends OperationName>(
    operation: Name,
    params: ParamsOf<Name>,
    context: CallContext,
    done: (outcome: Outcome<Name>) => void,
  ): Call {
    const call = new PendingCall<Name>(this.#core, this, operation, context, done);
    if (this.closed) return call;
    this.#open++;
    const limit = this.#core.parts.limits.maxCallsPerConnection;
    if (this.takesEvents && this.#open > limit) call.fail(tooMany("calls under way", limit));
    // It may be hours before this node takes part, and what it has is on disk still.
    else if (this.#isTooEarlyFor(operation)) call.fail(starting());
    else HANDLERS[operation](call, params);
    return call;
  }

  #isTooEarlyFor(operation: OperationName): boolean {
    return this.#core.starting && !SERVED_WHILE_STARTING.has(operation);
  }

  attachLeases(leases: readonly string[]): void {
    for (const lease of leases) this.attach(lease);
  }

  /**
   * Why nothing under this lease, or under a new one, may begin here; null: it may. What is under
   * way already is attached all the same: the bound on calls bounds that.
   */
  leaseRefusal(lease?: string): Failure | null {
    if (!this.takesEvents) return null;
    const limit = this.#core.parts.limits.maxLeasesPerConnection;
    if (this.#leases.size < limit || (lease !== undefined && this.#leases.has(lease))) return null;
    return tooManyLeases(limit);
  }

  attach(lease: string): void {
    if (this.closed || !this.takesEvents) return;
    this.#leases.add(lease);
    if (this.#session === null && this.#lives(lease)) this.#session = lease;
    this.#core.parts.attachments.attach(lease, this);
  }

  forget(lease: string): void {
    this.#leases.delete(lease);
    if (this.#session !== lease) return;
    this.#session = null;
    this.#bind();
  }

  #bind(): void {
    for (const lease of this.#leases) {
      if (!this.#lives(lease)) continue;
      this.#session = lease;
      return;
    }
  }

  /** As far as this node knows: the state takes any other one for none. */
  #lives(lease: string): boolean {
    return this.#core.machine.lease(lease) !== undefined;
  }

  leaseStandings(
    leases: readonly string[],
    done: (standings: readonly LeaseStanding[] | null) => void,
  ): void {
    const deliver = (standings: readonly LeaseStanding[] | null): void => {
      if (!this.closed) done(standings);
    };
    const { outbox } = this.#core.parts;
    tellStandings(this.#core, leases, standings => {
      for (const { lease, ended } of standings ?? []) if (ended !== undefined) this.#drop(lease);
      // A lease that came to be known here only with this read was passed over until now.
      if (this.#session === null) this.#bind();
      outbox.post({ deliver: () => deliver(standings) });
    });
  }

  /** It had ended before it was attached, so nobody will ever tell to forget it. */
  #drop(lease: string): void {
    this.#core.parts.attachments.detach(lease, this);
    this.forget(lease);
  }

  holdStreams(): void {
    this.#paused = true;
  }

  resumeStreams(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const dependent of this.#dependents.all()) dependent.resumed?.();
  }

  close(abandon: boolean): void {
    if (this.closed) return;
    this.closed = true;
    for (const lease of this.#leases) this.#core.parts.attachments.detach(lease, this);
    this.#leases.clear();
    for (const dependent of this.#dependents.takeAll()) dependent.connectionClosed(abandon);
    this.#onClose();
  }

  /** Until `leave`, the dependent hears of this connection's end. */
  join(dependent: Dependent): void {
    this.#dependents.add(dependent);
  }

  leave(dependent: Dependent): void {
    this.#dependents.remove(dependent);
  }

  /** A call has its answer. */
  finished(): void {
    this.#open--;
  }

  push(event: PushedEvent): void {
    if (this.takesEvents) this.#core.parts.outbox.post(new EventParcel(this, event));
  }

  deliver(event: PushedEvent): void {
    if (!this.closed) this.#onEvent?.(event);
  }
}
