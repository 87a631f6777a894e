import { afterEach, describe, expect, test } from "vitest";
import type { Change } from "../../clients/typescript/core/index.js";
import { type FakeRequest, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

function change(key: string, revision: number) {
  return {
    kind: "put",
    key,
    value: `v${revision}`,
    createRevision: revision,
    modRevision: revision,
    version: 1,
  };
}

function tell(request: FakeRequest, revision: number, ...keys: string[]): void {
  request.event("watch", { revision, changes: keys.map(key => change(key, revision)) });
}

/** A watch that is read to its end. */
function read(options: Parameters<ReturnType<World["connect"]>["kv"]["watch"]>[0], nodes = 1) {
  world = new World(nodes);
  world.scripts["watch.start"] = request => request.ok({ revision: 10 });
  const client = world.connect();
  const seen: Change[] = [];
  const stop = new AbortController();
  const fate = watchFate(
    (async () => {
      for await (const one of client.kv.watch({ signal: stop.signal, ...options })) seen.push(one);
    })(),
  );
  return { client, seen, stop, fate };
}

const brief = (changes: readonly Change[]) => changes.map(({ key, revision }) => [key, revision]);

describe("a watch", () => {
  test("gives every change with its kind, key, value and revision", async () => {
    const { seen } = read({ prefix: "a/" });
    await world.settle();
    const start = world.node.last("watch.start");
    expect(start.params).toEqual({ prefix: "a/" });
    start.event("watch", {
      revision: 12,
      changes: [
        change("a/1", 12),
        {
          kind: "delete",
          key: "a/2",
          createRevision: 3,
          modRevision: 12,
          version: 0,
          cause: "expired",
        },
      ],
    });
    await world.settle();
    expect(seen).toMatchObject([
      { kind: "put", key: "a/1", value: "v12", revision: 12, modRevision: 12, version: 1 },
      { kind: "delete", key: "a/2", value: "", revision: 12, cause: "expired" },
    ]);
  });

  test("resumes after the last revision that it was told, each change once and in order", async () => {
    const { seen } = read({ key: "a", from: 5 }, 2);
    await world.settle();
    const first = world.node.last("watch.start");
    expect(first.params.from).toBe(5);
    tell(first, 5, "a");
    tell(first, 7, "a");
    await world.settle();
    world.node.connection.cut();
    await world.advance(100);
    const second = world.nodes[1]?.last("watch.start") as FakeRequest;
    expect(second.params).toEqual({ key: "a", from: 8 });
    expect(second.id).not.toBe(first.id);
    tell(first, 8, "lost with its connection");
    tell(second, 7, "told before");
    tell(second, 8, "a");
    await world.settle();
    expect(brief(seen)).toEqual([
      ["a", 5],
      ["a", 7],
      ["a", 8],
    ]);
  });

  test("from now on misses nothing between its start and a lost connection", async () => {
    read({ key: "a" });
    await world.settle();
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.of("watch.start").map(({ params }) => params.from)).toEqual([undefined, 11]);
  });

  test("moves on with progress that holds no change", async () => {
    const { seen } = read({ key: "a", from: 5 });
    await world.settle();
    tell(world.node.last("watch.start"), 900);
    await world.settle();
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.last("watch.start").params.from).toBe(901);
    expect(seen).toEqual([]);
  });

  test("says that history is gone, after what it was told before", async () => {
    const { seen, fate } = read({ key: "a", from: 5 });
    await world.settle();
    const start = world.node.last("watch.start");
    tell(start, 5, "a");
    start.event("end", {
      error: { code: "HISTORY_GONE", message: "gone", details: { revision: 6 } },
    });
    await world.settle();
    expect(brief(seen)).toEqual([["a", 5]]);
    expect(fate.error).toMatchObject({ code: "HISTORY_GONE", details: { revision: 6 } });
  });

  test("starts again when the node broke it off because it could not serve", async () => {
    const { fate } = read({ key: "a", from: 5 });
    await world.settle();
    world.node.last("watch.start").event("end", { error: { code: "OVERLOADED", message: "" } });
    await world.advance(199);
    expect(world.node.of("watch.start")).toHaveLength(1);
    await world.advance(1);
    expect(world.node.of("watch.start")).toHaveLength(2);
    expect(fate).toStrictEqual({});
  });

  test("ends with the signal's own reason, and tells the node", async () => {
    const { fate, stop } = read({ key: "a" });
    await world.settle();
    stop.abort("enough");
    await world.settle();
    expect(fate.error).toBe("enough");
    expect(world.node.cancels).toEqual([world.node.last("watch.start").id]);
  });

  test("that is left by break is ended at the node", async () => {
    world = new World();
    world.scripts["watch.start"] = request => request.ok({ revision: 10 });
    const client = world.connect();
    const fate = watchFate(
      (async () => {
        for await (const one of client.kv.watch({ key: "a" })) return one.revision;
        return 0;
      })(),
    );
    await world.settle();
    tell(world.node.last("watch.start"), 11, "a", "a");
    await world.settle();
    expect(fate.value).toBe(11);
    expect(world.node.cancels).toHaveLength(1);
  });

  test("stops the node while its reader is slow, and loses nothing by it", async () => {
    world = new World();
    world.scripts["watch.start"] = request => request.ok({ revision: 10 });
    const watch = world.connect().kv.watch({ key: "a", from: 1 })[Symbol.asyncIterator]();
    const first = watchFate(watch.next());
    await world.settle();
    const start = world.node.last("watch.start");
    for (let revision = 1; revision <= 5000; revision += 1) tell(start, revision, "a");
    await world.settle();
    expect(first.value?.value?.revision).toBe(1);
    expect(world.node.cancels).toEqual([start.id]);
    expect(world.node.of("watch.start")).toHaveLength(1);
    const seen: number[] = [];
    for (let n = 0; n < 4097; n += 1) seen.push((await watch.next()).value.revision);
    await world.settle();
    const again = world.node.last("watch.start");
    expect(again.params.from).toBe(4099);
    for (let revision = 4099; revision <= 5000; revision += 1) tell(again, revision, "a");
    await world.settle();
    for (let n = 0; n < 902; n += 1) seen.push((await watch.next()).value.revision);
    expect(seen).toEqual(Array.from({ length: 4999 }, (_, n) => n + 2));
  });

  test("ends when the client is closed", async () => {
    const { client, fate } = read({ key: "a" });
    await world.settle();
    void client.close();
    await world.settle();
    expect(fate.error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
  });

  test("needs exactly one of key and prefix", () => {
    world = new World();
    const { kv } = world.connect();
    expect(() => kv.watch({})).toThrow(/a key or a prefix/);
    expect(() => kv.watch({ key: "a", prefix: "b" })).toThrow(/a key or a prefix/);
  });

  test("begins at a revision, or is refused", () => {
    world = new World();
    const client = world.connect();
    for (const from of [-5, Number.NaN, 1.5, 2 ** 53, "x" as unknown as number]) {
      const named = expect.objectContaining({
        code: "INVALID_PARAMETER",
        details: { parameter: "from" },
      });
      expect(() => client.kv.watch({ key: "a", from })).toThrow(named);
      expect(() => client.election("e").observe({ from })).toThrow(named);
    }
  });

  test("on a quiet connection that is dead is noticed, since the node is asked now and then", async () => {
    const { seen } = read({ key: "a", from: 5 }, 2);
    await world.settle();
    world.node.isDeaf = true;
    await world.advance(20_000);
    const second = world.nodes[1]?.last("watch.start") as FakeRequest;
    tell(second, 5, "a");
    await world.settle();
    expect(brief(seen)).toEqual([["a", 5]]);
  });
});

describe("observing an election", () => {
  test("gives leaders and their absence in order, and resumes after the last", async () => {
    world = new World();
    world.scripts["election.observe"] = request => request.ok({ revision: 10 });
    const seen: unknown[] = [];
    void (async () => {
      for await (const leader of world.connect().election("e").observe())
        seen.push(leader?.value ?? null);
    })().catch(() => {});
    await world.settle();
    const start = world.node.last("election.observe");
    expect(start.params).toEqual({ name: "e" });
    const leader = { name: "e", key: "e/8", token: 8, lease: "b1", value: "one", sinceMs: 3 };
    start.event("observe", { revision: 8, leader });
    start.event("observe", { revision: 12 });
    start.event("observe", { revision: 13, leader: { ...leader, value: "two" } });
    await world.settle();
    world.node.connection.cut();
    await world.advance(100);
    expect(world.node.last("election.observe").params).toEqual({ name: "e", from: 14 });
    expect(seen).toEqual(["one", null, "two"]);
  });
});
