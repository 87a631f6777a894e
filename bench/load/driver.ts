/**
 * The load driver for Holdfast, a process of its own: `node driver.js --endpoints … --workload put
 * --workers 256 --connections 8`. Prints one Report as a JSON line. Its twin for etcd is
 * peers/etcd/driver.go: keep the two alike.
 */
import { parseArgs } from "node:util";
import { type Client, connect } from "holdfast-client";
import { Pool } from "undici";
import { percentile, type Report } from "./report.js";

const { values: flags } = parseArgs({
  options: {
    endpoints: { type: "string", default: "" },
    workload: { type: "string", default: "" },
    workers: { type: "string", default: "1" },
    connections: { type: "string", default: "1" },
    "warm-up-ms": { type: "string", default: "500" },
    "measure-ms": { type: "string", default: "3000" },
    "value-bytes": { type: "string", default: "32" },
  },
});

type Operation = () => Promise<unknown>;

const endpoints = flags.endpoints.split(",");
const workers = Number(flags.workers);
const connections = Number(flags.connections);
const value = "v".repeat(Number(flags["value-bytes"]));
const run = String(process.pid);
const closers: (() => Promise<unknown>)[] = [];

/** The i-th endpoint first, so that connections spread over the nodes as those of the other driver. */
function rotated(i: number): string[] {
  const at = i % endpoints.length;
  return [...endpoints.slice(at), ...endpoints.slice(0, at)];
}

function dial(): Client[] {
  return Array.from({ length: connections }, (_, i) => {
    const client = connect(rotated(i), { ttlMs: 60_000 });
    closers.push(() => client.close());
    return client;
  });
}

function cycle(client: Client, name: string): Operation {
  const lock = client.lock(name);
  return async () => {
    const held = await lock.acquire();
    await held.release();
  };
}

function httpPuts(): Operation[] {
  const each = Math.ceil(connections / endpoints.length);
  const pools = endpoints.map(origin => new Pool(origin, { connections: each, pipelining: 1 }));
  for (const pool of pools) closers.push(() => pool.close());
  return Array.from({ length: workers }, (_, w) => {
    const pool = pools[w % pools.length] as Pool;
    const path = `/v1/kv/bench/${run}/http/${w}`;
    return async () => {
      const answer = await pool.request({ path, method: "PUT", body: value });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw new Error(`PUT answered ${answer.statusCode}`);
    };
  });
}

async function operations(): Promise<Operation[]> {
  if (flags.workload === "http-put") return httpPuts();
  const clients = dial();
  await Promise.all(clients.map(client => client.ready()));
  return Promise.all(
    Array.from({ length: workers }, async (_, w): Promise<Operation> => {
      const client = clients[w % clients.length] as Client;
      const key = `bench/${run}/${flags.workload}/${w}`;
      switch (flags.workload) {
        case "put":
          return () => client.kv.put(key, value);
        case "get":
          await client.kv.put(key, value);
          return () => client.kv.get(key);
        case "lock-cycle":
          return cycle(client, key);
        case "hand-over":
          return cycle(client, `bench/${run}/hot`);
        default:
          throw new Error(`unknown workload "${flags.workload}"`);
      }
    }),
  );
}

async function measure(work: readonly Operation[]): Promise<Report> {
  let running = true;
  let counting = false;
  let errors = 0;
  const latencies: number[] = [];
  const loops = work.map(async operation => {
    while (running) {
      const begun = performance.now();
      try {
        await operation();
        if (counting) latencies.push(performance.now() - begun);
      } catch (error) {
        errors += 1;
        if (errors === 1) console.error(error);
        if (errors > 1_000) throw error;
      }
    }
  });
  const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
  await pause(Number(flags["warm-up-ms"]));
  counting = true;
  const begun = performance.now();
  await pause(Number(flags["measure-ms"]));
  counting = false;
  const seconds = (performance.now() - begun) / 1_000;
  running = false;
  await Promise.all(loops);
  const sorted = Float64Array.from(latencies).sort();
  return {
    operations: sorted.length,
    seconds,
    perSecond: sorted.length / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    errors,
  };
}

const report = await measure(await operations());
console.log(JSON.stringify(report));
await Promise.all(closers.map(close => close()));
process.exit(0);
