/**
 * `npm run bench:failover`: how long nobody is served when the leader dies by SIGKILL. Three real
 * processes with sync on; 16 workers over 8 connections put without pause; the leader is killed,
 * the cluster healed, and that again. Time without service is the longest time between two
 * acknowledgements around a kill; it is what etcd's 1.2 s is to be compared with.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Client, connect } from "holdfast-client";
import { type PlannedNode, planHoldfast, untilReady } from "./load/cluster.js";
import { median } from "./load/report.js";
import { writePerformancePage } from "./performance-page.js";
import { stopProcess, until } from "./processes.js";

const { values: flags } = parseArgs({
  options: { kills: { type: "string", default: "20" }, output: { type: "string" } },
});

const CLIENTS = 8;
const WORKERS_PER_CLIENT = 2;
const repository = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "holdfast-failover-"));

interface Kill {
  /** The longest time between two acknowledgements of any client. */
  readonly withoutServiceMs: number;
  /** Until every client had a write acknowledged that it began after the kill. */
  readonly everyClientMs: number;
  /** The longest time between two acknowledgements while the killed node came back. */
  readonly gapAtReturnMs: number;
}

/** Writers that note when each acknowledgement came, and when its write had begun. */
class Writers {
  readonly #clients: Client[];
  readonly #working: Promise<void>[] = [];
  #stopping = false;
  /** Of any client: since the last `reset`. */
  longestGapMs = 0;
  acknowledged = 0;
  readonly errors: unknown[] = [];
  #lastMs = performance.now();
  /** By client: when its newest acknowledged write had begun. */
  readonly begunMs: number[] = [];

  constructor(endpoints: readonly string[]) {
    this.#clients = Array.from({ length: CLIENTS }, () => connect(endpoints));
    this.#clients.forEach((client, at) => {
      for (let w = 0; w < WORKERS_PER_CLIENT; w++) this.#working.push(this.#work(client, at, w));
    });
  }

  reset(): void {
    this.longestGapMs = 0;
    this.acknowledged = 0;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#working);
    await Promise.all(this.#clients.map(client => client.close()));
  }

  async #work(client: Client, at: number, worker: number): Promise<void> {
    while (!this.#stopping) {
      const begunMs = performance.now();
      try {
        await client.kv.put(`failover/${at}/${worker}`, String(begunMs));
      } catch (error) {
        this.errors.push(error);
        continue;
      }
      const nowMs = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      this.begunMs[at] = Math.max(begunMs, this.begunMs[at] ?? 0);
      this.acknowledged += 1;
    }
  }
}

async function leaderAmong(nodes: readonly PlannedNode[]): Promise<number> {
  let found = -1;
  await until("a leader", async () => {
    for (const [at, { url }] of nodes.entries()) {
      const response = await fetch(`${url}/v1/cluster/status`, { method: "POST", body: "{}" });
      const { leader, nodeId } = (await response.json()) as { leader?: string; nodeId: string };
      if (leader === nodeId) found = at;
    }
    return found >= 0;
  });
  return found;
}

async function killOnce(
  nodes: readonly PlannedNode[],
  running: ChildProcess[],
  writers: Writers,
): Promise<Kill> {
  const leader = await leaderAmong(nodes);
  writers.reset();
  await until("steady service", async () => writers.acknowledged > 200);
  writers.reset();
  const killedMs = performance.now();
  running[leader]?.kill("SIGKILL");
  const servedAll = () => writers.begunMs.every(begunMs => begunMs > killedMs);
  while (!servedAll()) await new Promise(resolve => setTimeout(resolve, 1));
  const everyClientMs = performance.now() - killedMs;
  const withoutServiceMs = writers.longestGapMs;
  writers.reset();
  running[leader] = nodes[leader]?.start() ?? (running[leader] as ChildProcess);
  await untilReady(nodes.map(({ url }) => url));
  await until("steady service", async () => writers.acknowledged > 200);
  return { withoutServiceMs, everyClientMs, gapAtReturnMs: writers.longestGapMs };
}

const spread = (values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b).map(value => Math.round(value));
  return { median: median(sorted), least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0, all: sorted };
};

async function measure(): Promise<readonly Kill[]> {
  const nodes = await planHoldfast(directory);
  const running = nodes.map(node => node.start());
  try {
    await untilReady(nodes.map(({ url }) => url));
    const writers = new Writers(nodes.map(({ url }) => url));
    const kills: Kill[] = [];
    while (kills.length < Number(flags.kills)) {
      const kill = await killOnce(nodes, running, writers);
      kills.push(kill);
      const { withoutServiceMs, everyClientMs, gapAtReturnMs } = kill;
      const [any, every, back] = [withoutServiceMs, everyClientMs, gapAtReturnMs].map(Math.round);
      console.log(
        `kill ${kills.length}: ${any} ms without service, every client after ${every} ms; ` +
          `${back} ms at most while the node came back`,
      );
    }
    await writers.stop();
    const [error] = writers.errors;
    if (error !== undefined)
      throw new Error(`${writers.errors.length} writes failed`, { cause: error });
    return kills;
  } finally {
    await Promise.all(running.map(stopProcess));
    rmSync(directory, { recursive: true, force: true });
  }
}

const kills = await measure();
const result = {
  what: "leader killed with SIGKILL, 16 workers over 8 connections that put, 3 nodes, sync on",
  command: "npm run bench:failover",
  at: new Date().toISOString(),
  machine: { cpu: cpus()[0]?.model ?? "", cores: cpus().length, load: loadavg()[0] },
  kills: kills.length,
  withoutServiceMs: spread(kills.map(kill => kill.withoutServiceMs)),
  everyClientMs: spread(kills.map(kill => kill.everyClientMs)),
  gapAtReturnMs: spread(kills.map(kill => kill.gapAtReturnMs)),
};
const output = flags.output ?? join(repository, "bench/results/failover.json");
mkdirSync(join(output, ".."), { recursive: true });
writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
if (flags.output === undefined) writePerformancePage(repository);
console.log(`median ${result.withoutServiceMs.median} ms without service; ${output}`);
