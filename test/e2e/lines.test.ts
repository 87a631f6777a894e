/** The line below a lock's name in a real cluster: who stands in it, who does not, and in what order. */
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { until } from "./harness/until.js";

let cluster: Cluster;
let node: Node;

beforeAll(async () => {
  cluster = await Cluster.start();
  node = cluster.nodes[0] as Node;
});
afterAll(() => cluster.close());

async function grantLease(): Promise<string> {
  return (await node.post("/v1/lease/grant", { ttlMs: 60_000 })).body.lease as string;
}

async function inspect(name: string) {
  const { body } = await node.post("/v1/lock/inspect", { name });
  const keys = (who: unknown) => (who as { key: string }[]).map(one => one.key);
  return {
    holders: keys(body.holders),
    waiters: keys(body.waiters),
    ignored: body.ignored as string[],
  };
}

test("a stray key below a lock's name neither holds nor blocks it, before and after", async () => {
  const name = "strays/lock";
  const lease = await grantLease();
  const put = (key: string, more: object = {}) =>
    node.post("/v1/kv/put", { key, value: "stray", ...more });
  expect(await put(`${name}/aaa`)).toMatchObject({ status: 200 });
  expect(await put(`${name}/with-lease`, { lease })).toMatchObject({ status: 200 });
  // A lease's id without that lease is nothing either.
  expect(await put(`${name}/${lease}`)).toMatchObject({ status: 200 });
  expect(await put(`${name}/${"0".repeat(19)}1`, { lease })).toMatchObject({
    status: 400,
    body: { error: { code: "RESERVED_NAME" } },
  });

  const held = await node.post("/v1/lock/acquire", { name, ttlMs: 60_000 });
  expect(held.status).toBe(200);
  expect(await put(`${name}/later`)).toMatchObject({ status: 200 });
  const now = await inspect(name);
  expect(now.holders).toEqual([held.body.key]);
  expect(now.waiters).toEqual([]);
  expect(now.ignored).toEqual(
    [`${name}/aaa`, `${name}/later`, `${name}/with-lease`, `${name}/${lease}`].sort(),
  );
  // Giving a stray key a lease later makes no entry of it.
  expect(await put(`${name}/${lease}`, { lease })).toMatchObject({ status: 200 });
  expect((await inspect(name)).waiters).toEqual([]);
  const next = node.post("/v1/lock/acquire", { name, ttlMs: 60_000, waitMs: -1 });
  await until("one in line", async () => (await inspect(name)).waiters.length === 1);
  await node.post("/v1/lock/release", { key: held.body.key });
  expect(await next).toMatchObject({ status: 200 });
});

test("a lease-bound key in the form of etcd's lock recipe stands in line in its turn", async () => {
  const name = "recipe/lock";
  const lease = await grantLease();
  const key = `${name}/${lease}`;
  const first = await node.post("/v1/lock/acquire", { name, ttlMs: 60_000 });
  const put = await node.post("/v1/kv/put", { key, value: "", lease, prevExist: false });
  expect(put).toMatchObject({ status: 200, body: { created: true } });
  const third = node.post("/v1/lock/acquire", { name, ttlMs: 60_000, waitMs: -1 });
  const { waiters } = await until("two in line", async () => {
    const line = await inspect(name);
    return line.waiters.length === 2 ? line : null;
  });
  expect(waiters[0]).toBe(key);

  await node.post("/v1/lock/release", { key: first.body.key });
  expect(await inspect(name)).toMatchObject({ holders: [key], waiters: [waiters[1]] });
  const check = await node.post("/v1/lock/check", { key });
  expect(check).toMatchObject({ status: 200, body: { held: true, token: put.body.revision } });
  // Its value may change; its lease may not, and so it stays where it is.
  expect(await node.post("/v1/kv/put", { key, value: "mine" })).toMatchObject({ status: 200 });
  const other = { key, value: "theirs", lease: await grantLease() };
  expect(await node.post("/v1/kv/put", other)).toMatchObject({
    status: 409,
    body: { error: { code: "ENTRY_PROTECTED" } },
  });
  expect(await inspect(name)).toMatchObject({ holders: [key], waiters: [waiters[1]] });
  expect(await node.post("/v1/kv/delete", { key })).toMatchObject({ body: { deleted: 1 } });
  expect((await third).body.key).toBe(waiters[1]);
  expect((await node.post("/v1/lock/check", { key })).body.error).toMatchObject({
    code: "NOT_HELD",
    details: { reason: "deleted" },
  });
});

test("10,000 waiters in one line are granted in the order of their places", {
  timeout: 300_000,
}, async () => {
  const name = "long/line";
  const clients: Client[] = [];
  try {
    for (let i = 0; i < 4; i++)
      clients.push(connect(cluster.endpoints, { ttlMs: 60_000, timeoutMs: 60_000 }));
    const gate = await (clients[0] as Client).lock(name, { actor: "gate" }).acquire();
    const beganMs = performance.now();
    const granted: number[] = [];
    const orderOf = clients.map((): number[] => []);
    let gateOpenMs = 0;
    const all = clients.flatMap((client, at) =>
      Array.from({ length: 2_500 }, async (_, i) => {
        const held = await client.lock(name, { actor: `${i}` }).acquire();
        granted.push(held.token);
        orderOf[at]?.push(i);
        await held.release();
      }),
    );
    await until(
      "10,000 in line",
      async () => {
        const { waiterCount } = await (clients[0] as Client).lock(name).inspect();
        return waiterCount === 10_000;
      },
      60_000,
    );
    gateOpenMs = performance.now();
    await gate.release();
    await Promise.all(all);
    const doneMs = performance.now();
    expect(granted).toHaveLength(10_000);
    expect(granted).toEqual(granted.toSorted((a, b) => a - b));
    expect(new Set(granted).size).toBe(10_000);
    // Within one connection the order of the line is the order of asking.
    for (const order of orderOf) expect(order).toEqual(Array.from({ length: 2_500 }, (_, i) => i));
    const perSecond = Math.round(10_000_000 / (doneMs - gateOpenMs));
    console.log(
      `10,000 waiters over 4 connections: in line after ${Math.round(gateOpenMs - beganMs)} ms, ` +
        `then ${perSecond} hand-overs/s`,
    );
  } finally {
    await Promise.all(clients.map(client => client.close()));
  }
});
