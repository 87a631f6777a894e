/**
 * One node, from its configuration: ports, log, replica and doors, each given to the next. It is
 * stopped in reverse, but that the doors are drained before the replica stops and closed after it.
 * `startNode` is also the way to embed a node in a program of one's own.
 */
import { mkdirSync, readFileSync } from "node:fs";
import type { Logger } from "pino";
import { type Api, startApi } from "../api/index.js";
import { LIMITS } from "../base/limits.js";
import type { Random } from "../base/ports.js";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS } from "../log/index.js";
import type { LogFailure, ReplicatedLog } from "../log/port/index.js";
import { createReplica, type Replica } from "../replica/index.js";
import { type Configuration, ConfigurationError } from "./configuration.js";
import { connectionsWithin, descriptorsAllowed } from "./descriptors.js";
import { nodeDisk } from "./disk/index.js";
import { nodeNetwork } from "./network/index.js";
import { portOwner } from "./port-owner.js";
import { nodeBytes, nodeChecksum, nodeClock, nodeEndOfTurn, nodeRandom } from "./ports/index.js";

/** A node that cannot start or cannot go on: why, and what to do. */
export class NodeFailure extends Error {
  override readonly name = "NodeFailure";
  readonly code: string;
  constructor(failure: LogFailure) {
    super(failure.message);
    this.code = failure.code;
  }
}

export interface RunningNode {
  /** Where clients reach it, with the ports it really got. */
  readonly clientUrls: readonly string[];
  /** Settles when the node cannot go on (damage, a disk error, a member replaced or removed). */
  readonly failed: Promise<NodeFailure>;
  /** Hands leadership over, ends connections, closes files. Safe to call more than once. */
  stop(): Promise<void>;
}

export const VERSION: string = (() => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
})();

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigurationError(
      `--data-dir: ${path} is no directory that can be used: ${message}`,
    );
  }
}

function makeLog(configuration: Configuration, clientUrls: readonly string[], logger: Logger) {
  const { dataDirectory, initialClusterState } = configuration;
  makeDirectory(dataDirectory);
  return createEmbeddedLog({
    disk: nodeDisk,
    directory: dataDirectory,
    network: nodeNetwork,
    clock: nodeClock,
    random: (): Random => nodeRandom,
    bytes: nodeBytes,
    checksum: nodeChecksum,
    endOfTurn: nodeEndOfTurn,
    name: configuration.name,
    listen: configuration.listenPeer.map(({ host, port }) => ({ host, port })),
    clientUrls,
    initialCluster: configuration.initialCluster,
    initialState: initialClusterState,
    token: configuration.token,
    limits: DEFAULT_LOG_LIMITS,
    note: (level, message, details) => logger[level](details, message),
  });
}

/** Told once, at the start: later it would be a client's word against the log's. */
function boundOfSockets(configuration: Configuration, logger: Logger): number | null {
  const descriptors = descriptorsAllowed();
  const wanted = LIMITS.maxConnections * configuration.listenClient.length;
  const connections = connectionsWithin(descriptors, wanted);
  if (connections !== null)
    logger.warn(
      { connections, descriptors },
      `no more than ${connections} client connections are taken at once, since this process may ` +
        `have ${descriptors} files open: for more, set LimitNOFILE= in the systemd unit or ` +
        "ulimit -n in the shell that starts it",
    );
  return connections;
}

/** Node's listen errors to a sentence with the flag in it, and the process where one has the port. */
function listenFailure(error: unknown, configuration: Configuration): unknown {
  const { code, syscall, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === undefined || syscall === undefined) return error;
  if (code !== "EADDRINUSE" || port === undefined) {
    const urls = configuration.listenClient.map(({ url }) => url).join(", ");
    return new ConfigurationError(`--listen-client-urls: ${urls}: ${(error as Error).message}`);
  }
  const owner = portOwner(port) ?? "another process";
  const url = configuration.listenClient.find(endpoint => endpoint.port === port)?.url ?? "";
  return taken("--listen-client-urls", url, owner);
}

/** The same for peers, where the log says what failed: whose port it was is looked up. */
function peerListenFailure(error: unknown, configuration: Configuration): unknown {
  if (!(error instanceof NodeFailure) || error.code !== "LISTEN_FAILED") return error;
  for (const { url, port } of configuration.listenPeer) {
    const owner = portOwner(port);
    if (owner !== null) return taken("--listen-peer-urls", url, owner);
  }
  return error;
}

function taken(flag: string, url: string, owner: string): ConfigurationError {
  return new ConfigurationError(
    `${flag}: ${url} is taken by ${owner}; stop it or choose another port`,
  );
}

function startReplica(replica: Replica): Promise<void> {
  return new Promise((resolve, reject) => {
    replica.start(failure => (failure === null ? resolve() : reject(new NodeFailure(failure))));
  });
}

/**
 * Resolves when the node takes part in its cluster; it may still wait for others (`/readyz` tells).
 * One that joins an existing cluster waits here until a member knows it.
 * Rejects with ConfigurationError or {@link NodeFailure}; nothing is left open then.
 */
export async function startNode(
  configuration: Configuration,
  logger: Logger,
): Promise<RunningNode> {
  let fail: (failure: NodeFailure) => void = () => {};
  const failed = new Promise<NodeFailure>(resolve => {
    fail = resolve;
  });
  const log: ReplicatedLog = makeLog(configuration, advertised(configuration), logger);
  const replica = createReplica({
    log,
    clock: nodeClock,
    random: nodeRandom,
    bytes: nodeBytes,
    endOfTurn: nodeEndOfTurn,
    version: VERSION,
    limits: { snapshotAfterBytes: configuration.snapshotAfterBytes },
    onFatal: failure => fail(new NodeFailure(failure)),
  });
  let api: Api;
  try {
    api = await startApi({
      coordinator: replica.coordinator,
      clock: nodeClock,
      endOfTurn: nodeEndOfTurn,
      bytes: nodeBytes,
      logger,
      version: VERSION,
      maxSockets: boundOfSockets(configuration, logger),
      listen: configuration.listenClient.map(({ host, port }) => ({ host, port })),
      allowedOrigins: configuration.allowedOrigins,
      allowedHosts: [...configuration.allowedHosts, ...advertised(configuration).map(hostOf)],
    });
  } catch (error) {
    throw listenFailure(error, configuration);
  }
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= stopInOrder(api, replica);
    return stopping;
  };
  try {
    await startReplica(replica);
  } catch (error) {
    await stop();
    throw peerListenFailure(error, configuration);
  }
  const clientUrls = api.addresses.map(({ host, port }) => urlOf(host, port));
  return { clientUrls, failed, stop };
}

/** The doors outlive the replica: what it decides while it stops is still told to who asked. */
async function stopInOrder(api: Api, replica: Replica): Promise<void> {
  await api.drain();
  await new Promise<void>(resolve => replica.stop(resolve));
  await api.stop();
}

function advertised(configuration: Configuration): readonly string[] {
  if (configuration.advertiseClientUrls.length > 0) return configuration.advertiseClientUrls;
  return configuration.listenClient.map(endpoint => endpoint.url);
}

const hostOf = (url: string): string => new URL(url).hostname;

const urlOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
