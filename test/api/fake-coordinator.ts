/**
 * A coordinator that a test answers for: it keeps what the doors ask, and each operation is
 * answered by a script, in a later turn as the contract has it.
 */
import type { OperationName, PushedEvent } from "holdfast-protocol";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import type {
  CallContext,
  Connection,
  Coordinator,
  CoordinatorStatus,
  Failure,
  LeaseStanding,
  LineTally,
  Outcome,
} from "../../src/replica/coordinator/index.js";

type Done = (outcome: Outcome) => void;

export interface FakeCall {
  readonly name: OperationName;
  readonly params: Record<string, unknown>;
  readonly context: CallContext;
  readonly connection: FakeConnection;
  cancelled: boolean;
  /** Answers, in a turn of its own. */
  succeed(result: object): void;
  fail(failure: Failure): void;
}

/** Answers a call, now or later; without one a call is answered with `{}`. */
export type Script = (call: FakeCall) => void;

export class FakeConnection {
  readonly attached: string[] = [];
  closed: "abandoned" | "kept" | null = null;
  held = false;
  readonly takesEvents: boolean;
  readonly push: (event: PushedEvent) => void;
  constructor(takesEvents: boolean, push: (event: PushedEvent) => void) {
    this.takesEvents = takesEvents;
    this.push = push;
  }
}

export class FakeCoordinator implements Coordinator {
  lineTallies: readonly LineTally[] = [];
  readonly calls: FakeCall[] = [];
  readonly connections: FakeConnection[] = [];
  readonly scripts: Partial<Record<OperationName, Script>> = {};
  probeAnswer: boolean | "never" = true;
  standings: (leases: readonly string[]) => readonly LeaseStanding[] | null | "never" = leases =>
    leases.map(lease => ({ lease }));
  state: CoordinatorStatus["state"] = "ready";

  get lastCall(): FakeCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("nothing was asked of the coordinator");
    return call;
  }

  connect(onEvent: ((event: PushedEvent) => void) | null): Connection {
    const fake = new FakeConnection(onEvent !== null, event => {
      if (fake.closed === null) onEvent?.(event);
    });
    this.connections.push(fake);
    return {
      call: (name, params, context, done) => {
        const call = this.#call(fake, name, params as object, context, done as Done);
        return {
          cancel: () => {
            call.cancelled = true;
          },
        };
      },
      attachLeases: leases => void fake.attached.push(...leases),
      leaseStandings: (leases, done) => {
        const standings = this.standings(leases);
        if (standings !== "never") setImmediate(() => done(standings));
      },
      holdStreams: () => {
        fake.held = true;
      },
      resumeStreams: () => {
        fake.held = false;
      },
      close: abandon => {
        fake.closed ??= abandon ? "abandoned" : "kept";
      },
    };
  }

  #call(
    connection: FakeConnection,
    name: OperationName,
    params: object,
    context: CallContext,
    done: Done,
  ): FakeCall {
    const later = (outcome: Outcome): void =>
      void setImmediate(() => {
        if (connection.closed === null) done(outcome);
      });
    const call: FakeCall = {
      name,
      params: params as Record<string, unknown>,
      context,
      connection,
      cancelled: false,
      succeed: result => later({ ok: true, result } as Outcome),
      fail: failure => later({ ok: false, failure }),
    };
    this.calls.push(call);
    const script = this.scripts[name];
    if (script === undefined) call.succeed({});
    else script(call);
    return call;
  }

  tallies(): readonly LineTally[] {
    return this.lineTallies;
  }

  status(): CoordinatorStatus {
    return {
      clusterId: "00c0ffee00c0ffee",
      nodeId: nodeId(0xa1),
      name: "one",
      term: term(3),
      leader: nodeId(0xa1),
      commitIndex: logIndex(7),
      appliedIndex: logIndex(7),
      lastIndex: logIndex(7),
      bytesSinceSnapshot: 0,
      snapshotIndex: logIndex(0),
      peers: [],
      revision: 12,
      clusterTimeMs: 1,
      state: this.state,
      counters: { appliedCommands: 5 },
    };
  }

  probe(done: (confirmed: boolean) => void): void {
    const { probeAnswer } = this;
    if (probeAnswer !== "never") setImmediate(() => done(probeAnswer));
  }
}
