/**
 * Every way to take turns, through the client against a real cluster: readers, permits, several
 * locks at once, asking and breaking, hand-over, runs of a job.
 */
import { type Client, connect, type Held, LockLostError, YieldAsked } from "holdfast-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";

let cluster: Cluster;
let a: Client;
let b: Client;
let c: Client;

beforeAll(async () => {
  cluster = await Cluster.start(3);
  const [one, two, three] = cluster.endpoints;
  a = connect([one ?? ""], { owner: "a" });
  b = connect([two ?? ""], { owner: "b" });
  c = connect([three ?? ""], { owner: "c" });
  await Promise.all([a, b, c].map(client => client.ready()));
});
afterAll(async () => {
  await Promise.all([a, b, c].map(client => client?.close()));
  await cluster?.close();
});

/** Resolves with the reason once the signal has fired. */
const fired = (signal: AbortSignal): Promise<unknown> =>
  new Promise(resolve => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
const waiting = (name: string, count: number) =>
  cluster.until(`${count} in line for ${name}`, async () => {
    return (await a.lock(name).inspect()).waiterCount === count;
  });

describe("readers and writers", () => {
  test("readers hold together under one token; a writer waits for all, and nobody overtakes it", async () => {
    const name = "turns/rw";
    const [first, second] = await Promise.all(
      [a, b].map(client => client.lock(name, { mode: "shared" }).acquire()),
    );
    expect(first?.token).toBe(second?.token);
    const order: string[] = [];
    const take = async (who: string, acquired: Promise<Held>) => {
      const held = await acquired;
      order.push(who);
      return held;
    };
    const writer = take("writer", c.lock(name).acquire());
    await waiting(name, 1);
    const late = take("late reader", a.lock(name, { mode: "shared", actor: "late" }).acquire());
    await waiting(name, 2);
    await first?.release();
    await second?.release();
    const held = await writer;
    expect(held.token).toBeGreaterThan(first?.token ?? 0);
    expect(order).toEqual(["writer"]);
    await held.release();
    await (await late).release();
    expect(order).toEqual(["writer", "late reader"]);
  });

  test("there is no upgrade, and no asking twice", async () => {
    const name = "turns/upgrade";
    const options = { mode: "shared", actor: "t" } as const;
    const held = await a.lock(name, options).acquire();
    const writing = a.lock(name, { actor: "t" }).acquire();
    await expect(writing).rejects.toMatchObject({ code: "NO_UPGRADE" });
    const again = a.lock(name, options).acquire();
    await expect(again).rejects.toMatchObject({ code: "ALREADY_IN_LINE" });
    await held.release();
  });
});

test("a semaphore lets so many in, in order, and another number is refused", async () => {
  const name = "turns/permits";
  const held = await Promise.all(
    [a, b].map(client => client.semaphore(name, { permits: 2 }).acquire()),
  );
  expect(await c.semaphore(name, { permits: 2 }).tryAcquire()).toBeNull();
  const other = c.semaphore(name, { permits: 3 }).tryAcquire();
  await expect(other).rejects.toMatchObject({ code: "RULE_MISMATCH" });
  const third = c.semaphore(name, { permits: 2 }).acquire();
  await waiting(name, 1);
  expect(await c.lock(name).inspect()).toMatchObject({
    rule: { kind: "semaphore", permits: 2 },
    holderCount: 2,
  });
  await held[0]?.release();
  await (await third).release();
  await held[1]?.release();
});

describe("several locks at once", () => {
  test("all or none, under one token, in any order of their names", async () => {
    const both = await a.lock(["turns/x", "turns/y"]).acquire();
    expect(await b.lock("turns/y").tryAcquire()).toBeNull();
    expect(await b.lock(["turns/y", "turns/z"]).tryAcquire()).toBeNull();
    const other = b.lock(["turns/y", "turns/x"]).acquire();
    await waiting("turns/x", 1);
    await both.release();
    const held = await other;
    expect(held.token).toBeGreaterThan(both.token);
    expect(await a.lock("turns/x").tryAcquire()).toBeNull();
    await held.release();
    await (await a.lock("turns/x").acquire()).release();
  });

  test("two who ask in turn and name themselves are told of the circle", async () => {
    const one = await a.lock("turns/p", { actor: "1" }).acquire();
    const two = await b.lock("turns/q", { actor: "2" }).acquire();
    const waits = a.lock("turns/q", { actor: "1" }).acquire();
    await waiting("turns/q", 1);
    const closes = b.lock("turns/p", { actor: "2" }).acquire();
    await expect(closes).rejects.toMatchObject({ code: "DEADLOCK" });
    await two.release();
    await (await waits).release();
    await one.release();
  });
});

describe("the ladder", () => {
  test("asked to hand over, the holder's yieldSignal fires, and it still holds", async () => {
    const lock = a.lock("turns/asked");
    const held = await lock.acquire();
    held.annotate("3 of 7");
    await b.lock("turns/asked").askToYield({ graceMs: 5_000, reason: "deploy" });
    const ask = (await fired(held.yieldSignal)) as YieldAsked;
    expect(ask).toBeInstanceOf(YieldAsked);
    expect(ask).toMatchObject({ by: "b", why: "deploy", graceMs: 5_000 });
    held.assertHeld();
    expect(held.signal.aborted).toBe(false);
    await cluster.until("its progress to be shown", async () => {
      return (await c.lock("turns/asked").inspect()).holders[0]?.progress === "3 of 7";
    });
    expect(await held.release()).toEqual({ heldToTheEnd: true });
  });

  test("broken by force, the holder is told, and who did it is remembered", async () => {
    const held = await a.lock("turns/broken").acquire();
    await b.lock("turns/broken").break({ token: held.token, reason: "stuck", force: true });
    expect(await fired(held.signal)).toBeInstanceOf(LockLostError);
    expect(await fired(held.signal)).toMatchObject({ reason: "broken" });
    const { recent } = await c.lock("turns/broken").inspect();
    expect(recent[0]).toMatchObject({ reason: "broken", by: "b", why: "stuck" });
    const next = await b.lock("turns/broken").acquire();
    expect(next.token).toBeGreaterThan(held.token);
    await next.release();
  });

  test("broken after asking, at the end of what was left of its lease, though it is kept alive", async () => {
    const session = a.session({ ttlMs: 1_500 });
    const held = await session.lock("turns/steps").acquire();
    const begunMs = Date.now();
    await b.lock("turns/steps").break({ token: held.token, reason: "upgrade" });
    expect(Date.now() - begunMs).toBeGreaterThan(500);
    expect(await fired(held.yieldSignal)).toBeInstanceOf(YieldAsked);
    expect(await fired(held.signal)).toMatchObject({ reason: "broken" });
    await session.close();
  });

  test("a leader hands over to whom it chooses; who stood ahead of it waits on", async () => {
    const name = "turns/leader";
    const leader = await a.election(name).campaign("a");
    const second = b.election(name).campaign("b");
    await waiting(name, 1);
    const third = c.election(name).campaign("c");
    await waiting(name, 2);
    const { waiters } = await a.lock(name).inspect();
    await leader.handOver({ to: waiters[1]?.key ?? "" });
    const chosen = await third;
    expect(await a.election(name).leader()).toMatchObject({ value: "c", token: chosen.token });
    await chosen.release();
    const last = await second;
    expect(last.token).toBeGreaterThan(chosen.token);
    expect(await a.election(name).leader()).toMatchObject({ value: "b", token: last.token });
    await last.release();
  });

  test("it leads on when it names nobody who waits", async () => {
    const leader = await a.election("turns/nobody").campaign("a");
    const nobody = leader.handOver({ to: "turns/nobody/00000000000000000001" });
    await expect(nobody).rejects.toMatchObject({ code: "NOT_IN_LINE" });
    leader.assertHeld();
    await leader.handOver();
    expect(await b.election("turns/nobody").leader()).toBeNull();
  });
});

test("held locks are listed by prefix and by owner", async () => {
  const held = await Promise.all(
    [a.lock("turns/list/1"), b.lock("turns/list/2"), a.lock("turns/list/3")].map(l => l.acquire()),
  );
  const listed = async (options: { prefix?: string; owner?: string }) => {
    const names: string[] = [];
    for await (const { name } of c.locks(options)) names.push(name);
    return names;
  };
  const prefix = "turns/list/";
  expect(await listed({ prefix })).toEqual(["turns/list/1", "turns/list/2", "turns/list/3"]);
  expect(await listed({ prefix, owner: "a" })).toEqual(["turns/list/1", "turns/list/3"]);
  expect(await listed({ prefix, owner: "nobody" })).toEqual([]);
  await Promise.all(held.map(one => one.release()));
});

describe("runs of a job", () => {
  test("one claimant each; done is for ever, abandoned is claimable again or not", async () => {
    const slot = new Date(1_700_000_000_000);
    const claims = await Promise.all(
      [a, b, c].map(client => client.schedule("turns-report").claim(slot)),
    );
    const won = claims.filter(claim => claim !== null);
    expect(won).toHaveLength(1);
    await won[0]?.done("7 rows");
    expect(await b.schedule("turns-report").claim(slot)).toBeNull();

    const next = slot.getTime() + 60_000;
    await (await a.schedule("turns-report").claim(next))?.release();
    const again = await b.schedule("turns-report").claim(next);
    await again?.fail("no disk");
    expect(await c.schedule("turns-report").claim(next)).toBeNull();

    const once = { onAbandon: "close" } as const;
    await (await a.schedule("turns-once", once).claim(slot))?.release();
    expect(await b.schedule("turns-once", once).claim(slot)).toBeNull();
  });
});
