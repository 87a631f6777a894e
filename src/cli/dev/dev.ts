/**
 * `holdfast dev`: a cluster of three node processes in one terminal, for trying things out and
 * for integration tests in any language. Not for production: all three share one machine and one
 * disk.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT } from "../output/exit-codes.js";
import { SERVER_PROGRAM } from "../server-program.js";
import {
  BadLayout,
  firstTaken,
  isUsual,
  type Layout,
  layoutFor,
  planLayout,
  urlOf,
} from "./layout.js";
import { type NodeEvents, NodeProcess } from "./processes.js";

export interface DevOptions {
  /** Data in a temporary folder that is removed at the end, in place of `directory`. */
  readonly memory: boolean;
  /** null: the usual ports 2379, 22379, 32379 (peers one above). 0: any free ones. */
  readonly port: number | null;
  /** One JSON line on stdout when the cluster is ready, nothing else. */
  readonly json: boolean;
  readonly directory: string;
}

const READY_POLL_MS = 50;
const READY_LIMIT_MS = 30_000;

function nodes(all: readonly Layout[], directory: string, events: NodeEvents): NodeProcess[] {
  const cluster = all.map(node => `${node.name}=${urlOf(node.peerPort)}`).join(",");
  return all.map(node => {
    const flags = [
      `--name=${node.name}`,
      `--data-dir=${join(directory, node.name)}`,
      `--listen-peer-urls=${urlOf(node.peerPort)}`,
      `--listen-client-urls=${urlOf(node.clientPort)}`,
      `--initial-cluster=${cluster}`,
    ];
    const logFile = join(directory, `${node.name}.log`);
    const plan = { name: node.name, program: SERVER_PROGRAM, flags, logFile };
    return new NodeProcess(plan, events);
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

/** Resolves with true when all that are members answer `/readyz`, with false when `stopped` or after 30 s. */
async function allReady(
  endpoints: () => readonly string[],
  stopped: () => boolean,
): Promise<boolean> {
  const limit = performance.now() + READY_LIMIT_MS;
  while (!stopped() && performance.now() < limit) {
    const ready = await Promise.all(endpoints().map(isReady));
    if (ready.every(Boolean)) return true;
    await new Promise(resolve => setTimeout(resolve, READY_POLL_MS));
  }
  return false;
}

/** At most 80 columns wide; every line to try is one that can be copied. */
function greeting(all: readonly Layout[], directory: string, cluster: readonly NodeProcess[]) {
  const lines = all.map((node, at) => {
    const pid = String(cluster[at]?.pid ?? "").padEnd(8);
    return `  ${node.name}  pid ${pid} ${urlOf(node.clientPort)}`;
  });
  const hosts = all.map(node => `127.0.0.1:${node.clientPort}`);
  return [
    "",
    `A cluster of ${all.length} nodes is ready. Data and logs: ${directory}`,
    ...lines,
    "",
    "In another terminal, try:",
    ...(isUsual(all) ? [] : [`  export HOLDFAST_ENDPOINTS=${hosts.join(",")}`]),
    "  npx holdfast put greeting hello",
    "  npx holdfast get greeting",
    "  npx holdfast lock jobs/42 -- sleep 10   # and again, in a third terminal",
    "  npx holdfast who jobs/42",
    `  curl ${hosts[0]}/v1/lock/acquire -d '{"name":"jobs/43","ttlMs":15000}'`,
    "  npx holdfast status",
    `  kill -9 ${cluster[0]?.pid ?? ""}   # the others carry on, and it is started again`,
    "",
    "Ctrl-C stops the cluster.",
    "",
  ].join("\n");
}

/** One running `holdfast dev`. */
class Dev {
  readonly #options: DevOptions;
  readonly #directory: string;
  readonly #layout: readonly Layout[];
  readonly #nodes: readonly NodeProcess[];
  readonly #stopped: Promise<void>;
  readonly #removed = new Set<string>();
  #wake: () => void = () => {};
  #stopping = false;
  #ready = false;
  #failure: string | null = null;

  constructor(options: DevOptions, directory: string, layout: readonly Layout[]) {
    this.#options = options;
    this.#directory = directory;
    this.#layout = layout;
    this.#nodes = nodes(layout, directory, {
      died: (name, how, last) => this.#died(name, how, last),
      restarted: (name, pid) => console.error(`${name} is back as pid ${pid}`),
      removed: name => {
        this.#removed.add(name);
        console.error(`${name} was removed from the cluster, and is not started again`);
      },
    });
    this.#stopped = new Promise(resolve => {
      this.#wake = resolve;
    });
  }

  stop(): void {
    this.#stopping = true;
    this.#wake();
  }

  /** Runs until it is told to stop or cannot go on; whether it could. */
  async run(): Promise<boolean> {
    const taken = await firstTaken(this.#layout);
    // That node fails, and says itself who has its port; whoever has it may well answer `/readyz`.
    const started = this.#nodes.filter(node => taken === null || node.name === taken.name);
    for (const node of started) node.start();
    if (taken === null) await this.#becomeReady();
    if (this.#failure === null && !this.#stopping) await this.#stopped;
    await Promise.all(this.#nodes.map(node => node.stop()));
    if (this.#failure !== null) console.error(`holdfast dev: ${this.#failure}`);
    else if (!this.#options.json) console.error("stopped");
    return this.#failure === null;
  }

  async #becomeReady(): Promise<void> {
    const isMember = ({ name }: { readonly name: string }) => !this.#removed.has(name);
    const members = () => this.#layout.filter(isMember);
    const endpoints = () => members().map(node => urlOf(node.clientPort));
    this.#ready = await allReady(endpoints, () => this.#stopping);
    if (!this.#ready) {
      if (!this.#stopping)
        this.#failure = `the cluster was not ready within 30 s; see the logs in ${this.#directory}`;
    } else if (this.#options.json) {
      const pids = this.#nodes.filter(isMember).map(node => node.pid);
      const told = { endpoints: endpoints(), directory: this.#directory, pids };
      console.log(JSON.stringify(told));
    } else {
      console.log(greeting(members(), this.#directory, this.#nodes.filter(isMember)));
    }
  }

  #died(name: string, how: string, last: string): void {
    if (this.#ready) {
      console.error(
        `${name} ${how}${last === "" ? "" : `: ${last.replace(/\.$/, "")}`}; starting it again`,
      );
      return;
    }
    const why = last.replace(/^holdfast: /, "");
    this.#failure ??= why.includes(" is taken by ")
      ? `${name}: ${why} (here with --port; 0: any free ones)`
      : `${name} ${how}: ${why}`;
    this.stop();
  }
}

async function runIn(directory: string, options: DevOptions): Promise<number> {
  const { memory, port } = options;
  const layout = await (memory ? planLayout(port) : layoutFor(directory, port));
  mkdirSync(directory, { recursive: true });
  const dev = new Dev(options, directory, layout);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => dev.stop());
  }
  return (await dev.run()) ? EXIT.done : EXIT.negative;
}

/** Resolves with the exit code once told to stop by SIGINT, SIGTERM or SIGHUP. */
export async function runDev(options: DevOptions): Promise<number> {
  const temporary = options.memory ? mkdtempSync(join(tmpdir(), "holdfast-dev-")) : null;
  try {
    return await runIn(temporary ?? options.directory, options);
  } catch (error) {
    if (!(error instanceof BadLayout)) throw error;
    console.error(`holdfast dev: ${error.message}`);
    return EXIT.usage;
  } finally {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  }
}
