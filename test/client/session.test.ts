/** How a session comes by its lease, and what becomes of a lease that nobody waits for any more. */
import { afterEach, describe, expect, test } from "vitest";
import type { ConnectOptions } from "../../clients/typescript/core/index.js";
import { HoldfastError, OutcomeUnknownError } from "../../clients/typescript/core/index.js";
import { World, watchFate } from "./world.js";

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
    expect(early.error).toBeInstanceOf(OutcomeUnknownError);
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
