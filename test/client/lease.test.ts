import { afterEach, describe, expect, test } from "vitest";
import { LockLostError, OutcomeUnknownError } from "../../clients/typescript/core/index.js";
import { type FakeNode, keepAll, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

async function holding(options: { ttlMs?: number; marginMs?: number } = {}) {
  world = new World();
  const client = world.connect(options);
  const fate = watchFate(client.lock("x").acquire());
  await world.settle();
  if (fate.value === undefined) throw fate.error;
  return { client, held: fate.value };
}

/** The holder stands still past its deadline while the answer to a keep-alive waits for it. */
async function lostAndProvenAgain(held: { readonly remainingMs: number }): Promise<void> {
  world.scripts["lease.keepalive"] = request => {
    world.loop.after(10, () => keepAll(request));
  };
  await world.advance(5_005);
  world.stall(7_000);
  expect(held.remainingMs).toBe(0);
  await world.settle();
}

/**
 * No connection from 1,000 on; the holders' loss is at 11,850 and their margin ends at 14,850. A
 * keep-alive that waited for the next connection proves the lease again before 13,500.
 */
async function provenAgainAfterTheLoss(): Promise<void> {
  await world.advance(1000);
  world.node.isDown = true;
  world.node.connection.cut();
  await world.advance(10_900);
  world.node.isDown = false;
  const before = world.node.of("lease.keepalive").length;
  await world.advance(1600);
  expect(world.node.of("lease.keepalive").length).toBeGreaterThan(before);
}

const nothing = (): void => {};

describe("the deadline of a lease", () => {
  test("is the stamp of its grant, plus 99 % of its time, less the margin", async () => {
    const { held, client } = await holding();
    expect(held.remainingMs).toBe(15_000 * 0.99 - 3000);
    expect(client.remainingMs).toBe(held.remainingMs);
    await world.advance(1000);
    expect(held.remainingMs).toBe(15_000 * 0.99 - 4000);
  });

  test("moves with the newest keep-alive, from the moment when that first left", async () => {
    const { held } = await holding();
    world.scripts["lease.keepalive"] = request => {
      world.loop.after(2000, () => keepAll(request));
    };
    await world.advance(5000);
    const { stamp, leases } = world.node.last("lease.keepalive").params;
    expect([stamp, leases]).toEqual([5000, ["a1"]]);
    await world.advance(2000);
    expect(held.remainingMs).toBe(5000 + 14_850 - 3000 - 7000);
  });

  test("is not moved by grants, reads, events or welcomes", async () => {
    const { client, held } = await holding();
    world.scripts["lease.keepalive"] = () => {};
    world.node.welcome = { leases: [{ lease: "a1", remainingMs: 15_000 }] };
    await world.advance(4000);
    void client.lock("y").acquire();
    world.node.connection.cut();
    await world.advance(100);
    expect(held.remainingMs).toBe(11_850 - 4100);
  });

  test("with other times and margins follows the same rule", async () => {
    const { held } = await holding({ ttlMs: 60_000, marginMs: 500 });
    expect(held.remainingMs).toBe(60_000 * 0.99 - 500);
  });

  test("when passed, loses the lock by the client's own clock: nobody told it anything", async () => {
    const { client, held } = await holding();
    const { signal } = held;
    const session = client.signal;
    world.node.isDeaf = true;
    await world.advance(11_849);
    expect(signal.aborted).toBe(false);
    held.assertHeld();
    await world.advance(2);
    expect(signal.aborted).toBe(true);
    expect(session.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(LockLostError);
    expect(signal.reason).toMatchObject({ reason: "unproven", code: "NOT_HELD" });
    expect(() => held.assertHeld()).toThrow(LockLostError);
    expect(held.remainingMs).toBe(0);
  });

  test("when passed, means a hold not to the end, though it is given back all the same", async () => {
    const { held } = await holding();
    world.node.isDeaf = true;
    await world.advance(11_851);
    world.node.isDeaf = false;
    const released = held.release();
    await world.advance(20_000);
    expect(await released).toEqual({ heldToTheEnd: false });
    expect(await held.release()).toEqual({ heldToTheEnd: false });
  });

  test("is read from the clocks by a holder whose event loop stood still", async () => {
    const { held } = await holding();
    const { signal } = held;
    world.stall(11_850);
    expect(held.remainingMs).toBe(0);
    expect(() => held.assertHeld()).toThrow(LockLostError);
    expect(signal.aborted).toBe(true);
  });

  test("is passed when the machine slept for longer than the margin", async () => {
    const { held } = await holding();
    world.sleep(2999);
    held.assertHeld();
    world.sleep(2);
    expect(() => held.assertHeld()).toThrow(LockLostError);
  });

  test("is not passed by whole milliseconds and a slewed wall clock, however small the margin", async () => {
    for (const marginMs of [0, 0.5, 2]) {
      const { held } = await holding({ ttlMs: 1000, marginMs });
      world.sleep(0.9);
      held.assertHeld();
      expect(held.remainingMs).toBe(990 - marginMs);
      world.sleep(4);
      held.assertHeld();
      // Longer than half of what the deadline leaves for clocks that differ.
      world.sleep(0.2);
      expect(() => held.assertHeld()).toThrow(LockLostError);
      await world.close();
    }
  });

  test("is passed by a sleep even when the wall clock was set back before", async () => {
    const { held } = await holding();
    world.sleep(-60_000);
    held.assertHeld();
    world.sleep(3001);
    expect(() => held.assertHeld()).toThrow(LockLostError);
  });

  test("is passed by a sleep even when an answer from before the sleep is read first", async () => {
    const { held } = await holding();
    world.scripts["lease.keepalive"] = request => {
      world.loop.after(10, () => keepAll(request));
    };
    await world.advance(5000);
    world.sleep(20_000);
    await world.advance(11);
    expect(held.signal.aborted).toBe(true);
  });
});

describe("keep-alives", () => {
  test("are one message for all sessions, at a third of their time", async () => {
    const { client } = await holding();
    const others = [client.session({ ttlMs: 15_000 }), client.session({ ttlMs: 15_000 })];
    for (const other of others) void other.lock("y").acquire();
    await world.advance(4999);
    expect(world.node.of("lease.keepalive")).toHaveLength(0);
    await world.advance(1);
    const [only, ...more] = world.node.of("lease.keepalive");
    expect(only?.params.leases).toEqual(["a1", "a2", "a3"]);
    expect(more).toEqual([]);
    await world.advance(30_000);
    expect(world.node.of("lease.keepalive").length).toBe(7);
  });

  test("that a node could not answer are asked again with the first stamp", async () => {
    await holding();
    let refusals = 0;
    world.scripts["lease.keepalive"] = request => {
      if (refusals++ < 2) request.fail("NO_QUORUM");
      else keepAll(request);
    };
    await world.advance(6000);
    const sent = world.node.of("lease.keepalive");
    expect(sent.map(({ id }) => id)).toEqual([sent[0]?.id, sent[0]?.id, sent[0]?.id]);
    expect(sent.map(({ params }) => params.stamp)).toEqual([5000, 5000, 5000]);
  });

  test("bring a fresh stamp on a new connection", async () => {
    const { held } = await holding();
    await world.advance(3000);
    world.node.connection.cut();
    await world.advance(10);
    expect(world.node.last("lease.keepalive").params.stamp).toBe(3000);
    expect(held.remainingMs).toBe(3000 + 11_850 - 3010);
  });

  test("that get no answer show that a connection is dead", async () => {
    world = new World(2);
    const client = world.connect();
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    const [first, second] = world.nodes as [typeof world.node, typeof world.node];
    first.isDeaf = true;
    // Half of what is left until the lock could not be trusted any more.
    await world.advance(5000 + (11_850 - 5000) / 2);
    expect(second.of("lease.keepalive")).toHaveLength(1);
    expect(fate.value?.remainingMs).toBeGreaterThan(11_800);
  });

  test("that get no answer from two nodes are in time at a third", async () => {
    world = new World(3);
    const client = world.connect();
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    const [first, second, third] = world.nodes as [FakeNode, FakeNode, FakeNode];
    first.isDeaf = true;
    // It welcomes, and then tells nothing.
    world.scripts["lease.keepalive"] = request => {
      if (request.connection.node !== second) keepAll(request);
    };
    await world.advance(11_000);
    expect(second.of("lease.keepalive")).toHaveLength(1);
    expect(third.of("lease.keepalive").length).toBeGreaterThan(0);
    expect(fate.value?.remainingMs).toBeGreaterThan(0);
    expect(fate.value?.signal.aborted).toBe(false);
  });

  test("of a grant repeat its stamp when the connection is lost before the answer", async () => {
    world = new World();
    world.scripts["lease.grant"] = () => {};
    const fate = watchFate(world.connect().lock("x").acquire());
    await world.advance(700);
    world.node.connection.cut();
    world.scripts["lease.grant"] = request =>
      request.ok({ lease: "a1", ttlMs: 15_000, remainingMs: 15_000, stamp: request.params.stamp });
    await world.advance(300);
    const [one, two] = world.node.of("lease.grant");
    expect(two?.id).toBe(one?.id);
    expect([one?.params.stamp, two?.params.stamp]).toEqual([0, 0]);
    expect(fate.value?.remainingMs).toBe(11_850 - 1000);
  });
});

describe("a lease that the cluster ended", () => {
  test("loses its locks with the reason, as it is pushed", async () => {
    const { held, client } = await holding();
    world.node.connection.send({ event: "leaseEnded", lease: "a1", reason: "revoked" });
    await world.settle();
    expect(held.signal.reason).toMatchObject({ reason: "revoked" });
    expect(client.signal.aborted).toBe(true);
  });

  test("loses its locks when a keep-alive is told so", async () => {
    const { held } = await holding();
    world.scripts["lease.keepalive"] = request =>
      request.ok({ leases: [{ lease: "a1", ended: { reason: "expired" } }], stamp: 0 });
    await world.advance(5000);
    expect(held.signal.reason).toMatchObject({ reason: "expired" });
  });

  test("loses its locks when the welcome of a new connection tells so", async () => {
    const { held } = await holding();
    world.node.welcome = { leases: [{ lease: "a1", ended: { reason: "expired" } }] };
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.hellos.at(-1)?.leases).toEqual(["a1"]);
    expect(held.signal.reason).toMatchObject({ reason: "expired" });
  });

  test("is followed by a new one at the client's next call", async () => {
    const { client } = await holding();
    world.node.connection.send({ event: "leaseEnded", lease: "a1", reason: "revoked" });
    await world.settle();
    const lost = client.signal;
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    expect(world.node.last("lock.acquire").params.lease).toBe("a2");
    expect(fate.value?.signal.aborted).toBe(false);
    expect(lost.aborted).toBe(true);
    expect(client.signal.aborted).toBe(false);
  });

  test("ends a session that was asked for", async () => {
    const { client } = await holding();
    const session = client.session({});
    const one = watchFate(session.lock("y").acquire());
    await world.settle();
    world.node.connection.send({ event: "leaseEnded", lease: "a2", reason: "revoked" });
    await world.settle();
    expect(one.value?.signal.aborted).toBe(true);
    const two = watchFate(session.lock("y").acquire());
    await world.settle();
    expect(two.error).toBeInstanceOf(LockLostError);
  });
});

describe("a grant", () => {
  test("that is broken alone is lost alone", async () => {
    const { client, held } = await holding();
    const other = watchFate(client.lock("y").acquire());
    await world.settle();
    const { key, token } = held;
    world.node.connection.send({
      event: "lost",
      lease: "a1",
      key,
      name: "x",
      token,
      reason: "broken",
    });
    await world.settle();
    expect(held.signal.reason).toMatchObject({ reason: "broken", details: { key } });
    expect(other.value?.signal.aborted).toBe(false);
    expect(client.signal.aborted).toBe(false);
  });

  test("that somebody else released is lost, and one that its holder releases is not", async () => {
    const { client, held } = await holding();
    const other = watchFate(client.lock("y").acquire());
    await world.settle();
    world.scripts["lock.release"] = () => {};
    void held.release().catch(nothing);
    await world.settle();
    for (const key of [held.key, other.value?.key])
      world.node.connection.send({ event: "lost", lease: "a1", key, reason: "released" });
    await world.settle();
    expect(held.signal.aborted).toBe(false);
    expect(other.value?.signal.reason).toMatchObject({ reason: "revoked" });
  });

  test("that was broken while nobody could be told is found out by the next connection", async () => {
    const { held } = await holding();
    world.scripts["lock.check"] = request => request.fail("NOT_HELD", { reason: "broken" });
    world.node.connection.cut();
    await world.advance(100);
    expect(held.signal.reason).toMatchObject({ reason: "broken" });
  });

  test("that was broken while nobody could be told: who did it and why", async () => {
    const { held } = await holding();
    world.scripts["lock.check"] = request =>
      request.fail("NOT_HELD", { reason: "broken", by: "ops", why: "stuck" });
    world.node.connection.cut();
    await world.advance(100);
    const cause = "the cluster says: broken by ops (stuck)";
    expect(held.signal.reason).toMatchObject({ reason: "broken", details: { cause } });
  });

  test("that was broken while nobody could be told is found out however long a node cannot say", async () => {
    const { held } = await holding();
    world.scripts["lock.check"] = request => request.fail("OVERLOADED");
    world.node.connection.cut();
    await world.advance(6000);
    expect(held.signal.aborted).toBe(false);
    world.scripts["lock.check"] = request => request.fail("NOT_HELD", { reason: "broken" });
    await world.advance(500);
    expect(held.signal.reason).toMatchObject({ reason: "broken" });
  });

  test("that a node says nothing about is asked about on another connection", async () => {
    const { held } = await holding();
    world.scripts["lock.check"] = () => {};
    world.node.connection.cut();
    await world.advance(100);
    const silent = world.node.connection;
    world.scripts["lock.check"] = request => request.fail("NOT_HELD", { reason: "broken" });
    await world.advance(4100);
    expect(silent.isOpen).toBe(false);
    expect(held.signal.reason).toMatchObject({ reason: "broken" });
  });

  test("is asked about once on each connection, however many there are and however often it breaks", async () => {
    const { client } = await holding();
    const fates = Array.from({ length: 999 }, (_, n) => watchFate(client.lock(`y${n}`).acquire()));
    await world.settle();
    expect(fates.at(-1)?.value).toBeDefined();
    world.scripts["lock.check"] = () => {};
    for (let breaks = 0; breaks < 5; breaks += 1) {
      world.node.connection.cut();
      await world.advance(1500);
    }
    const before = world.node.of("lock.check").length;
    world.scripts["lock.check"] = request => request.ok({ held: true });
    world.node.connection.cut();
    await world.advance(1500);
    expect(world.node.of("lock.check").slice(before)).toHaveLength(1000);
  });

  test("that is lost already is asked about no more", async () => {
    const { held } = await holding();
    world.node.connection.send({ event: "lost", lease: "a1", key: held.key, reason: "broken" });
    await world.settle();
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.connections).toHaveLength(2);
    expect(world.node.of("lock.check")).toHaveLength(0);
  });
});

describe("a lease that could not be proven in time", () => {
  test("is revoked when its time is over, since nobody needs it", async () => {
    await holding();
    world.node.isDeaf = true;
    await world.advance(11_000);
    world.node.isDeaf = false;
    world.scripts["lease.keepalive"] = () => {};
    await world.advance(3800);
    expect(world.node.connection.isOpen).toBe(true);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
    await world.advance(100);
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
  });

  test("that is proven again keeps a lost lock until its holder has had the margin to stop", async () => {
    const { client, held } = await holding();
    const other = watchFate(client.lock("y").acquire());
    await provenAgainAfterTheLoss();
    expect([held.signal.aborted, other.value?.signal.aborted]).toEqual([true, true]);
    void held.release();
    await world.advance(1000);
    expect(world.node.of("lock.release")).toHaveLength(1);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
    await world.advance(1000);
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
  });

  test("that is proven again for a wait outlives the wait's end by its holder's margin", async () => {
    const { client, held } = await holding();
    world.scripts["lock.acquire"] = () => {};
    const controller = new AbortController();
    const { signal } = controller;
    void client.lock("y").acquire({ signal }).catch(nothing);
    await provenAgainAfterTheLoss();
    expect(held.signal.aborted).toBe(true);
    controller.abort("enough");
    await world.settle();
    world.node.last("lock.acquire").fail("CANCELLED");
    await world.advance(1000);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
    await world.advance(1000);
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
  });

  test.each([
    ["its signal", { signal: AbortSignal.abort("enough") }],
    ["its time to wait", { waitMs: 50, timeoutMs: -60 }],
    ["its time limit", { waitMs: 0, timeoutMs: 0 }],
  ])("is not kept for a wait that was refused for %s", async (_, options) => {
    const { client } = await holding();
    const fate = watchFate(client.lock("y").acquire(options));
    await world.settle();
    expect(fate).toHaveProperty("error");
    expect(world.node.of("lock.acquire")).toHaveLength(1);
    world.node.isDeaf = true;
    await world.advance(12_000);
    world.node.isDeaf = false;
    await world.advance(5000);
    expect(world.node.of("lease.revoke").map(({ params }) => params.lease)).toEqual(["a1"]);
  });

  test("gives its lost grants back when a late answer proves it again for a waiter", async () => {
    const { client, held } = await holding();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("y").acquire());
    await world.settle();
    await lostAndProvenAgain(held);
    await world.advance(8_000);
    expect(world.node.last("lock.release").params.key).toBe(held.key);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
    world.grant(world.node.last("lock.acquire"));
    await world.advance(8_000);
    expect(fate.value?.signal.aborted).toBe(false);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
  });

  test("keeps the places in line of those who wait, and they are granted on it", async () => {
    const { client, held } = await holding();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("y").acquire());
    await world.settle();
    world.node.isDeaf = true;
    await world.advance(12_000);
    expect(held.signal.aborted).toBe(true);
    world.node.isDeaf = false;
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.hellos.at(-1)?.leases).toEqual(["a1"]);
    const again = world.node.of("lock.acquire").filter(({ params }) => params.name === "y");
    expect(new Set(again.map(({ id }) => id)).size).toBe(1);
    world.grant(again.at(-1) ?? world.node.last("lock.acquire"));
    await world.advance(100);
    expect(fate.value?.signal.aborted).toBe(false);
    expect(fate.value?.remainingMs).toBeGreaterThan(11_000);
  });

  test("keeps the places of those who came to it from one that had ended", async () => {
    const { client } = await holding();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("y").acquire());
    await world.settle();
    world.node.last("lock.acquire").fail("LEASE_ENDED", { lease: "a1", reason: "expired" });
    await world.settle();
    expect(world.node.last("lock.acquire").params.lease).toBe("a2");
    world.node.isDeaf = true;
    await world.advance(20_000);
    world.node.isDeaf = false;
    world.node.connection.cut();
    await world.advance(2000);
    expect(fate).toStrictEqual({});
    expect(world.node.last("lease.keepalive").params.leases).toEqual(["a2"]);
    world.grant(world.node.last("lock.acquire"));
    await world.settle();
    expect(fate.value?.signal.aborted).toBe(false);
  });

  test("gives a grant out only after a fresh proof", async () => {
    const { client } = await holding();
    world.scripts["lock.acquire"] = () => {};
    world.scripts["lease.keepalive"] = () => {};
    const fate = watchFate(client.lock("y").acquire());
    await world.advance(12_000);
    world.grant(world.node.last("lock.acquire"));
    await world.settle();
    expect(fate).toStrictEqual({});
    world.scripts["lease.keepalive"] = keepAll;
    await world.advance(5000);
    expect(fate.value?.remainingMs).toBeGreaterThan(0);
  });
});

async function grantedUnproven() {
  const { client } = await holding();
  world.scripts["lock.acquire"] = () => {};
  world.scripts["lease.keepalive"] = () => {};
  const controller = new AbortController();
  const { signal } = controller;
  const fate = watchFate(client.lock("y").acquire({ signal, waitMs: 20_000 }));
  await world.advance(12_000);
  world.grant(world.node.last("lock.acquire"));
  await world.settle();
  expect(fate).toStrictEqual({});
  return { client, fate, controller, key: "y/102" };
}

describe("a grant that waits for a fresh proof", () => {
  test("and is broken meanwhile is never handed out", async () => {
    const { fate, key } = await grantedUnproven();
    world.node.connection.send({ event: "lost", lease: "a1", key, reason: "broken" });
    world.scripts["lease.keepalive"] = keepAll;
    await world.advance(5000);
    expect(fate.error).toBeInstanceOf(LockLostError);
    expect(fate.error).toMatchObject({ reason: "broken", details: { key } });
  });

  test("and was broken while nobody could be told is found out by the next connection", async () => {
    const { fate, key } = await grantedUnproven();
    world.scripts["lock.check"] = request =>
      request.params.key === key
        ? request.fail("NOT_HELD", { reason: "broken" })
        : request.ok({ held: true });
    world.scripts["lease.keepalive"] = keepAll;
    world.node.connection.cut();
    await world.advance(100);
    expect(fate.value?.signal.reason).toMatchObject({ reason: "broken" });
  });

  test("ends with its caller's patience, and is given back", async () => {
    for (const patience of ["signal", "time limit"]) {
      const { fate, controller, key } = await grantedUnproven();
      world.node.isDown = true;
      world.node.connection.cut();
      await world.advance(17_900);
      expect(fate).toStrictEqual({});
      if (patience === "signal") controller.abort("enough");
      else await world.advance(200);
      await world.settle();
      if (patience === "signal") expect(fate.error).toBe("enough");
      else expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
      world.node.isDown = false;
      await world.advance(5000);
      expect(world.node.of("lock.release").map(({ params }) => params.key)).toContain(key);
      await world.close();
    }
  });

  test("ends when the client is closed", async () => {
    const { client, fate } = await grantedUnproven();
    void client.close();
    await world.settle();
    expect(fate.error).toMatchObject({ message: "this client is closed; make a new one" });
  });
});
