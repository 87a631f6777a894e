/** How a session comes by its lease, and what becomes of a lease that nobody waits for any more. */
import { afterEach, describe, expect, test } from "vitest";
import type { ConnectOptions, Session } from "../../clients/typescript/core/index.js";
import {
  HoldfastError,
  LockLostError,
  UnavailableError,
} from "../../clients/typescript/core/index.js";
import { type FakeRequest, keepAll, World, watchFate } from "./world.js";

let world = new World();
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

afterEach(async () => {
  await world.close();
  process.off("unhandledRejection", note);
});

function connect(options?: ConnectOptions) {
  world = new World();
  unhandled.length = 0;
  process.on("unhandledRejection", note);
  return world.connect(options);
}

/** The first lease comes so late that its caller has gone; all others come at once. */
function firstLeaseIsLate(): void {
  const grant = world.scripts["lease.grant"];
  let isFirst = true;
  world.scripts["lease.grant"] = request => {
    if (isFirst) world.loop.after(2000, () => grant?.(request));
    else grant?.(request);
    isFirst = false;
  };
}

const enough = () => ({ signal: AbortSignal.abort("enough") });

describe("the lease of a session", () => {
  test("is not asked for by a caller whose signal has fired", async () => {
    const client = connect();
    const fates = [
      watchFate(client.lock("x").acquire(enough())),
      watchFate(client.kv.put("here", "me", { session: client, ...enough() })),
    ];
    await world.settle();
    expect(fates).toEqual([{ error: "enough" }, { error: "enough" }]);
    expect(world.node.of("lease.grant")).toHaveLength(0);
  });

  test("that nobody waits for any more and no node grants is no unhandled rejection", async () => {
    for (const abortsFirst of [true, false]) {
      const client = connect();
      world.node.isDown = true;
      const controller = new AbortController();
      if (abortsFirst) controller.abort("enough");
      const fate = watchFate(client.lock("x").acquire({ signal: controller.signal }));
      await world.settle();
      controller.abort("enough");
      await world.advance(11_000);
      expect(fate.error).toBe("enough");
      expect(unhandled).toEqual([]);
      await world.close();
    }
  });

  test("that comes too late is revoked, and its session goes on with another", async () => {
    const client = connect({ timeoutMs: 1000 });
    firstLeaseIsLate();
    const session = client.session();
    const { signal } = session;
    const early = watchFate(session.lock("x").acquire());
    await world.advance(2500);
    // What was to hang on it has never left.
    expect(early.error).toBeInstanceOf(UnavailableError);
    expect(early.error).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
    const fate = watchFate(session.lock("x").acquire());
    await world.settle();
    expect(fate.value?.name).toBe("x");
    expect(world.node.last("lock.acquire").params.lease).toBe("a2");
    expect(signal.aborted).toBe(false);
  });

  test("that comes too late takes nothing from the one that came in its place", async () => {
    const client = connect({ timeoutMs: 1000 });
    firstLeaseIsLate();
    void client
      .lock("x")
      .acquire()
      .catch(() => {});
    await world.advance(1500);
    const fate = watchFate(client.lock("x").acquire());
    await world.advance(1000);
    expect(world.node.of("lease.revoke").map(({ params }) => params.lease)).toEqual(["a2"]);
    expect(fate.value?.signal.aborted).toBe(false);
    expect(client.signal.aborted).toBe(false);
    void client.lock("y").acquire();
    await world.settle();
    expect(world.node.last("lock.acquire").params).toMatchObject({ name: "y", lease: "a1" });
  });
});

describe("a lease that is granted past its own deadline", () => {
  /** 2 s less 1 % less a fifth are over. */
  const ttlMs = 2000;

  test("is given back, and another asked for with a stamp of its own", async () => {
    const client = connect();
    firstLeaseIsLate();
    const session = client.session({ ttlMs });
    const { signal } = session;
    const fate = watchFate(session.lock("x").acquire());
    await world.advance(2000);
    const [first, second] = world.node.of("lease.grant");
    expect([first?.params.stamp, second?.params.stamp]).toEqual([0, 2000]);
    expect(world.node.of("lease.revoke").map(({ params }) => params.lease)).toEqual(["a1"]);
    expect(world.node.last("lock.acquire").params.lease).toBe("a2");
    expect(fate.value?.remainingMs).toBeGreaterThan(0);
    expect(signal.aborted).toBe(false);
  });

  test("leaves a session behind that is lost as any other, and then is over", async () => {
    const client = connect();
    firstLeaseIsLate();
    const session = client.session({ ttlMs });
    const fate = watchFate(session.lock("x").acquire());
    await world.advance(2000);
    const { signal } = session;
    void fate.value?.release();
    await world.settle();
    expect([session.remainingMs > 0, signal.aborted]).toEqual([true, false]);
    world.node.connection.send({ event: "leaseEnded", lease: "a2", reason: "revoked" });
    await world.settle();
    expect(signal.reason).toBeInstanceOf(LockLostError);
    await expect(session.lock("x").tryAcquire()).rejects.toBe(signal.reason);
  });

  test("again and again ends with its caller's time limit", async () => {
    const client = connect();
    const grant = world.scripts["lease.grant"];
    world.scripts["lease.grant"] = request => world.loop.after(2000, () => grant?.(request));
    const fate = watchFate(client.session({ ttlMs }).lock("x").tryAcquire({ timeoutMs: 5000 }));
    await world.advance(4999);
    expect(fate).toEqual({});
    expect(world.node.of("lease.grant")).toHaveLength(3);
    await world.advance(10_000);
    expect(fate.error).toBeInstanceOf(UnavailableError);
    expect(world.node.of("lease.revoke").map(({ params }) => params.lease)).toEqual([
      "a1",
      "a2",
      "a3",
    ]);
  });
});

describe("those who need the lease of one session", () => {
  /** The lease comes after so long. */
  function leaseTakes(ms: number): void {
    const grant = world.scripts["lease.grant"];
    world.scripts["lease.grant"] = request => world.loop.after(ms, () => grant?.(request));
  }

  test("wait as long as each of them said, and share the request of the most patient", async () => {
    const client = connect({ timeoutMs: 1000 });
    world.scripts["kv.put"] = request => request.ok({ revision: 5, created: true });
    leaseTakes(3000);
    const ends: [string, number][] = [];
    const follow = (what: string, promise: Promise<unknown>): void => {
      const note = (end: string): void => void ends.push([`${what} ${end}`, world.now()]);
      promise.then(
        () => note("ok"),
        error => note((error as HoldfastError).code),
      );
    };
    const lock = client.lock("x");
    follow("try 300", lock.tryAcquire({ timeoutMs: 300 }));
    follow("wait", lock.acquire({ waitMs: 60_000 }));
    follow("claim 500", client.schedule("j").claim(1, { timeoutMs: 500 }));
    follow("put 700", client.kv.put("a", "b", { session: client, timeoutMs: 700 }));
    follow("try 30000", lock.tryAcquire({ timeoutMs: 30_000 }));
    follow("put 30000", client.kv.put("a", "b", { session: client, timeoutMs: 30_000 }));
    await world.advance(4000);
    expect(ends).toEqual([
      ["try 300 UNAVAILABLE", 300],
      ["claim 500 UNAVAILABLE", 500],
      ["put 700 UNAVAILABLE", 700],
      ["wait UNAVAILABLE", 1000],
      ["try 30000 ok", 3000],
      ["put 30000 ok", 3000],
    ]);
    expect(world.node.of("lease.grant")).toHaveLength(1);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
  });

  test("have so much less time for what hangs on it", async () => {
    const client = connect();
    leaseTakes(400);
    for (const op of ["lock.acquire", "kv.put"] as const) world.scripts[op] = () => {};
    const wait = watchFate(client.lock("x").acquire({ waitMs: 1000, timeoutMs: 600 }));
    const late = watchFate(client.lock("y").acquire({ waitMs: 300, timeoutMs: 600 }));
    const put = watchFate(client.kv.put("a", "b", { session: client, timeoutMs: 600 }));
    await world.advance(400);
    expect(world.node.of("lock.acquire").map(({ params }) => params.waitMs)).toEqual([600, 0]);
    await world.advance(199);
    expect([late, put]).toEqual([{}, {}]);
    await world.advance(1);
    expect(late.error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(put.error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(wait).toEqual({});
    await world.advance(600);
    expect(wait.error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("and give it up one by one, end the request with the last of them", async () => {
    const client = connect();
    leaseTakes(1000);
    const controllers = [new AbortController(), new AbortController()];
    for (const { signal } of controllers) watchFate(client.lock("x").acquire({ signal }));
    await world.settle();
    controllers[0]?.abort("enough");
    await world.settle();
    expect(world.node.cancels).toEqual([]);
    controllers[1]?.abort("enough");
    // Who comes now is not told of it.
    const next = watchFate(client.lock("x").acquire());
    await world.advance(2000);
    expect(world.node.cancels).toEqual([world.node.of("lease.grant")[0]?.id]);
    expect(world.node.of("lease.revoke").map(({ params }) => params.lease)).toEqual(["a1"]);
    expect(next.value?.name).toBe("x");
  });

  test("are told what is wrong with their call before it is asked for", async () => {
    const client = connect();
    const fates = [
      watchFate(client.lock("x").acquire({ timeoutMs: 0 })),
      watchFate(client.lock("x").tryAcquire({ timeoutMs: -1 })),
      watchFate(client.kv.put("a", "b", { session: client, timeoutMs: Number.NaN })),
    ];
    await world.settle();
    for (const { error } of fates) expect(error).toMatchObject({ code: "INVALID_PARAMETER" });
    expect(world.node.of("lease.grant")).toHaveLength(0);
  });

  test("must bring a session of this very client", async () => {
    const client = connect();
    const another = world.connect();
    for (const session of [another, another.session(), { ...client } as unknown as Session]) {
      const fates = [
        watchFate(client.kv.put("a", "b", { session })),
        watchFate(client.kv.append("a", "b", { session })),
      ];
      await world.settle();
      for (const { error } of fates)
        expect(error).toMatchObject({
          code: "INVALID_PARAMETER",
          details: { parameter: "session" },
        });
    }
    expect(world.node.requests).toEqual([]);
  });
});

describe("an actor that was granted a lock on a lease whose session was lost meanwhile", () => {
  test("asks for the next on that lease, where the cluster knows what it holds", async () => {
    const client = connect();
    const answers: FakeRequest[] = [];
    world.scripts["lock.acquire"] = request => answers.push(request);
    world.scripts["lease.keepalive"] = request => {
      world.loop.after(10, () => keepAll(request));
    };
    const actor = "transfer";
    const x = watchFate(client.lock("x", { actor }).acquire());
    await world.advance(5_005);
    // Past its deadline, and then proven again: the wait goes on, the session is lost.
    world.stall(7_000);
    expect(client.remainingMs).toBe(0);
    await world.advance(20);
    world.grant(answers[0] as FakeRequest);
    await world.settle();
    expect(x.value?.remainingMs).toBeGreaterThan(0);
    void client.lock("y", { actor }).acquire();
    void client.lock("z", { actor: "another" }).acquire();
    await world.settle();
    expect(answers.map(({ params }) => [params.name, params.lease])).toEqual([
      ["x", "a1"],
      ["y", "a1"],
      ["z", "a2"],
    ]);
    void x.value?.release();
    await world.settle();
    void client.lock("v", { actor }).acquire();
    await world.settle();
    expect(answers.at(-1)?.params).toMatchObject({ name: "v", lease: "a2" });
  });
});

describe("closing", () => {
  test("again meanwhile resolves with the first, not before", async () => {
    const client = connect();
    const session = client.session();
    watchFate(session.lock("x").acquire());
    await world.settle();
    world.scripts["lease.revoke"] = request =>
      world.loop.after(500, () => request.ok({ lease: "a1", revoked: true }));
    const order: string[] = [];
    void session.close().then(() => order.push("first"));
    void session.close().then(() => order.push("second"));
    await world.advance(499);
    expect(order).toEqual([]);
    await world.advance(1);
    expect(order).toEqual(["first", "second"]);
  });

  test("fires the signal, also where there never was a lease", async () => {
    const client = connect();
    for (const session of [client.session(), client.session(), client]) {
      const before = session.signal;
      void session.close();
      expect(before.aborted).toBe(true);
      expect(session.signal.reason).toBeInstanceOf(LockLostError);
      expect(session.signal.reason).toMatchObject({ reason: "revoked" });
    }
    await world.settle();
    expect(client.state).toBe("closed");
    expect(world.node.connections).toEqual([]);
  });
});

describe("closing a client or a session while somebody stands in line on it", () => {
  test("ends those waits by name: they never held anything that could be lost", async () => {
    for (const what of ["client", "session"] as const) {
      const client = connect();
      const session = client.session();
      const closing = what === "client" ? client : session;
      const work = () => Promise.reject(new Error("nobody leads"));
      const fates = [
        watchFate(closing.lock("x").acquire()),
        watchFate(closing.lock("x").run(work, { waitMs: 60_000 })),
        watchFate(closing.election("e").campaign("me")),
        watchFate(closing.election("e").runWhileLeading("me", work)),
      ];
      for (const op of ["lock.acquire", "election.campaign"] as const) world.scripts[op] = () => {};
      await world.settle();
      const held = watchFate(closing.lock("held").acquire());
      await world.settle();
      world.grant(world.node.last("lock.acquire"));
      await world.settle();
      void closing.close();
      await world.settle();
      for (const { error } of fates) {
        expect(error).toBeInstanceOf(UnavailableError);
        expect(error).toMatchObject({
          retryable: false,
          message: `this ${what} is closed; make a new one`,
        });
      }
      expect(held.value?.signal.reason).toBeInstanceOf(LockLostError);
      await world.close();
    }
  });

  test("and the sessions of a client are closed with it", async () => {
    const client = connect();
    world.scripts["lock.acquire"] = () => {};
    const fate = watchFate(client.session().lock("x").acquire());
    await world.settle();
    void client.close();
    await world.settle();
    expect(fate.error).toMatchObject({ message: "this client is closed; make a new one" });
  });
});

describe("closing while the lease is still asked for", () => {
  test("takes no longer than any close when no node can be reached", async () => {
    for (const what of ["client", "session"]) {
      const client = connect();
      world.node.isDown = true;
      const session = client.session();
      const closing = what === "client" ? client : session;
      const fate = watchFate(closing.lock("x").acquire());
      await world.settle();
      const closed = watchFate(closing.close());
      await world.advance(2000);
      expect(closed).toStrictEqual({ value: undefined });
      expect(fate.error).toMatchObject({
        code: "UNAVAILABLE",
        retryable: false,
        message: `this ${what} is closed; make a new one`,
      });
      expect(unhandled).toEqual([]);
      await world.close();
    }
  });

  test("revokes what comes before the end of the close", async () => {
    const client = connect();
    firstLeaseIsLate();
    const session = client.session();
    const fate = watchFate(session.lock("x").acquire());
    await world.advance(500);
    const closed = watchFate(session.close());
    await world.advance(1600);
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
    expect(closed).toStrictEqual({ value: undefined });
    expect(fate.error).toBeInstanceOf(HoldfastError);
    expect(world.node.of("lock.acquire")).toHaveLength(0);
  });

  test("revokes what comes after the end of the close as well", async () => {
    const client = connect();
    const grant = world.scripts["lease.grant"];
    world.scripts["lease.grant"] = request => world.loop.after(3000, () => grant?.(request));
    const session = client.session();
    const fate = watchFate(session.lock("x").acquire());
    await world.settle();
    const closed = watchFate(session.close());
    await world.advance(2100);
    expect(closed).toStrictEqual({ value: undefined });
    expect(fate.error).toBeInstanceOf(HoldfastError);
    expect(world.node.of("lease.revoke")).toHaveLength(0);
    await world.advance(1000);
    expect(world.node.last("lease.revoke").params.lease).toBe("a1");
    expect(world.node.of("lock.acquire")).toHaveLength(0);
  });

  test("leaves no timer behind", async () => {
    const client = connect();
    void client
      .lock("x")
      .acquire()
      .catch(() => {});
    void client.close();
    await world.settle();
    expect(client.state).toBe("closed");
    expect(world.loop.turn(Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
