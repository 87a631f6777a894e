/** More waits than a client has room for: none of them stands unheard. */
import { setMaxListeners } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { UnavailableError, WaitTimeoutError } from "../../clients/typescript/core/index.js";
import { World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

describe("more waits than a connection carries", () => {
  const MOST = 8600;

  /** As many as there may be, in one line. */
  async function crowded() {
    world = new World();
    const client = world.connect();
    world.scripts["lock.acquire"] = () => {};
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const lock = client.lock("x");
    const fates = Array.from({ length: MOST }, (_, i) =>
      watchFate(lock.acquire(i === 0 ? { signal: controller.signal } : {})),
    );
    await world.settle();
    const before = world.node.of("lock.acquire").length;
    world.scripts["lock.acquire"] = request => world.grant(request);
    const sent = () => world.node.of("lock.acquire").slice(before);
    return { client, fates, leave: () => controller.abort("enough"), sent };
  }

  test("are refused at once and by name, where they have no bound, whatever their lock", async () => {
    const { client, fates, sent } = await crowded();
    world.scripts["lock.inspect"] = request => request.ok({ name: "x", holders: [] });
    const fate = watchFate(client.lock("free").acquire());
    const breaking = watchFate(client.lock("x").break({ token: 1, reason: "stuck" }));
    const attempt = watchFate(client.lock("free").tryAcquire());
    await world.settle();
    expect(fate.error).toBeInstanceOf(UnavailableError);
    const named = { code: "TOO_MANY_REQUESTS", outcome: "not-applied", details: { limit: MOST } };
    expect(fate.error).toMatchObject(named);
    expect(breaking.error).toMatchObject(named);
    expect(attempt.value?.name).toBe("free");
    expect(sent()).toHaveLength(1);
    expect(fates.every(one => Object.keys(one).length === 0)).toBe(true);
  });

  test("are held back no longer than their time in line, and ask for what is left of it", async () => {
    const { client, leave, sent } = await crowded();
    const early = watchFate(client.lock("y").acquire({ waitMs: 1000 }));
    const later = watchFate(client.lock("z").acquire({ waitMs: 3000 }));
    await world.advance(999);
    expect([early, later]).toEqual([{}, {}]);
    await world.advance(1);
    expect(early.error).toBeInstanceOf(WaitTimeoutError);
    expect(early.error).toMatchObject({ code: "WAIT_TIMEOUT", outcome: "not-applied" });
    await world.advance(1000);
    leave();
    await world.settle();
    world.node.requests.find(({ id }) => id === world.node.cancels[0])?.fail("CANCELLED");
    await world.settle();
    expect(sent().map(({ params }) => [params.name, params.waitMs])).toEqual([["z", 1000]]);
    expect(later.value?.name).toBe("z");
  });
});
