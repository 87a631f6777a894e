/**
 * The doors of a node: HTTP and WebSocket over one registry of operations. Everything that a client
 * sends is decoded, bounded and checked here; what passes goes to the coordinator. Called by the
 * server's composition root, and by tests with a coordinator of their own.
 */
import type { Socket } from "node:net";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { type House, type HouseOptions, makeHouse } from "./house.js";
import { Callers } from "./http/callers.js";
import { Exchange } from "./http/exchange.js";
import { addKeyspace } from "./http/keyspace.js";
import { Metrics } from "./http/metrics.js";
import { addOperations } from "./http/operations.js";
import { makeServer, SERVER_TIMES, type ServerTimes } from "./http/server.js";
import { addService } from "./http/service.js";
import { EventStreams } from "./http/streams.js";
import { UnderWay } from "./http/under-way.js";
import { webSocketUpgrades } from "./http/upgrades.js";
import { addWatch } from "./http/watch.js";
import { WebSocketDoor } from "./websocket/door.js";

export type { FastifyBaseLogger as ApiLogger };

export interface ApiOptions extends HouseOptions {
  /** At least one. Port 0 draws a free one, reported in `addresses`. */
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly allowedOrigins: readonly string[];
  /**
   * Host names that requests may call this node by, beside IP literals, `localhost` and
   * `listen`.
   */
  readonly allowedHosts: readonly string[];
  readonly times?: Partial<ServerTimes>;
  /**
   * The most sockets of all listeners together, whatever is spoken on them; one more is closed as
   * it comes. Null or absent: `limits.maxConnections` of each listener is all that bounds them.
   */
  readonly maxSockets?: number | null;
}

export interface Api {
  /** Where it listens, in the order of `listen`. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /**
   * Takes nothing new, tells clients that the node stops, and gives calls under way half a second
   * to be answered. The coordinator is still to answer.
   */
  drain(): Promise<void>;
  /** Drains unless that was done, answers what is left, ends all connections. */
  stop(): Promise<void>;
}

/** Calls get this long to be answered, and after that connections to close by themselves. */
const CLOSE_WITHIN_MS = 500;
/** Whoever was about to send when the node began to stop is answered so long. */
const LINGER_MS = 100;

/**
 * Rejects with Node's error (`EADDRINUSE` and its like) when it cannot listen; nothing stays
 * open.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  const house = makeHouse(options);
  const hosts = [...options.allowedHosts, ...options.listen.map(({ host }) => host)];
  const callers = new Callers({ origins: options.allowedOrigins, hosts });
  const underWay = new UnderWay(house.limits);
  const exchange = new Exchange(house, underWay);
  const streams = new EventStreams(house, exchange, underWay);
  const sockets = new WebSocketDoor(house);
  const metrics = new Metrics(house, () => ({
    websocket: sockets.connections,
    stream: streams.size,
    socket: open.size,
  }));
  const apps = options.listen.map(() => {
    const app = makeServer(house, callers, underWay, { ...SERVER_TIMES, ...options.times });
    sockets.register(app, webSocketUpgrades(app.server, underWay));
    void app.register(async scope => {
      addOperations(scope, house, exchange, streams);
      addKeyspace(scope, house, exchange);
      addWatch(scope, house, streams);
      addService(scope, house, metrics);
    });
    return app;
  });
  const open = openSockets(apps, options.maxSockets ?? Number.POSITIVE_INFINITY);
  const within = (ms: number): Promise<void> =>
    new Promise(resolve => {
      options.clock.after(ms, resolve);
    });
  let lingered = Promise.resolve();
  const drain = async (): Promise<void> => {
    const answered = underWay.stop();
    sockets.stop();
    streams.stop();
    exchange.stop();
    if (open.size > 0) lingered = within(LINGER_MS);
    await Promise.race([answered, within(CLOSE_WITHIN_MS)]);
  };
  let draining: Promise<void> | null = null;
  const drainOnce = (): Promise<void> => {
    draining ??= drain();
    return draining;
  };
  const stop = async (): Promise<void> => {
    await drainOnce();
    exchange.close();
    await lingered;
    const cancelForce = options.clock.after(CLOSE_WITHIN_MS, () => {
      for (const socket of open) socket.destroy();
    });
    await Promise.all(apps.map(app => app.close()));
    cancelForce();
  };
  try {
    const addresses = [];
    for (const [at, app] of apps.entries()) addresses.push(await listen(app, options.listen[at]));
    return { addresses, drain: drainOnce, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** All open sockets, upgraded ones as well, which Node no longer counts as the server's. */
function openSockets(apps: readonly FastifyInstance[], most: number): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  for (const app of apps)
    app.server.on("connection", (socket: Socket) => {
      if (open.size >= most) return void socket.destroy();
      open.add(socket);
      socket.once("close", () => open.delete(socket));
    });
  return open;
}

async function listen(
  app: FastifyInstance,
  wanted: { readonly host: string; readonly port: number } | undefined,
): Promise<{ host: string; port: number }> {
  if (wanted === undefined) throw new Error("there are as many listeners as addresses");
  await app.listen({ host: wanted.host, port: wanted.port });
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : wanted.port;
  return { host: wanted.host, port };
}

export type { House, ServerTimes };
