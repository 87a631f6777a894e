import { afterEach, describe, expect, test } from "vitest";
import { World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

function fresh() {
  world = new World();
  return world.connect();
}

async function outcome<T>(promise: Promise<T>): Promise<T> {
  const fate = watchFate(promise);
  await world.advance(100);
  if ("error" in fate) throw fate.error;
  return fate.value as T;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

const record = { createRevision: 2, modRevision: 5, version: 3 };

describe("a key", () => {
  test("is read with its value as text and as bytes", async () => {
    const { kv } = fresh();
    world.scripts["kv.get"] = request => request.ok({ ...record, key: "ключ", value: "значение" });
    const entry = await outcome(kv.get("ключ"));
    expect(entry).toMatchObject({ ...record, key: "ключ", value: "значение" });
    expect(new TextDecoder().decode(entry?.bytes)).toBe("значение");
    expect(entry?.lease).toBeUndefined();
  });

  test("that is no text is exact in bytes, and readable as text", async () => {
    const { kv } = fresh();
    const bytes = Uint8Array.of(0xff, 0x00, 0x61);
    world.scripts["kv.get"] = request =>
      request.ok({ ...record, key: request.params.key, value: bytes, lease: "a9" });
    const entry = await outcome(kv.get(bytes));
    expect([...(entry?.bytes ?? [])]).toEqual([0xff, 0x00, 0x61]);
    expect([...(entry?.keyBytes ?? [])]).toEqual([0xff, 0x00, 0x61]);
    expect(entry).toMatchObject({ value: "\ufffd\u0000a", lease: "a9" });
    expect(JSON.parse(JSON.stringify(entry))).toMatchObject({ value: "\ufffd\u0000a", version: 3 });
    expect(entry && { ...entry }).toMatchObject({ key: entry?.key, value: "\ufffd\u0000a" });
  });

  test("is null when it is absent", async () => {
    const { kv } = fresh();
    world.scripts["kv.get"] = request => request.fail("NO_SUCH_KEY", { key: "a", revision: 9 });
    expect(await outcome(kv.get("a"))).toBeNull();
    expect(await outcome(kv.get("a", { consistency: "serializable" }))).toBeNull();
    expect(world.node.requests.map(({ params }) => params)).toEqual([
      { key: "a" },
      { key: "a", consistency: "serializable" },
    ]);
  });

  test("is written under every condition that there is", async () => {
    const client = fresh();
    const { kv } = client;
    world.scripts["kv.put"] = request => request.ok({ key: "a", revision: 9, created: false });
    const held = await outcome(client.lock("l").acquire());
    await outcome(kv.put("a", "1", { ifRevision: "absent" }));
    await outcome(kv.put("a", "1", { ifRevision: "exists" }));
    await outcome(kv.put("a", "1", { ifRevision: 2 ** 40 }));
    await outcome(kv.put("a", "1", { heldBy: held }));
    await outcome(kv.put("a", "1", { heldBy: { name: "l", token: 7 } }));
    await outcome(kv.put("a", "1", { session: client }));
    const params = world.node.of("kv.put").map(request => request.params);
    expect(params).toEqual([
      { key: "a", value: "1", prevExist: false },
      { key: "a", value: "1", prevExist: true },
      { key: "a", value: "1", prevRevision: 2 ** 40 },
      { key: "a", value: "1", heldBy: { key: held.key } },
      { key: "a", value: "1", heldBy: { name: "l", token: 7 } },
      { key: "a", value: "1", lease: "a1" },
    ]);
  });

  test("that a condition protects says so, with the record as it is", async () => {
    const { kv } = fresh();
    world.scripts["kv.put"] = request =>
      request.fail("CONDITION_FAILED", {
        current: { ...record, key: "a", value: "b" },
        revision: 5,
      });
    await expect(outcome(kv.put("a", "1", { ifRevision: 1 }))).rejects.toMatchObject({
      code: "CONDITION_FAILED",
      retryable: false,
      outcome: "not-applied",
      details: { current: { value: "b" } },
    });
  });

  test("is deleted, or was not there", async () => {
    const { kv } = fresh();
    world.scripts["kv.delete"] = request => request.ok({ deleted: 1, revision: 5 });
    expect(await outcome(kv.delete("a", { ifRevision: 5 }))).toBe(true);
    world.scripts["kv.delete"] = request => request.ok({ deleted: 0, revision: 5 });
    expect(await outcome(kv.delete("a"))).toBe(false);
    expect(world.node.requests.map(({ params }) => params)).toEqual([
      { key: "a", prevRevision: 5 },
      { key: "a" },
    ]);
  });

  test("is appended on a session of its own", async () => {
    const client = fresh();
    world.scripts["kv.append"] = request =>
      request.ok({ key: "p/00000000000000000012", revision: 12 });
    const session = client.session();
    const made = await outcome(client.kv.append("p", "v", { session }));
    expect(made).toEqual({ key: "p/00000000000000000012", revision: 12 });
    expect(world.node.last("kv.append").params).toEqual({ prefix: "p", value: "v", lease: "a1" });
  });
});

describe("lists", () => {
  test("of keys page by themselves, all pages as of one revision", async () => {
    const { kv } = fresh();
    const pages = [
      { records: [{ ...record, key: "a", value: "1" }], more: true, count: 2, revision: 70 },
      { records: [{ ...record, key: "b", value: "2" }], more: false, count: 2, revision: 70 },
    ];
    world.scripts["kv.range"] = request => request.ok(pages.shift() ?? {});
    const entries = await outcome(all(kv.list({ prefix: "", order: "ascend" })));
    expect(entries.map(({ key, value }) => [key, value])).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(world.node.of("kv.range").map(({ params }) => params)).toEqual([
      { prefix: "", limit: 1000, order: "ascend" },
      { prefix: "", limit: 1000, order: "ascend", revision: 70, after: "a" },
    ]);
  });

  test("of locks and of leases page by themselves", async () => {
    const client = fresh();
    const pages = [
      { locks: [{ name: "a", holders: [], waiterCount: 2 }], more: true, revision: 7 },
      { locks: [{ name: "b", holders: [], waiterCount: 0 }], more: false, revision: 7 },
    ];
    world.scripts["lock.list"] = request => request.ok(pages.shift() ?? {});
    const locks = await outcome(all(client.locks({ prefix: "" })));
    expect(locks.map(({ name, waiterCount }) => [name, waiterCount])).toEqual([
      ["a", 2],
      ["b", 0],
    ]);
    expect(world.node.last("lock.list").params).toEqual({ prefix: "", limit: 1000, after: "a" });
    const leases = [
      { leases: [{ lease: "a1", ttlMs: 1, remainingMs: 1, keyCount: 0 }], more: true },
      { leases: [{ lease: "a2", ttlMs: 1, remainingMs: 1, keyCount: 0 }], more: false },
    ];
    world.scripts["lease.list"] = request => request.ok(leases.shift() ?? {});
    expect((await outcome(all(client.leases.list()))).map(({ lease }) => lease)).toEqual([
      "a1",
      "a2",
    ]);
    expect(world.node.last("lease.list").params).toEqual({ after: "a1" });
  });
});

describe("what tools need", () => {
  test("a transaction goes as it is, large numbers and bytes included", async () => {
    const { kv } = fresh();
    const txn = {
      compare: [{ key: "a", target: "modRevision" as const, op: "=" as const, to: 2 ** 45 }],
      success: [{ put: { key: "a", value: Uint8Array.of(255) } }],
      failure: undefined,
    };
    world.scripts["kv.txn"] = request =>
      request.ok({ succeeded: true, revision: 2 ** 46, results: [] });
    const { failure: _absent, ...expected } = txn;
    // Callers without exact optional types pass undefined where they mean nothing.
    const result = await outcome(kv.txn(txn as typeof expected));
    expect(result).toEqual({ succeeded: true, revision: 2 ** 46, results: [] });
    const { params } = world.node.last("kv.txn");
    expect(params).toEqual({
      compare: expected.compare,
      success: [{ put: { key: "a", value: Buffer.from([255]) } }],
    });
  });

  test("a lease by hand is one call each, and is not kept alive", async () => {
    const { leases } = fresh();
    world.scripts["lease.keepalive"] = request =>
      request.ok({ lease: request.params.lease, ttlMs: 5000, remainingMs: 5000 });
    const { lease } = await outcome(leases.grant({ ttlMs: 5000, owner: "me" }));
    expect(world.node.last("lease.grant").params).toEqual({ ttlMs: 5000, owner: "me" });
    expect(await outcome(leases.keepalive(lease))).toMatchObject({ lease, remainingMs: 5000 });
    await world.advance(20_000);
    expect(world.node.of("lease.keepalive")).toHaveLength(1);
    world.scripts["lease.get"] = request =>
      request.ok({ lease, ttlMs: 5000, remainingMs: 1, keys: [Uint8Array.of(97), "b"] });
    expect(await outcome(leases.get(lease))).toMatchObject({ keys: ["a", "b"] });
    expect(await outcome(leases.revoke(lease))).toEqual({ lease, revoked: true });
  });

  test("a lock's line is told with holders, waiters, past and strays", async () => {
    const client = fresh();
    const entry = { key: "x/1", token: 1, lease: "b1", owner: "me", sinceMs: 5 };
    world.scripts["lock.inspect"] = request =>
      request.ok({
        name: "x",
        holders: [entry],
        waiters: [{ ...entry, token: 2 }],
        waiterCount: 1,
        recent: [{ ...entry, reason: "expired", heldMs: 3 }],
        ignored: [Uint8Array.of(0x78)],
        revision: 9,
      });
    expect(await outcome(client.lock("x").inspect())).toEqual({
      name: "x",
      holders: [entry],
      waiters: [{ ...entry, token: 2 }],
      waiterCount: 1,
      recent: [{ ...entry, reason: "expired", heldMs: 3 }],
      ignored: ["x"],
      revision: 9,
    });
  });

  test("any operation can be called by its name", async () => {
    const client = fresh();
    world.scripts["kv.delete"] = request => request.ok({ deleted: 3, revision: 9 });
    const { deleted } = await outcome(client.call("kv.delete", { prefix: "a/" }));
    expect(deleted).toBe(3);
    world.scripts["cluster.members"] = request => request.ok({ members: [{ id: "a1" }] });
    expect(await outcome(client.cluster.members())).toEqual({ members: [{ id: "a1" }] });
    expect(await outcome(client.cluster.status())).toMatchObject({ state: "ready" });
  });
});
