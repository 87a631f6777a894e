/**
 * What callers without types pass by mistake is told by the name they know it by, before anything
 * leaves.
 */
import { afterEach, describe, expect, test } from "vitest";
import { webSocketUrls } from "../../clients/typescript/core/endpoints.js";
import { type Client, type Held, HoldfastError } from "../../clients/typescript/core/index.js";
import { World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

/** As JavaScript sees it: nothing stops a caller. */
// biome-ignore lint/suspicious/noExplicitAny: wrong types are what this is about.
type Untyped = any;

function untyped(): Untyped {
  world = new World();
  return world.connect();
}

/** What `act` throws, or its promise rejects with. */
async function mistake(act: () => unknown): Promise<unknown> {
  const fate = watchFate((async () => act())());
  await world.settle();
  expect(fate).toHaveProperty("error");
  expect(world.node.requests).toEqual([]);
  return fate.error;
}

const first = (items: AsyncIterable<unknown>) => items[Symbol.asyncIterator]().next();

type Row = readonly [parameter: string, title: string, act: (hf: Untyped) => unknown];

const MISTAKES: readonly Row[] = [
  ["name", "a lock without a name", hf => hf.lock(undefined)],
  ["name", "a lock named by a number", hf => hf.lock(3)],
  ["name", "names of which one is a number", hf => hf.lock(["a", 3])],
  ["name", "an election without a name", hf => hf.election()],
  ["job", "a schedule without a job", hf => hf.schedule()],
  ["permits", "a semaphore without options", hf => hf.semaphore("p")],
  ["permits", "a semaphore of none", hf => hf.semaphore("p", { permits: 0 })],
  ["permits", "a semaphore of half a permit", hf => hf.semaphore("p", { permits: 1.5 })],
  ["heldBy", "a guard that is null", hf => hf.kv.put("k", "v", { heldBy: null })],
  ["heldBy", "a guard that is text", hf => hf.kv.delete("k", { heldBy: "x" })],
  ["heldBy", "a guard without a token", hf => hf.kv.append("k", "v", { heldBy: { name: "l" } })],
  ["heldBy", "a guard without its key", hf => hf.kv.put("k", "v", { heldBy: { key: undefined } })],
  ["ifRevision", "a revision that is null", hf => hf.kv.put("k", "v", { ifRevision: null })],
  ["ifRevision", "a revision in text", hf => hf.kv.delete("k", { ifRevision: "3" })],
  ["prefix", "a list of nothing", hf => first(hf.kv.list())],
  ["prefix", "a list without a prefix", hf => first(hf.kv.list({ keysOnly: true }))],
  ["watch", "a watch of nothing", hf => hf.kv.watch()],
  ["signal", "a watch with a signal that is none", hf => hf.kv.watch({ key: "k", signal: "x" })],
  ["signal", "a call with a signal that is none", hf => hf.kv.get("k", { signal: {} })],
  ["timeoutMs", "a time limit in text", hf => hf.kv.get("k", { timeoutMs: "5000" })],
  ["signal", "a wait with a signal that is none", hf => hf.lock("x").acquire({ signal: "x" })],
  ["options", "a wait by its number alone", hf => hf.lock("x").acquire(5000)],
  ["onWaiting", "a listener that is none", hf => hf.lock("x").acquire({ onWaiting: 1 })],
  ["fn", "run with its arguments exchanged", hf => hf.lock("x").run({ waitMs: 3 }, () => {})],
  ["fn", "leading without work", hf => hf.election("e").runWhileLeading("me")],
  ["options", "a break of nothing", hf => hf.lock("x").break()],
  ["break", "a break of no grant", hf => hf.lock("x").break({ reason: "stuck" })],
  ["reason", "a break without a reason", hf => hf.lock("x").break({ token: 1 })],
  ["reason", "a request for no reason in text", hf => hf.lock("x").askToYield({ reason: 3 })],
  ["to", "a request to hand over to a number", hf => hf.lock("x").askToYield({ to: 3 })],
  ["slot", "a slot in text", hf => hf.schedule("j").claim("2020-01-01")],
  ["slot", "a slot that is null", hf => hf.schedule("j").claim(null)],
  ["slot", "a slot that is no date", hf => hf.schedule("j").claim(new Date("soon"))],
];

describe("a wrong argument is refused by its own name:", () => {
  test.each(MISTAKES)("%s, for %s", async (parameter, _title, act) => {
    const hf = untyped();
    const error = await mistake(() => act(hf));
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: "INVALID_PARAMETER", details: { parameter } });
    expect((error as Error).message).toMatch(new RegExp(`^${parameter} must be `));
  });

  test("endpoints, where the options of connect() stand first", () => {
    for (const endpoints of [{ ttlMs: 5000 }, 2379, [2379]] as Untyped[])
      expect(() => webSocketUrls(endpoints)).toThrow(/^endpoints must be .*options come after it$/);
  });

  test("the options of connect() themselves", () => {
    const connect = (options: Untyped) => () => new World().connect(options);
    expect(connect({ timeoutMs: -1 })).toThrow("timeoutMs must be a number greater than 0");
    expect(connect(null)).toThrow("options must be an object");
    expect(connect({ ttlMS: 5000 })).toThrow(/^there is no option ttlMS here; known are ttlMs, /);
  });
});

describe("a time in line", () => {
  const waits = (hf: Client, waitMs: Untyped): [string, () => Promise<unknown>][] => [
    ["acquire", () => hf.lock("x").acquire({ waitMs })],
    ["run", () => hf.lock("x").run(() => {}, { waitMs })],
    ["campaign", () => hf.election("x").campaign("me", { waitMs })],
  ];

  test("is never negative, which on the wire would be for ever", async () => {
    for (const waitMs of [-1, -0.5, -2, Number.NaN, null, "5", Number.POSITIVE_INFINITY])
      for (const [, wait] of waits(untyped(), waitMs))
        expect(await mistake(wait)).toMatchObject({
          code: "INVALID_PARAMETER",
          message: "waitMs must be from 0 to 2147483647, or absent",
        });
  });

  test("has no bound where it is absent, and is told as it is otherwise", async () => {
    const asked: unknown[] = [];
    for (const waitMs of [undefined, 0, 0.5, 2_147_483_647]) {
      const hf = untyped();
      for (const [, wait] of waits(hf, waitMs)) void wait().catch(() => {});
      await world.settle();
      const places = [...world.node.of("lock.acquire"), ...world.node.of("election.campaign")];
      asked.push(places.map(({ params }) => params.waitMs));
      await world.close();
    }
    expect(asked).toEqual([-1, 0, 1, 2_147_483_647].map(ms => [ms, ms, ms]));
  });
});

describe("a misspelt option is refused", () => {
  const rows: readonly Row[] = [
    ["ifRevison", "a write", hf => hf.kv.put("k", "v", { ifRevison: 3 })],
    ["session", "a deletion", hf => hf.kv.delete("k", { session: hf })],
    ["ifRevision", "a sequenced key", hf => hf.kv.append("k", "v", { ifRevision: 3 })],
    ["wait", "a lock", hf => hf.lock("x").acquire({ wait: 3 })],
    ["timeout", "a try", hf => hf.lock("x").tryAcquire({ timeout: 3 })],
    ["waitms", "a run", hf => hf.lock("x").run(() => {}, { waitms: 3 })],
    ["wait", "a campaign", hf => hf.election("x").campaign("me", { wait: 3 })],
    ["timeout", "a claim", hf => hf.schedule("j").claim(1, { timeout: 3 })],
    ["forced", "a break", hf => hf.lock("x").break({ token: 1, reason: "r", forced: true })],
    ["shared", "a way to lock", hf => hf.lock("x", { shared: true })],
    ["onAbandoned", "a way to run jobs", hf => hf.schedule("j", { onAbandoned: "close" })],
    ["ttl", "a session", hf => hf.session({ ttl: 5000 })],
  ];
  test.each(rows)("%s, of %s", async (field, _of, act) => {
    const hf = untyped();
    const error = await mistake(() => act(hf));
    expect(error).toMatchObject({ code: "UNKNOWN_FIELD", details: { field } });
    expect((error as Error).message).toMatch(`there is no option ${field} here; known are `);
  });

  test("and one that is undefined is none", async () => {
    const hf = untyped();
    world.scripts["kv.put"] = request => request.ok({ revision: 5, created: true });
    const fate = watchFate(hf.kv.put("k", "v", { ifRevision: undefined, more: undefined }));
    await world.settle();
    expect(fate.value).toEqual({ revision: 5, created: true });
  });
});

describe("what a holder says of its work", () => {
  async function annotated(progress: Untyped): Promise<string> {
    const hf: Client = untyped();
    const fate = watchFate(hf.lock("x").acquire());
    await world.settle();
    (fate.value as Held).annotate(progress);
    await world.settle();
    return world.node.last("lock.annotate").params.progress as string;
  }

  test("is cut at its bound in bytes, and never within a character", async () => {
    expect(await annotated("a".repeat(1024))).toBe("a".repeat(1024));
    expect(await annotated("a".repeat(2000))).toBe("a".repeat(1024));
    expect(await annotated("я".repeat(512))).toBe("я".repeat(512));
    expect(await annotated(`a${"я".repeat(600)}`)).toBe(`a${"я".repeat(511)}`);
    expect(await annotated(`ab${"🔒".repeat(300)}`)).toBe(`ab${"🔒".repeat(255)}`);
  });

  test("is text", async () => {
    for (const progress of [7, undefined, null, {}])
      await expect(annotated(progress)).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
        message: "progress must be text",
      });
  });
});

describe("what is absent is left out, and not undefined:", () => {
  test("in records and changes", async () => {
    const hf: Client = untyped();
    const record = { createRevision: 2, modRevision: 5, version: 3, key: "a", value: "b" };
    world.scripts["kv.get"] = request => request.ok(record);
    const fate = watchFate(hf.kv.get("a"));
    await world.settle();
    expect(Object.keys(fate.value ?? {}).sort()).toEqual(Object.keys(record).sort());
  });

  test("in errors", async () => {
    const hf: Client = untyped();
    world.scripts["kv.put"] = request => request.fail("STATE_FULL");
    const fate = watchFate(hf.kv.put("a", "b"));
    await world.settle();
    expect(fate.error).toMatchObject({ code: "STATE_FULL" });
    expect(Object.keys(fate.error as Error)).not.toContain("requestId");
  });
});
