/**
 * One of three, alone: the others are stopped, later killed. It leads when that happens, so it
 * takes a write into its log that nobody else ever has; what it then says and serves, and what is
 * left of that write after it has rejoined.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";

let cluster: Cluster;
let leader: Node;
let others: Node[];
let lease: unknown;

beforeAll(async () => {
  cluster = await Cluster.start();
  leader = await cluster.leader();
  others = cluster.others(leader);
  await leader.post("/v1/kv/put", { key: "before", value: "acknowledged" });
  lease = (await leader.post("/v1/lease/grant", { ttlMs: 60_000 })).body.lease;
});
afterAll(() => cluster.close());

const put = (node: Node, key: string) => node.post("/v1/kv/put", { key, value: `value of ${key}` });

async function get(node: Node, key: string, consistency: string): Promise<number> {
  const { status } = await node.post("/v1/kv/get", { key, consistency });
  return status;
}

/** Whether `text` stands in a log segment on the node's disk. */
function hasOnDisk(node: Node, text: string): boolean {
  return readdirSync(node.dataDirectory)
    .filter(name => name.startsWith("segment-"))
    .some(name => readFileSync(join(node.dataDirectory, name)).includes(text));
}

async function healthOf(node: Node): Promise<number> {
  const response = await fetch(`${node.url}/health`);
  await response.arrayBuffer();
  return response.status;
}

test("alone it acknowledges no write and no keep-alive, and serves no linearizable read", async () => {
  for (const node of others) node.signal("SIGSTOP");
  // At once, so that it still thinks it leads: the first goes into its log.
  const answers = await Promise.all([
    put(leader, "tail"),
    leader.post("/v1/lease/keepalive", { lease }),
    leader.post("/v1/lock/acquire", { name: "alone", ttlMs: 5_000 }),
    leader.post("/v1/kv/get", { key: "before" }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([
    expect.toBeOneOf([503, 504]),
    503,
    expect.toBeOneOf([503, 504]),
    503,
  ]);
  expect(hasOnDisk(leader, "value of tail")).toBe(true);
  await cluster.until(
    "it to have stepped down",
    async () => (await leader.status()).leader === undefined,
  );
  // Later ones are refused outright.
  const [late, health, read] = await Promise.all([
    put(leader, "late"),
    healthOf(leader),
    get(leader, "before", "linearizable"),
  ]);
  expect(late.body.error).toMatchObject({ outcome: "not-applied", retryable: true });
  expect([health, read]).toEqual([503, 503]);
});

test("alone it still serves serializable reads", async () => {
  expect(await get(leader, "before", "serializable")).toBe(200);
  expect(await get(leader, "tail", "serializable")).toBe(404);
});

test("after it rejoins, the tail that only it had is gone", async () => {
  // What the stopped ones have in their sockets must not reach them: they start anew.
  for (const node of others) await node.kill();
  leader.signal("SIGSTOP");
  for (const node of others) node.start();
  await Promise.all(
    others.map(node => cluster.until(`${node.name} to be ready`, () => node.ready())),
  );
  const next = await cluster.leader(others);
  expect((await put(next, "after")).status).toBe(200);
  leader.signal("SIGCONT");
  await cluster.until("the former leader to be ready", () => leader.ready());
  for (const node of cluster.nodes) {
    expect(await get(node, "before", "linearizable")).toBe(200);
    expect(await get(node, "after", "linearizable")).toBe(200);
    expect(await get(node, "tail", "linearizable")).toBe(404);
    expect(await get(node, "late", "linearizable")).toBe(404);
  }
  const { status } = await leader.post("/v1/lease/keepalive", { lease });
  expect(status).toBe(200);
});
