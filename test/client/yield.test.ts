/** Being asked to hand over: each request is told, and each only once. */
import { afterEach, describe, expect, test } from "vitest";
import { type Held, YieldAsked } from "../../clients/typescript/core/index.js";
import { uncaughtErrors } from "./uncaught.js";
import { World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

type Told = [by: string | undefined, why: string | undefined, graceMs: number];

/** A holder with what its listener was told. */
async function holding() {
  world = new World();
  const client = world.connect();
  const fate = watchFate(client.lock("x").acquire());
  await world.settle();
  const held = fate.value as Held;
  const told: Told[] = [];
  const off = listen(held, told);
  return { client, held, told, off };
}

const listen = (held: Held, told: Told[]): (() => void) =>
  held.onYieldAsked(asked => {
    expect(asked).toBeInstanceOf(YieldAsked);
    told.push([asked.by, asked.why, asked.graceMs]);
  });

/** The node pushes that somebody asks. */
async function ask(held: Held, by: string, why: string, graceMs: number): Promise<void> {
  const { key, name } = held;
  world.node.connection.send({ event: "yield", lease: "a1", key, name, graceMs, by, why });
  await world.settle();
}

describe("a holder that is asked to hand over", () => {
  test("hears each request, where its signal fires once, with the first", async () => {
    const { held, told } = await holding();
    const { yieldSignal } = held;
    await ask(held, "ops", "deploy", 30_000);
    await ask(held, "ops", "deploy", 30_000);
    await ask(held, "eve", "now", 0);
    expect(told).toEqual([
      ["ops", "deploy", 30_000],
      ["ops", "deploy", 30_000],
      ["eve", "now", 0],
    ]);
    expect(yieldSignal.reason).toMatchObject({ by: "ops" });
    held.assertHeld();
  });

  test("hears the newest of what came before it listened, and not within the call", async () => {
    const { held } = await holding();
    await ask(held, "ops", "deploy", 30_000);
    await ask(held, "eve", "now", 0);
    const told: Told[] = [];
    listen(held, told);
    expect(told).toEqual([]);
    await world.settle();
    expect(told).toEqual([["eve", "now", 0]]);
  });

  test("hears nothing old after something new", async () => {
    const { held } = await holding();
    const told: Told[] = [];
    const off = held.onYieldAsked(() => {
      off();
      listen(held, told);
    });
    const { key, name } = held;
    const event = { event: "yield", lease: "a1", key, name, graceMs: 0 };
    world.node.connection.send({ ...event, by: "ops" }, { ...event, by: "eve" });
    await world.settle();
    expect(told.map(([by]) => by)).toEqual(["eve"]);
  });

  test("hears nothing once its listener is taken off, or once it has released", async () => {
    const { held, told, off } = await holding();
    off();
    await ask(held, "ops", "deploy", 0);
    const late: Told[] = [];
    listen(held, late)();
    await world.settle();
    expect([told, late]).toEqual([[], []]);
    listen(held, late);
    void held.release();
    await ask(held, "ops", "deploy", 0);
    expect(late).toEqual([]);
  });

  test("is not told again on a new connection what it has heard, but what it missed", async () => {
    const { held, told } = await holding();
    await ask(held, "ops", "deploy", 30_000);
    const reconnectedWith = async (asked: object): Promise<void> => {
      world.scripts["lock.check"] = request => request.ok({ held: true, asked });
      world.node.connection.cut();
      await world.advance(1_000);
    };
    await reconnectedWith({ by: "ops", why: "deploy", graceMs: 29_500 });
    expect(told).toHaveLength(1);
    await reconnectedWith({ by: "eve", why: "deploy", graceMs: 20_000 });
    await reconnectedWith({ by: "eve", why: "deploy", graceMs: 25_000 });
    expect(told.slice(1)).toEqual([
      ["eve", "deploy", 20_000],
      ["eve", "deploy", 25_000],
    ]);
  });

  test("by a leader's or a run's grant as well", async () => {
    const { client } = await holding();
    world.scripts["slot.claim"] = request => {
      const { lease, job } = request.params;
      request.ok({ name: job, key: `${String(job)}/7`, token: 7, lease, revision: 7 });
    };
    const leading = watchFate(client.election("e").campaign("me"));
    const claim = watchFate(client.schedule("j").claim(1));
    await world.settle();
    for (const fate of [leading, claim]) {
      const told: Told[] = [];
      const held = fate.value as Held;
      listen(held, told);
      await ask(held, "ops", "deploy", 5);
      expect(told).toEqual([["ops", "deploy", 5]]);
    }
  });

  test("and throws as it listens, has an uncaught error of its own, and others hear all the same", async () => {
    const { held, told } = await holding();
    const uncaught = uncaughtErrors();
    const own = new Error("the listener's own");
    held.onYieldAsked(() => {
      throw own;
    });
    listen(held, told);
    await ask(held, "ops", "deploy", 0);
    expect(told).toHaveLength(2);
    expect(uncaught).toEqual([own]);
    expect(world.node.connections).toHaveLength(1);
  });
});
