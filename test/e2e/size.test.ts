/** 100,000 keys and 10,000 leases in three real nodes: snapshots, and restarts of all three. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { PATIENT } from "./harness/workers.js";

const KEYS = 100_000;
const LEASES = 10_000;
const KEYS_PER_WRITE = 100;
const SNAPSHOT_AFTER_BYTES = 2 * 1024 * 1024;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start(3, [`--snapshot-after-bytes=${SNAPSHOT_AFTER_BYTES}`]);
});
afterAll(() => cluster.close());

const keyOf = (at: number): string => `size/${String(at).padStart(6, "0")}`;

/** `count` calls of `work`, 200 at a time. */
async function pipelined(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 200 }, worker));
}

function writeKeys(client: Client): Promise<void> {
  return pipelined(KEYS / KEYS_PER_WRITE, first => {
    const success = Array.from({ length: KEYS_PER_WRITE }, (_, i) => {
      const at = first * KEYS_PER_WRITE + i;
      return { put: { key: keyOf(at), value: `value ${at}`.padEnd(32, ".") } } as const;
    });
    return client.kv.txn({ success });
  });
}

const residentMb = (node: Node): number => {
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kb) / 1024);
};

function snapshotOf(node: Node): { name: string; bytes: number } | undefined {
  const name = readdirSync(node.dataDirectory)
    .filter(file => /^snapshot-\d{16}-\d{16}$/.test(file))
    .sort()
    .at(-1);
  if (name === undefined) return undefined;
  return { name, bytes: statSync(join(node.dataDirectory, name)).size };
}

async function countKeys(node: Node): Promise<unknown> {
  const response = await fetch(`${node.url}/v1/kv?prefix=size/&countOnly=true`);
  return ((await response.json()) as { count?: number }).count;
}

async function countLeases(client: Client): Promise<number> {
  let count = 0;
  for await (const _ of client.leases.list()) count += 1;
  return count;
}

test("100,000 keys and 10,000 leases are snapshotted, and all is there after a restart", async () => {
  let mark = performance.now();
  const figures: Record<string, number> = {};
  const measured = (what: string): void => {
    figures[what] = Math.round(performance.now() - mark);
    mark = performance.now();
  };
  const client = connect(cluster.endpoints, PATIENT);
  await writeKeys(client);
  measured("write 100,000 keys, ms");
  await pipelined(LEASES, () => client.leases.grant({ ttlMs: 600_000 }));
  measured("grant 10,000 leases, ms");
  for (const node of cluster.nodes) {
    await cluster.until(`a snapshot of ${node.name}`, () => snapshotOf(node));
  }
  figures["snapshot, bytes"] = snapshotOf(cluster.nodes[0] as Node)?.bytes ?? 0;
  figures["resident, MB"] = Math.max(...cluster.nodes.map(residentMb));
  await client.close();
  mark = performance.now();
  const codes = await Promise.all(cluster.nodes.map(node => node.stop()));
  expect(codes).toEqual([0, 0, 0]);
  measured("stop all three, ms");
  for (const node of cluster.nodes) node.start();
  await cluster.ready();
  measured("start all three until ready, ms");
  figures["resident after the restart, MB"] = Math.max(...cluster.nodes.map(residentMb));
  for (const node of cluster.nodes) expect(await countKeys(node)).toBe(KEYS);
  const again = connect(cluster.endpoints, PATIENT);
  const { value } = (await again.kv.get(keyOf(77_777))) ?? {};
  expect(value).toBe("value 77777".padEnd(32, "."));
  expect(await countLeases(again)).toBe(LEASES);
  await again.close();
  console.log(figures);
});
