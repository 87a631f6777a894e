/**
 * Nodes die by SIGKILL under 64 workers that take turns on 8 locks: the leader alone, and all three
 * at once. What clients were told is compared with what is there afterwards.
 */
import { type Client, connect, type Held } from "holdfast-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";
import { PATIENT, Workers } from "./harness/workers.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.close());

const workersOf = (run: string): Workers =>
  new Workers({ endpoints: cluster.endpoints, clients: 8, workersPerClient: 8, locks: 8, run });

/** `count` more turns than now. */
function moreTurns(workers: Workers, count: number): Promise<boolean> {
  const goal = workers.holds.count + count;
  return until(`${count} more turns`, () => workers.holds.count >= goal, 60_000);
}

/** Everything that must hold of a finished run, whatever died meanwhile. */
async function judge(workers: Workers): Promise<void> {
  expect(workers.failures).toEqual([]);
  expect(workers.lost).toEqual([]);
  expect(workers.holds.contradictions()).toEqual([]);
  expect(workers.acknowledged.missingFrom(await workers.stored())).toEqual([]);
  expect(workers.fenced.map(register => register.lostUpdates)).toEqual(Array(8).fill(0));
  const unfenced = workers.unfenced.reduce((sum, register) => sum + register.lostUpdates, 0);
  const turns = workers.holds.count;
  console.log(`${turns} turns; an unfenced register would have lost ${unfenced} updates`);
}

describe("the leader killed under 64 workers", () => {
  test("no acknowledged write is lost, no two holders overlap, tokens increase", async () => {
    const workers = workersOf("leader");
    workers.start();
    await moreTurns(workers, 200);
    for (let kill = 1; kill <= 2; kill++) {
      const leader = await cluster.leader();
      const atMs = performance.now();
      await leader.kill();
      await moreTurns(workers, 200);
      const gapMs = workers.acknowledged.longestGapMs(atMs);
      console.log(`leader ${leader.name} killed: ${gapMs.toFixed(0)} ms without service`);
      leader.start();
      await cluster.ready();
      await moreTurns(workers, 100);
    }
    await workers.stop();
    await judge(workers);
  });
});

describe("all three killed at once under load", () => {
  async function killAll(): Promise<void> {
    await Promise.all(cluster.nodes.map(node => node.kill()));
    for (const node of cluster.nodes) node.start();
  }

  test("everything acknowledged is there after they are started again", async () => {
    const workers = workersOf("all");
    workers.start();
    await moreTurns(workers, 200);
    const atMs = performance.now();
    await killAll();
    await moreTurns(workers, 200);
    const gapMs = workers.acknowledged.longestGapMs(atMs);
    console.log(`all killed and started again: ${gapMs.toFixed(0)} ms without service`);
    await workers.stop();
    await judge(workers);
  });

  test("leases still run out, and waiters are granted in their old order", async () => {
    const name = "all/line";
    const clients = cluster.endpoints.map(endpoint =>
      connect([endpoint, ...cluster.endpoints], PATIENT),
    );
    const [first] = clients as [Client, ...Client[]];
    // A holder without anybody who keeps its lease alive.
    const { lease } = await first.leases.grant({ ttlMs: 2_000 });
    await first.call("lock.acquire", { name, lease, waitMs: 0 });
    const order: number[] = [];
    const waits = await standInLine(clients, name, order);
    await killAll();
    await cluster.ready();
    await Promise.all(waits);
    expect(order).toEqual(order.map((_, i) => i));
    const ended = await first.leases.get(lease);
    expect(ended.ended).toEqual({ reason: "expired" });
    await Promise.all(clients.map(client => client.close()));
  });

  /** Twelve waiters over all clients, each in line before the next one comes. */
  async function standInLine(
    clients: readonly Client[],
    name: string,
    order: number[],
  ): Promise<Promise<void>[]> {
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 12; i++) {
      const client = clients[i % clients.length] as Client;
      const take = (held: Held): void => {
        order.push(i);
        held.assertHeld();
      };
      waits.push(client.lock(name).run(take));
      await until(`waiter ${i} in line`, async () => {
        const { waiterCount } = await client.lock(name).inspect();
        return waiterCount === i + 1;
      });
    }
    return waits;
  }
});
