/** Breaking a grant: how long that may take when nobody answers, and when the holder takes its time. */
import { afterEach, describe, expect, test } from "vitest";
import { UnavailableError } from "../../clients/typescript/core/index.js";
import { World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

function connect() {
  world = new World();
  world.scripts["lock.inspect"] = request => request.ok({ name: "x", holders: [] });
  return world.connect({ timeoutMs: 2000 });
}

const which = { token: 7, reason: "stuck" };

describe("a break with no node to be reached", () => {
  test.each([
    ["that asks first", {}],
    ["by force", { force: true }],
  ])("%s ends with the client's time limit, as any call", async (_title, how) => {
    const client = connect();
    world.node.isDown = true;
    const fate = watchFate(client.lock("x").break({ ...which, ...how }));
    await world.advance(1999);
    expect(fate).toEqual({});
    await world.advance(1);
    expect(fate.error).toBeInstanceOf(UnavailableError);
    expect(fate.error).toMatchObject({ outcome: "not-applied" });
  });

  test("is told of it when a node answers that there is no quorum", async () => {
    const client = connect();
    world.scripts["lock.inspect"] = request => request.fail("NO_QUORUM");
    const fate = watchFate(client.lock("x").break(which));
    await world.advance(2000);
    expect(fate.error).toMatchObject({ code: "NO_QUORUM", outcome: "not-applied" });
    expect(world.node.of("lock.break")).toEqual([]);
  });
});

describe("a break that asks first", () => {
  test("waits for the holder's end without bound, also through an outage", async () => {
    const client = connect();
    const fate = watchFate(client.lock("x").break(which));
    await world.advance(3_600_000);
    world.node.isDown = true;
    world.node.connection.cut();
    await world.advance(60_000);
    world.node.isDown = false;
    await world.advance(5_000);
    expect(fate).toEqual({});
    const asked = world.node.of("lock.break");
    expect(asked.map(({ id, params }) => [id, params])).toEqual(
      Array(2).fill([asked[0]?.id, { name: "x", ...{ token: 7, why: "stuck" } }]),
    );
    world.node.last("lock.break").ok({ broken: true });
    await world.settle();
    expect(fate).toStrictEqual({ value: undefined });
  });

  test("waits no longer than its caller says", async () => {
    const client = connect();
    const fate = watchFate(client.lock("x").break({ ...which, timeoutMs: 30_000 }));
    await world.advance(29_999);
    expect(fate).toEqual({});
    await world.advance(1);
    expect(fate.error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("ends with its signal", async () => {
    const client = connect();
    const controller = new AbortController();
    const fate = watchFate(client.lock("x").break({ ...which, signal: controller.signal }));
    await world.advance(60_000);
    controller.abort("enough");
    await world.settle();
    expect(fate.error).toBe("enough");
  });
});

test("a break names the grant by its key, where that is given", async () => {
  const client = connect();
  watchFate(client.lock("x").break({ key: "x/7", reason: "stuck", force: true }));
  await world.settle();
  expect(world.node.last("lock.break").params).toEqual({ key: "x/7", why: "stuck", force: true });
});
