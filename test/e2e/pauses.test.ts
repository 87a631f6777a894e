/**
 * Clients and nodes that are stopped (SIGSTOP) and woken, or killed while they hold. All times are
 * of one clock, the machine's monotonic one. "Not before" is exact, up to the 1 % that clock rates
 * may differ by. Late is allowed: a lease clock moves by at most a heartbeat a look, and a new
 * leader gives every lease its full time, so LATE_MS only says that it comes, on a machine however
 * busy.
 */
import { type Client, connect } from "holdfast-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Actor, machineMs } from "./harness/actor.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { pauseMs, until } from "./harness/until.js";

const TTL_MS = 2_000;
const LATE_MS = 30_000;
/** Clock rates may differ by 1 %. */
const CLOCK_RATE = 0.99;

let cluster: Cluster;
let actors: Actor[] = [];
let clients: Client[] = [];

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterEach(async () => {
  for (const node of cluster.nodes) node.signal("SIGCONT");
  await Promise.all(actors.map(actor => actor.kill()));
  await Promise.all(clients.map(client => client.close()));
  actors = [];
  clients = [];
});
afterAll(() => cluster.close());

async function actorAt(endpoints: readonly string[], ttlMs = TTL_MS): Promise<Actor> {
  const actor = await Actor.start(endpoints, { ttlMs, marginMs: ttlMs / 5 });
  actors.push(actor);
  return actor;
}

function clientAt(endpoints: readonly string[], ttlMs = 15_000): Client {
  const client = connect(endpoints, { ttlMs });
  clients.push(client);
  return client;
}

/** Waits for the moment after a keep-alive: the lease's running out is then known within moments. */
async function freshlyRenewed(actor: Actor): Promise<{ provenFromMs: number }> {
  let last = await actor.try("assert");
  return until("a keep-alive", async () => {
    const before = last;
    last = await actor.try("assert");
    const left = (done: typeof last) => (done.ok as { remainingMs: number }).remainingMs;
    const deadlineMs = last.atMs + left(last);
    if (deadlineMs < before.atMs + left(before) + 100) return null;
    // The deadline is the keep-alive's first sending + ttl × 0.99 − margin.
    return { provenFromMs: deadlineMs - TTL_MS * CLOCK_RATE + TTL_MS / 5 };
  });
}

test("a holder stopped past its time: the next waiter gets the lock after it, not before, and the woken one knows", async () => {
  const holder = await actorAt(cluster.endpoints);
  const waiter = clientAt(cluster.endpoints);
  const first = await holder.do<{ token: number; key: string }>("acquire", {
    name: "pause/holder",
  });
  const next = waiter.lock("pause/holder").acquire();
  const grantedAtMs = next.then(machineMs);
  await until("the waiter in line", async () => {
    const { waiterCount } = await waiter.lock("pause/holder").inspect();
    return waiterCount === 1;
  });

  const { provenFromMs } = await freshlyRenewed(holder);
  holder.signal("SIGSTOP");
  const stoppedAtMs = machineMs();
  const second = await next;
  const granted = await grantedAtMs;
  expect(granted - provenFromMs).toBeGreaterThanOrEqual(TTL_MS * CLOCK_RATE);
  expect(granted - stoppedAtMs).toBeLessThan(TTL_MS + LATE_MS);
  expect(second.token).toBeGreaterThan(first.token);

  // What is asked first is answered first: no message of the cluster can have been read before.
  const woken = holder.try("assert");
  const stale = holder.try("put", { key: "pause/state", value: "stale", heldBy: true });
  holder.signal("SIGCONT");
  expect((await woken).ok).toMatchObject({
    held: false,
    remainingMs: 0,
    error: { name: "LockLostError" },
  });
  expect((await stale).error).toMatchObject({ code: "NOT_HELD" });
  await until("the signal", () => holder.signalled);
  expect(holder.signalled).toMatchObject({ name: "LockLostError" });
  expect(await waiter.kv.get("pause/state")).toBeNull();
  await waiter.kv.put("pause/state", "fresh", { heldBy: second });
  await second.release();
  console.log(
    `stopped holder, ttl ${TTL_MS} ms: next grant ${Math.round(granted - provenFromMs)} ms after its last proof`,
  );
});

test("a killed holder's lease runs out and the next waiter is granted, without asking again", async () => {
  const holder = await actorAt(cluster.endpoints);
  const waiter = clientAt(cluster.endpoints);
  const first = await holder.do<{ token: number }>("acquire", { name: "dead/holder" });
  const next = waiter.lock("dead/holder").acquire();
  await until("the waiter in line", async () => {
    const { waiterCount } = await waiter.lock("dead/holder").inspect();
    return waiterCount === 1;
  });
  await holder.kill();
  const killedAtMs = machineMs();
  const held = await next;
  expect(machineMs() - killedAtMs).toBeLessThan(TTL_MS + LATE_MS);
  expect(held.token).toBeGreaterThan(first.token);
});

test("a killed holder's lease runs out although the leader is killed meanwhile", async () => {
  const leader = await cluster.leader();
  const holder = await actorAt(cluster.endpoints);
  const waiter = clientAt(cluster.endpoints);
  await holder.do("acquire", { name: "dead/twice" });
  const next = waiter.lock("dead/twice").acquire();
  await until("the waiter in line", async () => {
    const { waiterCount } = await waiter.lock("dead/twice").inspect();
    return waiterCount === 1;
  });
  await holder.kill();
  await leader.kill();
  const killedAtMs = machineMs();
  await next;
  const tookMs = machineMs() - killedAtMs;
  leader.start();
  await cluster.ready();
  // The new leader gives every lease its full time.
  expect(tookMs).toBeGreaterThanOrEqual(TTL_MS * CLOCK_RATE);
  expect(tookMs).toBeLessThan(TTL_MS + LATE_MS);
});

test("a leader stopped for twice the time of all leases and woken ends none, wherever their clients are connected", async () => {
  const ttlMs = 6_000;
  const leader = await cluster.leader();
  const holders: { actor: Actor; key: string; at: string }[] = [];
  for (const node of cluster.nodes) {
    // A client goes to the leader where it can: those at followers do not know its endpoint.
    const known = node === leader ? cluster.nodes : cluster.others(leader);
    const urls = known.map(({ url }) => url);
    const actor = await Actor.start(urls, { ttlMs, marginMs: ttlMs / 10 }, node.name);
    actors.push(actor);
    const name = `pause/leader/${node.name}`;
    const { key } = await actor.do<{ key: string }>("acquire", { name });
    holders.push({ actor, key, at: node === leader ? `${node.name} (leader)` : node.name });
  }
  leader.signal("SIGSTOP");
  const newLeader = await cluster.leader(cluster.others(leader));
  await pauseMs(2 * ttlMs);
  leader.signal("SIGCONT");
  const term = (await newLeader.status()).term;
  await until("the woken one to follow", async () => (await leader.status()).term >= term);
  await cluster.ready();
  for (const { actor, key, at } of holders) {
    expect(await leader.post("/v1/lock/check", { key }), at).toMatchObject({ status: 200 });
    expect(await actor.assert(), at).toMatchObject({ held: true });
    expect(actor.signalled, at).toBeUndefined();
  }
});

test("all nodes stopped for twice a lease's time and woken: it has not run out, and then runs out in time", async () => {
  const node = cluster.nodes[0] as Node;
  const lease = await node.post("/v1/lease/grant", { ttlMs: TTL_MS });
  const id = lease.body.lease;
  const grant = await node.post("/v1/lock/acquire", { name: "pause/all", lease: id });
  expect(grant.status).toBe(200);
  for (const one of cluster.nodes) one.signal("SIGSTOP");
  await pauseMs(2 * TTL_MS);
  for (const one of cluster.nodes) one.signal("SIGCONT");
  let askedAtMs = 0;
  const kept = await until("a keep-alive", async () => {
    askedAtMs = machineMs();
    const { status, body } = await node.post("/v1/lease/keepalive", { lease: id });
    return status === 503 || status === 504 ? null : { status, body };
  });
  expect(kept).toMatchObject({ status: 200, body: { lease: id, remainingMs: TTL_MS } });
  const keptAtMs = machineMs();
  const next = await node.post("/v1/lock/acquire", {
    name: "pause/all",
    ttlMs: 15_000,
    waitMs: -1,
  });
  expect(next.status).toBe(200);
  expect(machineMs() - askedAtMs).toBeGreaterThanOrEqual(TTL_MS * CLOCK_RATE);
  expect(machineMs() - keptAtMs).toBeLessThan(TTL_MS + LATE_MS);
});
