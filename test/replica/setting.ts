/** A cluster of real replicas over fake logs, and calls whose answers can be looked at. */
import type { OperationName, ParamsOf, PushedEvent, ResultOf } from "holdfast-protocol";
import { SeededRandom } from "../../src/base/random.js";
import type {
  Call,
  CallContext,
  Connection,
  Outcome,
} from "../../src/replica/coordinator/index.js";
import { createReplica, type Replica, type ReplicaLimits } from "../../src/replica/index.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { decodeEntry, Machine, STATE_LIMITS, type StateLimits } from "../../src/state/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { FakeCluster, type FakeLog } from "./fake-log.js";

export interface Asked<Name extends OperationName> {
  readonly call: Call;
  outcome: Outcome<Name> | null;
}

/** One client: a connection with what came over it. */
export class Client {
  readonly connection: Connection;
  readonly events: PushedEvent[] = [];

  constructor(replica: Replica, takesEvents = true) {
    const onEvent = takesEvents ? (event: PushedEvent) => this.events.push(event) : null;
    this.connection = replica.coordinator.connect(onEvent);
  }

  call<Name extends OperationName>(
    operation: Name,
    params: ParamsOf<Name>,
    context: CallContext = {},
  ): Asked<Name> {
    const asked: { call: Call; outcome: Outcome<Name> | null } = {
      call: { cancel: () => {} },
      outcome: null,
    };
    asked.call = this.connection.call(operation, params, context, outcome => {
      if (asked.outcome !== null) throw new Error(`${operation} was answered twice`);
      asked.outcome = outcome;
    });
    return asked;
  }

  of<Kind extends PushedEvent["event"]>(kind: Kind): Extract<PushedEvent, { event: Kind }>[] {
    return this.events.filter(({ event }) => event === kind) as never;
  }
}

export class Setting {
  readonly loop = new TurnedLoop();
  readonly cluster: FakeCluster;
  readonly replicas: Replica[];

  constructor(
    nodes = 1,
    limits: Partial<ReplicaLimits> = {},
    stateLimits: Partial<StateLimits> = {},
  ) {
    this.cluster = new FakeCluster(this.loop, nodes);
    this.replicas = this.cluster.logs.map((log, i) =>
      createReplica({
        log,
        clock: this.loop,
        random: new SeededRandom(i + 1),
        bytes: nodeBytes,
        endOfTurn: this.loop,
        version: "0.0.0",
        onFatal: failure => {
          throw new Error(failure.message);
        },
        limits,
        machine: new Machine(nodeBytes, { ...STATE_LIMITS, ...stateLimits }),
      }),
    );
    for (const replica of this.replicas) replica.start(() => {});
    this.loop.settle();
    this.cluster.elect(this.log(1));
    this.loop.settle();
  }

  log(node: number): FakeLog {
    return this.cluster.logs[node - 1]!;
  }

  /** The id of the first lease that a node draws, as long as it has drawn none. */
  firstDrawnLease(node: number): string {
    const random = new SeededRandom(node);
    random.below(2 ** 48); // its boot id
    const [high, low] = [random.below(2 ** 31), random.below(2 ** 32)];
    return (BigInt(high) * 2n ** 32n + BigInt(low)).toString(16);
  }

  client(node = 1): Client {
    return new Client(this.replicas[node - 1]!);
  }

  /** As HTTP comes in: a connection without events, of many callers or of one call. */
  caller(node = 1): Client {
    return new Client(this.replicas[node - 1]!, false);
  }

  /** Turns until every one of them is answered; their results. */
  results<Name extends OperationName>(...asked: Asked<Name>[]): ResultOf<Name>[] {
    return asked.map(one => {
      this.loop.runUntil(() => one.outcome !== null, 30_000);
      if (one.outcome === null) throw new Error("no answer came");
      if (!one.outcome.ok)
        throw new Error(`${one.outcome.failure.code}: ${one.outcome.failure.message}`);
      return one.outcome.result;
    });
  }

  result<Name extends OperationName>(asked: Asked<Name>): ResultOf<Name> {
    return this.results(asked)[0]!;
  }

  /** Turns until it is answered; the failure's code, or "ok". */
  code(asked: Asked<OperationName>): string {
    this.loop.runUntil(() => asked.outcome !== null, 30_000);
    if (asked.outcome === null) return "no answer";
    return asked.outcome.ok ? "ok" : asked.outcome.failure.code;
  }

  /** Kinds of the commands committed so far, entry by entry. */
  commandsCommitted(): string[][] {
    return this.cluster.committed.map(({ payload }) =>
      (decodeEntry(nodeBytes, payload)?.commands ?? []).map(({ command }) => command?.kind ?? "?"),
    );
  }
}
