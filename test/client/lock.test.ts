import { afterEach, describe, expect, test } from "vitest";
import {
  HoldfastError,
  type Leadership,
  LockLostError,
  OutcomeUnknownError,
  UnavailableError,
  WaitTimeoutError,
} from "../../clients/typescript/core/index.js";
import { type Fate, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

/** A client with a lease, so that the next acquire is one request. */
async function ready(nodes = 1) {
  world = new World(nodes);
  const client = world.connect();
  const first = watchFate(client.lock("first").acquire());
  await world.settle();
  await first.value?.release;
  return client;
}

async function outcome<T>(promise: Promise<T>): Promise<T> {
  const fate = watchFate(promise);
  await world.advance(100);
  if ("error" in fate) throw fate.error;
  if (!("value" in fate)) throw new Error("it is still pending");
  return fate.value as T;
}

const holder = { key: "x/1", token: 1, lease: "b1", sinceMs: 5 };

describe("acquiring", () => {
  test("waits without bound unless told, and sends the lease once per session", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    expect(world.node.last("lock.acquire").params).toEqual({ name: "x", lease: "a1", waitMs: -1 });
    expect(held).toMatchObject({ name: "x", key: "x/102", token: 102 });
    expect(world.node.of("lease.grant")).toHaveLength(1);
  });

  test("is not bounded by the time limit of a call", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire({ timeoutMs: 100 }));
    await world.advance(3_600_000);
    expect(fate).toStrictEqual({});
    world.grant(world.node.last("lock.acquire"));
    await world.settle();
    expect(fate.value?.token).toBe(102);
  });

  test("tells where the wait stands, if asked", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const told: unknown[] = [];
    void client
      .lock("x")
      .acquire({ onWaiting: waiting => void told.push(waiting) })
      .catch(() => {});
    await world.settle();
    const request = world.node.last("lock.acquire");
    expect(request.params.position).toBe(true);
    request.event("position", { position: 3, holders: [holder] });
    await world.settle();
    expect(told).toEqual([{ position: 3, holders: [holder] }]);
  });

  test("says who held it when the wait is over", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = request =>
      request.fail("WAIT_TIMEOUT", { position: 2, holders: [holder] });
    const fate = watchFate(client.lock("x").acquire({ waitMs: 50 }));
    await world.settle();
    expect(fate.error).toBeInstanceOf(WaitTimeoutError);
    expect(fate.error).toMatchObject({ code: "WAIT_TIMEOUT", position: 2, holders: [holder] });
    expect(world.node.last("lock.acquire").params.waitMs).toBe(50);
  });

  test("without waiting gives null when it is held, and other errors as they are", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = request =>
      request.fail("LOCK_HELD", { position: 1, holders: [] });
    expect(await outcome(client.lock("x").tryAcquire())).toBeNull();
    world.scripts["lock.acquire"] = request => request.fail("STATE_FULL");
    await expect(outcome(client.lock("x").tryAcquire())).rejects.toMatchObject({
      code: "STATE_FULL",
    });
  });

  test("of one name by many tasks of one session makes as many places in line", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const lock = client.lock("x");
    const fates = [1, 2, 3].map(() => watchFate(lock.acquire()));
    await world.settle();
    const places = world.node.of("lock.acquire").slice(1);
    expect(places.map(({ params }) => params)).toEqual(
      Array(3).fill({ name: "x", lease: "a1", waitMs: -1 }),
    );
    for (const place of places) world.grant(place);
    await world.settle();
    expect(fates.map(({ value }) => value?.token)).toEqual([102, 103, 104]);
  });

  test("goes on with its place when the connection is lost: the same number, the same lease", async () => {
    const client = await ready(2);
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire({ waitMs: 60_000 }));
    await world.advance(1000);
    const before = world.node.last("lock.acquire");
    world.node.connection.cut();
    await world.advance(100);
    const after = world.nodes[1]?.last("lock.acquire");
    expect(after?.id).toBe(before.id);
    expect(after?.params).toEqual(before.params);
    if (after !== undefined) world.grant(after);
    await world.settle();
    expect(fate.value?.token).toBe(102);
  });

  test("stands in line anew when the default session's lease ended", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    world.node.last("lock.acquire").fail("LEASE_ENDED", { lease: "a1", reason: "expired" });
    await world.settle();
    const again = world.node.last("lock.acquire");
    expect(again.params).toMatchObject({ name: "x", lease: "a2" });
    expect(again.id).toBeGreaterThan(2);
    world.grant(again);
    await world.settle();
    expect(fate.value?.token).toBe(102);
  });

  test("stands in line anew when it was granted unheard, and its lease ran out before it asked again", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    world.node.last("lock.acquire").fail("NOT_HELD", { reason: "expired" });
    await world.settle();
    const again = world.node.last("lock.acquire");
    expect(again.params).toMatchObject({ name: "x", lease: "a2" });
    world.grant(again);
    await world.settle();
    expect(fate.value?.token).toBe(102);
  });

  test("is told of it when it was granted unheard, and then broken", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    world.node.last("lock.acquire").fail("NOT_HELD", { reason: "broken" });
    await world.settle();
    expect(fate.error).toMatchObject({ code: "NOT_HELD", details: { reason: "broken" } });
    expect(client.signal.aborted).toBe(false);
  });

  test("ends in time even when a new lease was long in coming", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire({ waitMs: 100, timeoutMs: 100 }));
    await world.settle();
    const grant = world.scripts["lease.grant"];
    world.scripts["lease.grant"] = request => world.loop.after(500, () => grant?.(request));
    world.node.last("lock.acquire").fail("LEASE_ENDED", { lease: "a1", reason: "expired" });
    await world.advance(99);
    expect(fate).toEqual({});
    await world.advance(501);
    expect(fate.error).toBeInstanceOf(WaitTimeoutError);
    expect(fate.error).toMatchObject({ code: "WAIT_TIMEOUT" });
    expect(world.node.of("lock.acquire")).toHaveLength(2);
    expect(world.node.last("lease.revoke").params.lease).toBe("a2");
  });

  test("anew after its lease was lost is only for what is left of its time", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const lock = client.lock("x");
    for (const options of [{ waitMs: 60_000 }, { waitMs: 30_000.5 }, {}])
      watchFate(lock.acquire(options));
    await world.advance(29_000);
    const grant = world.scripts["lease.grant"];
    world.scripts["lease.grant"] = request => world.loop.after(500, () => grant?.(request));
    for (const place of world.node.of("lock.acquire").slice(1))
      place.fail("LEASE_ENDED", { lease: "a1", reason: "expired" });
    await world.advance(500);
    const again = world.node.of("lock.acquire").slice(4);
    expect(again.map(({ params }) => [params.lease, params.waitMs])).toEqual([
      ["a2", 30_500],
      ["a2", 501],
      ["a2", -1],
    ]);
  });

  test("without bound asks for its new lease as long as that takes, or until it is given up", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const controller = new AbortController();
    const patient = watchFate(client.lock("x").acquire());
    const aborted = watchFate(client.lock("y").acquire({ signal: controller.signal }));
    await world.settle();
    world.scripts["lease.grant"] = request => request.fail("NO_QUORUM");
    for (const place of world.node.of("lock.acquire").slice(1))
      place.fail("LEASE_ENDED", { lease: "a1", reason: "expired" });
    await world.advance(60_000);
    controller.abort("enough");
    await world.settle();
    expect([patient, aborted]).toEqual([{}, { error: "enough" }]);
    world.scripts["lock.acquire"] = request => world.grant(request);
    world.scripts["lease.grant"] = request =>
      request.ok({ lease: "a2", ttlMs: 15_000, remainingMs: 15_000, stamp: request.params.stamp });
    // What came of the first one is past its time by now, and is given back.
    await world.advance(1000);
    expect(patient.value?.name).toBe("x");
    patient.value?.assertHeld();
  });

  test("on a session that was asked for ends with its lease", async () => {
    const client = await ready();
    const session = client.session();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(session.lock("x").acquire());
    await world.settle();
    world.node.last("lock.acquire").fail("LEASE_ENDED", { lease: "a2", reason: "expired" });
    await world.settle();
    expect(fate.error).toMatchObject({ code: "LEASE_ENDED" });
  });

  test("ends when its session is closed, connected or not", async () => {
    const client = await ready();
    const session = client.session();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(session.lock("x").acquire());
    await world.settle();
    world.node.isDown = true;
    world.node.connection.cut();
    await world.settle();
    void session.close();
    await world.settle();
    expect(fate.error).toBeInstanceOf(UnavailableError);
    expect(fate.error).toMatchObject({ message: "this session is closed; make a new one" });
  });

  test("with impossible times is refused before anything is sent", async () => {
    const client = await ready();
    for (const options of [{ waitMs: -2 }, { waitMs: 2 ** 31 }, { waitMs: Number.NaN }])
      await expect(outcome(client.lock("x").acquire(options))).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
      });
    expect(() => client.session({ ttlMs: 10 })).toThrow(HoldfastError);
    expect(() => client.session({ ttlMs: 2000, marginMs: 1500 })).toThrow(HoldfastError);
    expect(world.node.of("lock.acquire")).toHaveLength(1);
  });
});

describe("giving a wait up", () => {
  async function aborting() {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const controller = new AbortController();
    const fate = watchFate(client.lock("x").acquire({ signal: controller.signal }));
    await world.settle();
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await world.settle();
    return { fate, reason, request: world.node.last("lock.acquire") };
  }

  test("rejects with the signal's own reason and tells the node", async () => {
    const { fate, reason, request } = await aborting();
    expect(fate.error).toBe(reason);
    expect(world.node.cancels).toEqual([request.id]);
    request.fail("CANCELLED");
    await world.settle();
    expect(world.node.of("lock.release")).toEqual([]);
  });

  test("of which nobody knows whether it stands in line withdraws it as it is asked about", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = request => request.fail("OUTCOME_UNKNOWN");
    const controller = new AbortController();
    const { signal } = controller;
    const fate = watchFate(client.lock("x").acquire({ signal }));
    await world.settle();
    world.scripts["lock.acquire"] = () => {};
    controller.abort("enough");
    await world.advance(1000);
    expect(fate.error).toBe("enough");
    const [first, again] = world.node.of("lock.acquire").slice(1);
    expect(again?.id).toBe(first?.id);
    expect(world.node.cancels).toEqual([first?.id]);
    const frame = world.node.connection.frames.findLast(one => one.some(({ cancel }) => cancel));
    expect(frame?.map(({ id, cancel }) => id ?? { cancel })).toEqual([
      first?.id,
      { cancel: first?.id },
    ]);
  });

  test("and being granted all the same passes the lock on at once", async () => {
    const { request } = await aborting();
    world.grant(request);
    await world.settle();
    expect(world.node.last("lock.release").params).toEqual({ key: "x/102" });
  });

  test("while disconnected gives it up on the next connection", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const controller = new AbortController();
    const fate = watchFate(client.lock("x").acquire({ signal: controller.signal }));
    await world.settle();
    const { id } = world.node.last("lock.acquire");
    world.node.connection.cut();
    await world.settle();
    controller.abort("enough");
    await world.advance(100);
    expect(fate.error).toBe("enough");
    expect(world.node.last("lock.acquire").id).toBe(id);
    expect(world.node.cancels).toEqual([id]);
  });

  test("happens by itself when a bounded wait gets no answer, and the outcome is unknown", async () => {
    const client = await ready();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.lock("x").acquire({ waitMs: 1000, timeoutMs: 500 }));
    await world.advance(1499);
    expect(fate).toStrictEqual({});
    await world.advance(1);
    expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
    const request = world.node.last("lock.acquire");
    expect(world.node.cancels).toEqual([request.id]);
    world.grant(request);
    await world.settle();
    expect(world.node.of("lock.release")).toHaveLength(1);
  });
});

describe("releasing", () => {
  test("says whether it was held to the end", async () => {
    const client = await ready();
    const one = await outcome(client.lock("x").acquire());
    expect(await outcome(one.release())).toEqual({ heldToTheEnd: true });
    expect(world.node.last("lock.release").params).toEqual({ key: one.key });
    const two = await outcome(client.lock("x").acquire());
    world.scripts["lock.release"] = request =>
      request.ok({ released: false, ended: { reason: "expired" } });
    expect(await outcome(two.release())).toEqual({ heldToTheEnd: false });
    const three = await outcome(client.lock("x").acquire());
    world.scripts["lock.release"] = request => request.fail("NO_SUCH_GRANT");
    expect(await outcome(three.release())).toEqual({ heldToTheEnd: false });
  });

  test("twice is one release", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    const [one, two] = await outcome(Promise.all([held.release(), held.release()]));
    expect([one, two]).toEqual([{ heldToTheEnd: true }, { heldToTheEnd: true }]);
    expect(world.node.of("lock.release")).toHaveLength(1);
  });

  test("ends what the holder may do, without a loss", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    await outcome(held.release());
    expect(held.remainingMs).toBe(0);
    expect(() => held.assertHeld()).toThrow(/released by its holder/);
    expect(held.signal.aborted).toBe(false);
  });

  test("goes on after the caller's time is over, until a node answers", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    world.scripts["lock.release"] = request => request.fail("NO_QUORUM");
    const fate = watchFate(held.release({ timeoutMs: 1000 }));
    await world.advance(1000);
    expect(fate.error).toMatchObject({ code: "NO_QUORUM" });
    world.scripts["lock.release"] = request => request.ok({ released: true });
    const before = world.node.of("lock.release").length;
    await world.advance(2000);
    const after = world.node.of("lock.release").slice(before);
    expect(after).toHaveLength(1);
    expect(after[0]?.id).toBe(world.node.of("lock.release")[0]?.id);
  });

  test("with a signal that has fired still gives the lock back, and tells its caller the reason", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    const fate = watchFate(held.release({ signal: AbortSignal.abort("the task is over") }));
    await world.settle();
    expect(fate.error).toBe("the task is over");
    expect(world.node.last("lock.release").params).toEqual({ key: held.key });
  });

  test("with a signal that has fired is sent again until a node answers", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    world.scripts["lock.release"] = request => request.fail("NO_QUORUM");
    void held.release({ signal: AbortSignal.abort("the task is over") }).catch(() => {});
    await world.advance(60_000);
    world.scripts["lock.release"] = request => request.ok({ released: true });
    const before = world.node.of("lock.release").length;
    await world.advance(2000);
    expect(world.node.of("lock.release").slice(before)).toHaveLength(1);
  });

  test("with an impossible time limit is refused, and the next one gives the lock back", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    await expect(outcome(held.release({ timeoutMs: 0 }))).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
    });
    held.assertHeld();
    expect(await outcome(held.release())).toEqual({ heldToTheEnd: true });
  });

  test("asks nobody when the lease has ended", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    world.node.connection.send({ event: "leaseEnded", lease: "a1", reason: "expired" });
    await world.settle();
    expect(await outcome(held.release())).toEqual({ heldToTheEnd: false });
    expect(world.node.of("lock.release")).toEqual([]);
  });

  test("leaves in the order of the calls, with the writes before it", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    void client.kv.put("a", "1").catch(() => {});
    void held.release();
    void client.kv.put("b", "2").catch(() => {});
    await world.settle();
    const ops = world.node.requests.slice(-3).map(({ op, params }) => [op, params.key]);
    expect(ops).toEqual([
      ["kv.put", "a"],
      ["lock.release", held.key],
      ["kv.put", "b"],
    ]);
  });
});

describe("confirming", () => {
  test("rejects with a signal's reason untouched, whatever that is", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    for (const reason of [null, 0, { code: "NOT_HELD" }]) {
      const fate = watchFate(held.confirm({ signal: AbortSignal.abort(reason) }));
      await world.settle();
      expect(fate).toEqual({ error: reason });
      held.assertHeld();
    }
  });

  test("asks the cluster, and an answer that it is lost is a loss", async () => {
    const client = await ready();
    const held = await outcome(client.lock("x").acquire());
    await outcome(held.confirm());
    world.scripts["lock.check"] = request => request.fail("NOT_HELD", { reason: "revoked" });
    await expect(outcome(held.confirm())).rejects.toMatchObject({ reason: "revoked" });
    expect(held.signal.aborted).toBe(true);
  });
});

describe("run", () => {
  async function running<T>(fn: () => T | Promise<T>): Promise<Fate<T>> {
    const client = await ready();
    const fate = watchFate(client.lock("x").run(fn));
    await world.settle();
    return fate;
  }

  test("gives what the function returns, and has released by then", async () => {
    let releasedBefore = -1;
    const fate = await running(() => {
      releasedBefore = world.node.of("lock.release").length;
      return 42;
    });
    expect(fate).toEqual({ value: 42 });
    expect([releasedBefore, world.node.of("lock.release").length]).toEqual([0, 1]);
  });

  test("throws what the function throws, and releases", async () => {
    const error = new Error("mine");
    const fate = await running(() => Promise.reject(error));
    expect(fate.error).toBe(error);
    expect(world.node.of("lock.release")).toHaveLength(1);
  });

  test("gives the function's result even when the release fails", async () => {
    const client = await ready();
    world.scripts["lock.release"] = request => request.fail("INTERNAL");
    const one = watchFate(client.lock("x").run(() => "done"));
    await world.settle();
    expect(one).toEqual({ value: "done" });
    const error = new Error("mine");
    const two = watchFate(client.lock("x").run(() => Promise.reject(error)));
    await world.settle();
    expect(two.error).toBe(error);
  });

  test("rejects with the loss when the lock was lost and the function noticed nothing", async () => {
    let finish = (_: string): void => {};
    const fate = await running(() => new Promise<string>(resolve => (finish = resolve)));
    world.node.connection.send({ event: "leaseEnded", lease: "a1", reason: "revoked" });
    await world.settle();
    expect(fate).toStrictEqual({});
    finish("all done");
    await world.settle();
    expect(fate.error).toBeInstanceOf(LockLostError);
    expect(fate.error).toMatchObject({ reason: "revoked" });
  });

  test("rejects with the loss when only the clocks tell of it", async () => {
    let finish = (_: string): void => {};
    const fate = await running(() => new Promise<string>(resolve => (finish = resolve)));
    world.stall(12_000);
    finish("all done");
    await world.settle();
    expect(fate.error).toMatchObject({ reason: "unproven" });
  });

  test("rejects with the loss when only the release tells of it", async () => {
    const client = await ready();
    world.scripts["lock.release"] = request =>
      request.ok({ released: false, ended: { reason: "broken" } });
    const fate = watchFate(client.lock("x").run(() => "done"));
    await world.settle();
    expect(fate.error).toMatchObject({ reason: "broken" });
  });

  test("lets the function's own error win over the loss", async () => {
    const error = new Error("mine");
    let fail = (_: unknown): void => {};
    const fate = await running(() => new Promise((_, reject) => (fail = reject)));
    world.node.connection.send({ event: "leaseEnded", lease: "a1", reason: "revoked" });
    await world.settle();
    fail(error);
    await world.settle();
    expect(fate.error).toBe(error);
  });
});

describe("an election", () => {
  test("is campaigned in, proclaimed in and resigned from by the grant's key", async () => {
    const client = await ready();
    world.scripts["election.proclaim"] = request => request.ok({ revision: 9 });
    const leadership = await outcome(client.election("e").campaign("me"));
    expect(world.node.last("election.campaign").params).toEqual({
      name: "e",
      value: "me",
      lease: "a1",
      waitMs: -1,
    });
    await outcome(leadership.proclaim("me again"));
    expect(world.node.last("election.proclaim").params).toEqual({
      key: leadership.key,
      value: "me again",
    });
    await outcome(leadership.release());
    expect(world.node.last("election.resign").params).toEqual({ key: leadership.key });
  });

  test("is campaigned in again after leadership was lost, and left when the work is done", async () => {
    const client = await ready();
    const terms: number[] = [];
    const fate = watchFate(
      client.election("e").runWhileLeading("me", async leadership => {
        terms.push(leadership.token);
        if (terms.length === 2) return;
        await new Promise((_, reject) =>
          leadership.signal.addEventListener("abort", () => reject(leadership.signal.reason)),
        );
      }),
    );
    await world.settle();
    const { lease } = world.node.last("election.campaign").params;
    world.node.connection.send({ event: "leaseEnded", lease, reason: "expired" });
    await world.advance(100);
    expect(terms).toHaveLength(2);
    expect(fate).toStrictEqual({ value: undefined });
    expect(world.node.of("election.resign")).toHaveLength(1);
  });

  describe("that has led once, in an outage", () => {
    /** Loses its lease, and the nodes for a minute. */
    async function leading(controller?: AbortController) {
      const client = await ready();
      const terms: number[] = [];
      const work = async ({ token, signal }: Leadership): Promise<void> => {
        terms.push(token);
        await new Promise(resolve => signal.addEventListener("abort", resolve));
      };
      const options = controller === undefined ? {} : { signal: controller.signal };
      const fate = watchFate(client.election("e").runWhileLeading("me", work, options));
      await world.settle();
      world.node.isDown = true;
      world.node.connection.cut();
      await world.advance(60_000);
      expect(fate).toEqual({});
      expect(terms).toHaveLength(1);
      return { client, terms, fate };
    }

    test("stands again when that is over, however long it was", async () => {
      const { terms, fate } = await leading();
      world.node.isDown = false;
      await world.advance(5_000);
      expect(terms).toHaveLength(2);
      expect(fate).toEqual({});
    });

    test("ends when it is told to, or when the client is closed", async () => {
      const controller = new AbortController();
      const told = await leading(controller);
      controller.abort("stop");
      await world.settle();
      expect(told.fate.error).toBe("stop");
      await world.close();
      const { client, fate } = await leading();
      void client.close();
      await world.advance(2000);
      expect(fate.error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
      expect(world.loop.turn(Number.MAX_SAFE_INTEGER)).toBe(false);
    });

    test("that began before its first term, ends with the time limit of a call", async () => {
      world = new World();
      const client = world.connect();
      world.node.isDown = true;
      const fate = watchFate(client.election("e").runWhileLeading("me", () => Promise.resolve()));
      await world.advance(10_000);
      expect(fate.error).toBeInstanceOf(UnavailableError);
    });
  });

  test("passes an error of the work on, and stops campaigning when told", async () => {
    const client = await ready();
    const error = new Error("mine");
    const failed = watchFate(
      client.election("e").runWhileLeading("me", () => Promise.reject(error)),
    );
    await world.settle();
    expect(failed.error).toBe(error);
    const controller = new AbortController();
    world.scripts["election.campaign"] = () => {};
    const { signal } = controller;
    const stopped = watchFate(
      client.election("e").runWhileLeading("me", () => Promise.resolve(), { signal }),
    );
    await world.settle();
    controller.abort("stop");
    await world.settle();
    expect(stopped.error).toBe("stop");
  });

  test("tells its leader, or that there is none", async () => {
    const client = await ready();
    const leader = { name: "e", key: "e/1", token: 1, lease: "b1", value: "me", sinceMs: 3 };
    world.scripts["election.leader"] = request => request.ok({ leader, revision: 4 });
    const known = await outcome(client.election("e").leader());
    expect(known).toMatchObject({ value: "me", token: 1 });
    expect([...(known?.bytes ?? [])]).toEqual([109, 101]);
    world.scripts["election.leader"] = request => request.ok({ revision: 4 });
    expect(await outcome(client.election("e").leader())).toBeNull();
  });
});
