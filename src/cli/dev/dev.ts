/**
 * `holdfast dev`: a cluster of three node processes in one terminal, for trying things out and for
 * integration tests in any language. Not for production: all three share one machine and one disk.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./ports.js";
import { type NodeEvents, NodeProcess } from "./processes.js";

export interface DevOptions {
  /** Data in a temporary folder that is removed at the end, in place of `.holdfast/`. */
  readonly memory: boolean;
  /** null: the usual ports 2379, 22379, 32379 (peers one above). 0: any free ones. */
  readonly port: number | null;
  /** One JSON line on stdout when the cluster is ready, nothing else. */
  readonly json: boolean;
  /** The data directory, unless `memory`. */
  readonly directory: string;
}

interface Layout {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

const NAMES = ["n1", "n2", "n3"] as const;
const USUAL_OFFSETS = [0, 20_000, 30_000] as const;
const USUAL_PORT = 2_379;
const READY_POLL_MS = 50;
const READY_LIMIT_MS = 30_000;

async function layout(port: number | null): Promise<readonly Layout[]> {
  if (port === 0) {
    const free = await freePorts(NAMES.length * 2);
    return NAMES.map((name, at) => ({
      name,
      clientPort: free[2 * at] ?? 0,
      peerPort: free[2 * at + 1] ?? 0,
    }));
  }
  const first = port ?? USUAL_PORT;
  return NAMES.map((name, at) => {
    const clientPort = first + (port === null ? (USUAL_OFFSETS[at] ?? 0) : 2 * at);
    return { name, clientPort, peerPort: clientPort + 1 };
  });
}

const url = (port: number): string => `http://127.0.0.1:${port}`;

function nodes(all: readonly Layout[], directory: string, events: NodeEvents): NodeProcess[] {
  const cluster = all.map(node => `${node.name}=${url(node.peerPort)}`).join(",");
  return all.map(node => {
    const flags = [
      `--name=${node.name}`,
      `--data-dir=${join(directory, node.name)}`,
      `--listen-peer-urls=${url(node.peerPort)}`,
      `--listen-client-urls=${url(node.clientPort)}`,
      `--initial-cluster=${cluster}`,
    ];
    const logFile = join(directory, `${node.name}.log`);
    return new NodeProcess({ name: node.name, flags, logFile }, events);
  });
}

async function isReady(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Resolves with true when all answer `/readyz`, with false when `stopped` or after 30 s. */
async function allReady(endpoints: readonly string[], stopped: () => boolean): Promise<boolean> {
  const limit = performance.now() + READY_LIMIT_MS;
  while (!stopped() && performance.now() < limit) {
    const ready = await Promise.all(endpoints.map(isReady));
    if (ready.every(Boolean)) return true;
    await new Promise(resolve => setTimeout(resolve, READY_POLL_MS));
  }
  return false;
}

function greet(all: readonly Layout[], directory: string, cluster: readonly NodeProcess[]): string {
  const endpoints = all.map(node => url(node.clientPort)).join(",");
  const usual = all[0]?.clientPort === USUAL_PORT;
  const lines = all.map((node, at) => {
    const pid = String(cluster[at]?.pid ?? "").padEnd(8);
    return `  ${node.name}  pid ${pid} ${url(node.clientPort)}`;
  });
  const first = url(all[0]?.clientPort ?? USUAL_PORT);
  return [
    "",
    `A cluster of ${all.length} nodes is ready. Data and logs: ${directory}`,
    ...lines,
    "",
    "In another terminal, try:",
    ...(usual ? [] : [`  export HOLDFAST_ENDPOINTS=${endpoints}`]),
    "  npx holdfast put greeting hello",
    "  npx holdfast get greeting",
    "  npx holdfast lock jobs/42 -- sleep 10      # and the same again in a third terminal",
    "  npx holdfast who jobs/42",
    `  curl -d '{"name":"jobs/43","ttlMs":15000}' ${first}/v1/lock/acquire`,
    "  kill -9 one of the pids above              # the others carry on; it is started again",
    "",
    "Ctrl-C stops the cluster.",
    "",
  ].join("\n");
}

/** Resolves with the exit code once told to stop by SIGINT, SIGTERM, or the end of the parent. */
export async function runDev(options: DevOptions): Promise<number> {
  const all = await layout(options.port);
  const directory = options.memory
    ? mkdtempSync(join(tmpdir(), "holdfast-dev-"))
    : options.directory;
  mkdirSync(directory, { recursive: true });
  let stopping = false;
  let failure: string | null = null;
  let wake: () => void = () => {};
  const stopped = new Promise<void>(resolve => {
    wake = resolve;
  });
  const stop = (): void => {
    stopping = true;
    wake();
  };
  let ready = false;
  const cluster = nodes(all, directory, {
    died(name, how, last) {
      if (!ready) {
        failure ??= `${name} ${how}: ${last}`;
        stop();
        return;
      }
      console.error(`${name} ${how}${last === "" ? "" : `: ${last}`}; starting it again`);
    },
    restarted(name, pid) {
      console.error(`${name} is back as pid ${pid}`);
    },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  for (const node of cluster) node.start();
  const endpoints = all.map(node => url(node.clientPort));
  ready = await allReady(endpoints, () => stopping);
  if (ready && options.json) {
    console.log(JSON.stringify({ endpoints, directory, pids: cluster.map(node => node.pid) }));
  } else if (ready) {
    console.log(greet(all, directory, cluster));
  } else if (!stopping) {
    failure = `the cluster was not ready within 30 s; see the logs in ${directory}`;
  }
  if (ready) await stopped;
  await Promise.all(cluster.map(node => node.stop()));
  if (options.memory) rmSync(directory, { recursive: true, force: true });
  if (failure !== null) console.error(`holdfast dev: ${failure}`);
  else if (!options.json) console.error("stopped");
  return failure === null ? 0 : 1;
}
