/** A cluster of real node processes that tests start, kill, stop, wake, empty and start again. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PeerNet } from "./peer-net.js";
import { freePorts } from "./ports.js";
import { until } from "./until.js";

const SERVER_PROGRAM = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));

/** Three nodes start within a second or two; beside other work on two cores it can be twenty. */
const PATIENCE_MS = 60_000;

export interface Status {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly name: string;
  readonly leader?: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly revision: number;
  readonly waitingFor?: string;
}

interface NodeOptions {
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly openFiles?: number | undefined;
}

export class Node {
  readonly name: string;
  readonly url: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly #flags: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #openFiles: number | null;
  #child: ChildProcess | null = null;
  #exit: Promise<number | NodeJS.Signals> = Promise.resolve(0);

  constructor(
    name: string,
    url: string,
    directory: string,
    flags: readonly string[],
    { env, openFiles }: NodeOptions = {},
  ) {
    this.name = name;
    this.url = url;
    this.dataDirectory = join(directory, name);
    this.logFile = join(directory, `${name}.log`);
    this.#env = env ?? {};
    this.#openFiles = openFiles ?? null;
    this.#flags = [`--name=${name}`, `--data-dir=${this.dataDirectory}`, ...flags];
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} does not run`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** Settles with the exit code or signal of the present (or last) process. */
  get exit(): Promise<number | NodeJS.Signals> {
    return this.#exit;
  }

  start(): void {
    if (this.#child !== null) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, "a");
    const words = [process.execPath, SERVER_PROGRAM, ...this.#flags];
    // The shell becomes the node, so that signals and the process id are the node's.
    if (this.#openFiles !== null)
      words.unshift("sh", "-c", `ulimit -n ${this.#openFiles} && exec "$@"`, "sh");
    const [program = "", ...rest] = words;
    const child = spawn(program, rest, {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    this.#exit = new Promise(resolve => {
      child.once("close", (code, signal) => {
        if (this.#child === child) this.#child = null;
        resolve(signal ?? code ?? -1);
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async kill(): Promise<void> {
    if (this.#child === null) return;
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  /** An orderly stop; the exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    this.#child?.kill("SIGTERM");
    return this.#exit;
  }

  empty(): void {
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  async status(): Promise<Status> {
    const { status, body } = await this.post("/v1/cluster/status", {});
    if (status !== 200) throw new Error(`${this.name}: ${JSON.stringify(body)}`);
    return body as unknown as Status;
  }

  async ready(): Promise<boolean> {
    const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  }

  /** A POST with a JSON body, and the JSON answer. */
  async post(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(this.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: JSON.parse(text) as Record<string, unknown> };
  }
}

export interface ClusterOptions {
  /** Puts a network between the nodes that the test can make bad: `cluster.net`. */
  readonly proxied?: boolean;
  /** What a node's environment has beside this process's own. */
  readonly env?: (name: string) => NodeJS.ProcessEnv;
  /** How many files and sockets each node's process may have open (`ulimit -n`). */
  readonly openFiles?: number;
}

export class Cluster {
  readonly directory: string;
  readonly #nodes: Node[];
  readonly #net: PeerNet | null;

  private constructor(directory: string, nodes: readonly Node[], net: PeerNet | null) {
    this.directory = directory;
    this.#nodes = [...nodes];
    this.#net = net;
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** A further node, not started yet; `flags` are all but its name and directory. */
  further(name: string, url: string, flags: readonly string[]): Node {
    const node = new Node(name, url, this.directory, flags);
    this.#nodes.push(node);
    return node;
  }

  /** `size` nodes, not started yet. `flags` go to each. */
  static async plan(
    size = 3,
    flags: readonly string[] = [],
    options: ClusterOptions = {},
  ): Promise<Cluster> {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-e2e-"));
    const ports = await freePorts(2 * size);
    const url = (at: number) => `http://127.0.0.1:${ports[at]}`;
    const names = Array.from({ length: size }, (_, i) => `n${i + 1}`);
    const peerPorts = new Map(names.map((name, i) => [name, ports[2 * i + 1] ?? 0]));
    const net = options.proxied === true ? await PeerNet.open(peerPorts) : null;
    const advertised = (i: number) => net?.url(names[i] ?? "") ?? url(2 * i + 1);
    const initial = names.map((name, i) => `${name}=${advertised(i)}`).join(",");
    const nodes = names.map((name, i) => {
      const own = [
        `--listen-client-urls=${url(2 * i)}`,
        `--listen-peer-urls=${url(2 * i + 1)}`,
        `--initial-advertise-peer-urls=${advertised(i)}`,
        `--initial-cluster=${initial}`,
        "--log-level=info",
        ...flags,
      ];
      const env = options.env?.(name);
      return new Node(name, url(2 * i), directory, own, { env, openFiles: options.openFiles });
    });
    return new Cluster(directory, nodes, net);
  }

  /** `size` nodes, all started and ready. */
  static async start(
    size = 3,
    flags: readonly string[] = [],
    options: ClusterOptions = {},
  ): Promise<Cluster> {
    const cluster = await Cluster.plan(size, flags, options);
    try {
      for (const node of cluster.nodes) node.start();
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Between the nodes, where the cluster was made `proxied`. */
  get net(): PeerNet {
    if (this.#net === null) throw new Error("this cluster was not made with a network to turn");
    return this.#net;
  }

  get endpoints(): string[] {
    return this.nodes.map(node => node.url);
  }

  /** Waits until every running node is ready. */
  async ready(limitMs = PATIENCE_MS): Promise<void> {
    for (const node of this.nodes) {
      if (node.running) await this.until(`${node.name} to be ready`, () => node.ready(), limitMs);
    }
  }

  /** Waits until one node of `among` is the leader in its own eyes and ready; that node. */
  async leader(among: readonly Node[] = this.nodes): Promise<Node> {
    return this.until("a leader", async () => {
      for (const node of among) {
        if (!node.running) continue;
        const status = await node.status().catch(() => undefined);
        if (status?.leader !== undefined && status.leader === status.nodeId) return node;
      }
      return undefined;
    });
  }

  async follower(): Promise<Node> {
    const leader = await this.leader();
    const found = this.nodes.find(node => node !== leader && node.running);
    if (found === undefined) throw new Error("no follower runs");
    return found;
  }

  others(node: Node): Node[] {
    return this.nodes.filter(other => other !== node);
  }

  /** As the `until` of until.ts; a failure also tells what the nodes said last. */
  until: typeof until = (what, ask, limitMs = PATIENCE_MS) =>
    until(what, ask, limitMs).catch(error => {
      throw new Error(`${error}\n${this.#lastLines()}`, { cause: error });
    });

  /** What the nodes said last, for whoever must find out why a test failed. */
  #lastLines(): string {
    const lines = this.nodes.map(node => {
      if (!existsSync(node.logFile)) return `${node.name} was never started`;
      const said = node.log().trimEnd().split("\n").slice(-8).join("\n  ");
      return `${node.name} (${node.running ? "running" : "not running"}):\n  ${said}`;
    });
    return lines.join("\n");
  }

  async close(): Promise<void> {
    for (const node of this.nodes) {
      if (!node.running) continue;
      node.signal("SIGCONT");
      await node.kill();
    }
    await this.#net?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
