/**
 * A world for the client that stands still until it is turned: one clock, nodes that answer by
 * script, connections that can be cut. Every frame goes through the client's own codec.
 */
import type { ErrorCode, OperationName, WireError } from "holdfast-protocol";
import { ERRORS } from "holdfast-protocol";
import { connectOver } from "../../clients/typescript/core/client.js";
import { decodeFrame, encodeFrame, packable } from "../../clients/typescript/core/codec.js";
import type {
  Client,
  ConnectOptions,
  Platform,
  Wire,
  WireEvents,
} from "../../clients/typescript/core/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

type Fields = Record<string, unknown>;

/** Lets everything run that needs no time: promises, and what they lead to. */
const drain = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

export class FakeRequest {
  readonly id: number;
  readonly op: OperationName;
  readonly params: Fields;
  readonly low: number | undefined;
  readonly connection: FakeConnection;
  constructor(message: Fields, connection: FakeConnection) {
    this.id = message.id as number;
    this.op = message.op as OperationName;
    this.params = message.params as Fields;
    this.low = message.low as number | undefined;
    this.connection = connection;
  }

  ok(result: Fields): void {
    this.connection.send({ id: this.id, ok: result });
  }

  fail(code: ErrorCode, details?: Fields): void {
    const { message, retryable, outcome } = ERRORS[code];
    const error: WireError = { code, message, retryable, outcome };
    this.connection.send({
      id: this.id,
      error: details === undefined ? error : { ...error, details },
    });
  }

  event(event: string, fields: Fields): void {
    this.connection.send({ event, id: this.id, ...fields });
  }
}

export class FakeConnection {
  readonly node: FakeNode;
  readonly frames: Fields[][] = [];
  isOpen = true;
  readonly #loop: TurnedLoop;
  readonly #events: WireEvents;

  constructor(node: FakeNode, loop: TurnedLoop, events: WireEvents) {
    this.node = node;
    this.#loop = loop;
    this.#events = events;
  }

  /** From the node to the client, in a turn of its own. */
  send(...messages: Fields[]): void {
    const frame = encodeFrame(messages.map(packable));
    this.#loop.defer(() => {
      if (this.isOpen) this.#events.onFrame(frame);
    });
  }

  sendBytes(frame: Uint8Array): void {
    this.#loop.defer(() => this.#events.onFrame(frame));
  }

  /** The connection breaks; the client hears of it. */
  cut(reason = "cut"): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#loop.defer(() => this.#events.onClose(reason));
  }

  wire(): Wire {
    return {
      send: frame => {
        if (this.isOpen && !this.node.isDeaf)
          this.node.receive(this, decodeFrame(frame) as Fields[]);
      },
      close: () => {
        this.isOpen = false;
      },
    };
  }
}

export type Script = (request: FakeRequest) => void;

export class FakeNode {
  readonly url: string;
  readonly world: World;
  /** Refuses to be dialled. */
  isDown = false;
  /** Takes what comes and does nothing at all. */
  isDeaf = false;
  welcome: Fields = {};
  readonly connections: FakeConnection[] = [];
  readonly hellos: Fields[] = [];
  readonly requests: FakeRequest[] = [];
  readonly cancels: number[] = [];

  constructor(world: World, url: string) {
    this.world = world;
    this.url = url;
  }

  get connection(): FakeConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error(`nobody dialled ${this.url}`);
    return last;
  }

  of(op: OperationName): FakeRequest[] {
    return this.requests.filter(request => request.op === op);
  }

  last(op: OperationName): FakeRequest {
    const last = this.of(op).at(-1);
    if (last === undefined) throw new Error(`no ${op} came to ${this.url}`);
    return last;
  }

  receive(connection: FakeConnection, frame: Fields[]): void {
    connection.frames.push(frame);
    for (const message of frame) {
      if (message.hello !== undefined) this.#greet(connection, message.hello as Fields);
      else if (message.cancel !== undefined) this.cancels.push(message.cancel as number);
      else {
        const request = new FakeRequest(message, connection);
        this.requests.push(request);
        this.world.scripts[request.op]?.(request);
      }
    }
  }

  #greet(connection: FakeConnection, hello: Fields): void {
    this.hellos.push(hello);
    const leases = ((hello.leases as string[] | undefined) ?? []).map(lease => ({ lease }));
    connection.send({
      welcome: {
        v: 1,
        clusterId: "c1",
        nodeId: "a1",
        leader: "a1",
        limits: {},
        leases,
        ...this.welcome,
      },
    });
  }
}

export class World {
  readonly loop = new TurnedLoop();
  readonly nodes: FakeNode[];
  readonly scripts: Partial<Record<OperationName, Script>> = {};
  leases = 0;
  token = 100;
  #stalledMs = 0;
  readonly #clients: Client[] = [];

  constructor(nodes = 1) {
    this.nodes = Array.from(
      { length: nodes },
      (_, n) => new FakeNode(this, `ws://node${n}:2379/v1/ws`),
    );
    this.scripts["lease.grant"] = request => {
      const { ttlMs, stamp } = request.params;
      this.leases += 1;
      request.ok({ lease: `a${this.leases}`, ttlMs, remainingMs: ttlMs, stamp });
    };
    this.scripts["lease.keepalive"] = keepAll;
    this.scripts["lease.revoke"] = request =>
      request.ok({ lease: request.params.lease, revoked: true });
    this.scripts["lock.acquire"] = request => this.grant(request);
    this.scripts["election.campaign"] = request => this.grant(request);
    this.scripts["lock.release"] = request => request.ok({ released: true });
    this.scripts["election.resign"] = request => request.ok({ released: true });
    this.scripts["lock.check"] = request => request.ok({ held: true });
    this.scripts["cluster.status"] = request => request.ok({ state: "ready" });
  }

  get node(): FakeNode {
    return this.nodes[0] as FakeNode;
  }

  readonly platform: Platform = {
    monotonicMs: () => this.loop.monotonicMs() + this.#stalledMs,
    wallMs: () => this.loop.wallMs() + this.#stalledMs,
    after: (delayMs, callback) => this.loop.after(delayMs, callback),
    schedule: callback => this.loop.schedule(callback),
    below: () => 0,
    dial: (url, events) => this.#dial(url, events),
  };

  connect(options?: ConnectOptions): Client {
    const endpoints = this.nodes.map(({ url }) => url.replace("/v1/ws", ""));
    const client = connectOver(this.platform, endpoints, options);
    this.#clients.push(client);
    return client;
  }

  /** The answer to an acquire or a campaign. */
  grant(request: FakeRequest): void {
    const { name, lease } = request.params;
    const token = ++this.token;
    const key = `${String(name)}/${token}`;
    request.ok({ name, key, token, lease, revision: token, ttlMs: 15_000, remainingMs: 15_000 });
  }

  now(): number {
    return this.platform.monotonicMs();
  }

  /** Lets `ms` pass, with everything that comes due on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.loop.monotonicMs() + ms;
    await drain();
    while (this.loop.turn(untilMs)) await drain();
    this.loop.advance(untilMs - this.loop.monotonicMs());
    await drain();
  }

  settle(): Promise<void> {
    return this.advance(0);
  }

  /** Time passes, and no timer of the client fires: its event loop stands still. */
  stall(ms: number): void {
    this.#stalledMs += ms;
  }

  /** The machine sleeps: the wall clock goes on, the monotonic one does not. */
  sleep(ms: number): void {
    this.loop.shiftWall(ms);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) void client.close();
    await this.advance(3000);
  }

  #dial(url: string, events: WireEvents): Wire {
    const node = this.nodes.find(one => one.url === url);
    if (node === undefined) throw new Error(`there is no ${url}`);
    const connection = new FakeConnection(node, this.loop, events);
    this.loop.defer(() => {
      if (!connection.isOpen) return;
      if (node.isDown) return connection.cut("refused");
      node.connections.push(connection);
      events.onOpen();
    });
    return connection.wire();
  }
}

/** Every lease is kept alive. */
export function keepAll(request: FakeRequest): void {
  const { leases, stamp } = request.params;
  const kept = (leases as string[]).map(lease => ({ lease, ttlMs: 15_000, remainingMs: 15_000 }));
  request.ok({ leases: kept, stamp });
}

/** What became of a promise, without waiting for it. */
export interface Fate<T> {
  value?: T;
  error?: unknown;
}

export function watchFate<T>(promise: Promise<T>): Fate<T> {
  const fate: Fate<T> = {};
  promise.then(
    value => {
      fate.value = value;
    },
    error => {
      fate.error = error;
    },
  );
  return fate;
}
