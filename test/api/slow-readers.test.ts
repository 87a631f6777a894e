import { describe, expect, test } from "vitest";
import { greeted } from "./session-under-test.js";

describe("a connection", () => {
  const HELD = { maxWatchBacklogBytes: 100 };

  test("from which nothing leaves for a minute while much waits is closed by name", async () => {
    const { session, connection, state, timers, settle } = await greeted(HELD);
    session.receive([{ id: 1, op: "cluster.status" }]);
    state.buffered = 101;
    await settle();
    state.nowMs = 59_000;
    session.drained();
    state.nowMs = 60_000;
    timers.shift()?.();
    expect(state.closed).toBe(null);
    state.nowMs = 119_000;
    timers.shift()?.();
    expect(state.closed).toEqual([1013, "SLOW_READER"]);
    expect(connection.closed).toBe("kept");
  });

  test("that has much to read keeps its answers for later and takes no new requests, in order", async () => {
    const { session, coordinator, state, settle } = await greeted(HELD);
    const value = "x".repeat(700_000);
    coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value });
    session.receive([1, 2, 3, 4, 5].map(id => ({ id, op: "kv.get", params: { key: "a" } })));
    state.buffered = 101;
    expect(await settle()).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(state.paused).toBe(true);
    session.drained();
    expect(await settle()).toEqual([]);
    state.buffered = 50;
    session.drained();
    expect(await settle()).toMatchObject([{ id: 3 }, { id: 4 }, { id: 5 }]);
    expect([state.paused, state.closed]).toEqual([false, null]);
  });

  test("of which too much waits to be read has its reads refused, and is not closed", async () => {
    const limits = { ...HELD, maxConnectionBacklogBytes: 1_500_000 };
    const { session, coordinator, state, settle } = await greeted(limits);
    const value = "x".repeat(700_000);
    coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value });
    session.receive([1, 2, 3, 4, 5].map(id => ({ id, op: "kv.get", params: { key: "a" } })));
    state.buffered = 101;
    expect((await settle()).length).toBe(2);
    state.buffered = 0;
    session.drained();
    expect(await settle()).toMatchObject([
      { id: 3, ok: {} },
      { id: 4, ok: {} },
      { id: 5, error: { code: "TOO_MANY_REQUESTS", outcome: "not-applied" } },
    ]);
    expect(state.closed).toBe(null);
  });

  test("of which too much waits that cannot be refused is closed by name", async () => {
    const limits = { ...HELD, maxConnectionBacklogBytes: 1_500_000 };
    const { session, coordinator, state, settle } = await greeted(limits);
    const prev = {
      key: "a",
      value: "x".repeat(700_000),
      createRevision: 1,
      modRevision: 2,
      version: 1,
    };
    coordinator.scripts["kv.put"] = call => call.succeed({ key: "a", revision: 3, prev });
    const put = { op: "kv.put", params: { key: "a", value: "" } };
    session.receive([1, 2, 3, 4, 5, 6, 7, 8].map(id => ({ id, ...put })));
    state.buffered = 101;
    await settle();
    expect(state.closed).toEqual([1013, "SLOW_READER"]);
  });

  test("that reads slowly has its streams held until it has caught up", async () => {
    const { session, connection, state, settle } = await greeted({ maxWatchBacklogBytes: 100 });
    session.receive([{ id: 1, op: "cluster.status" }]);
    state.buffered = 101;
    await settle();
    expect([connection.held, state.closed]).toEqual([true, null]);
    state.buffered = 51;
    session.drained();
    expect(connection.held).toBe(true);
    state.buffered = 50;
    session.drained();
    expect(connection.held).toBe(false);
  });
});

/** What callers made long, in the places where each operation shows it. */
const long = "x".repeat(700_000);
const heavy = {
  "lock.inspect": { params: { name: "a" }, result: { holders: [{ owner: long }] } },
  "lock.list": { params: {}, result: { locks: [{ holders: [{ labels: { a: long } }] }] } },
  "lease.list": { params: {}, result: { leases: [{ labels: { a: long } }] } },
  "lease.get": { params: { lease: "a" }, result: { keys: [long] } },
  "lock.check": { params: { key: "a" }, result: { held: true, asked: { why: long } } },
  "election.leader": { params: { name: "a" }, result: { value: long } },
  "cluster.status": { params: {}, result: { peers: [{ name: long }] } },
} as const;

describe("what is gathered for one frame is weighed as it is:", () => {
  test.each(Object.entries(heavy))("answers of %s", async (op, { params, result }) => {
    const { session, coordinator, frames, endTurn } = await greeted();
    const name = op as keyof typeof heavy;
    coordinator.scripts[name] = call => call.succeed(result);
    session.receive([1, 2, 3, 4].map(id => ({ id, op, params })));
    await new Promise(resolve => setImmediate(resolve));
    endTurn();
    expect(frames.map(frame => frame.length)).toEqual([2, 2]);
  });

  test("errors, which show who holds, or a whole record", async () => {
    const { session, coordinator, frames, endTurn } = await greeted();
    const details = { position: 1, holders: [{ owner: long }] };
    coordinator.scripts["lock.acquire"] = call =>
      call.fail({ code: "LOCK_HELD", message: "it is held", details });
    const acquire = { op: "lock.acquire", params: { name: "a", ttlMs: 5_000 } };
    session.receive([1, 2, 3, 4].map(id => ({ id, ...acquire })));
    await new Promise(resolve => setImmediate(resolve));
    endTurn();
    expect(frames.map(frame => frame.length)).toEqual([2, 2]);
  });

  test("events", async () => {
    const { connection, frames, endTurn } = await greeted();
    for (const id of [1, 2, 3, 4])
      connection.push({ event: "observe", id, revision: 2, leader: { value: long } } as never);
    endTurn();
    expect(frames.map(frame => frame.length)).toEqual([2, 2]);
  });
});

test("a connection of which too many errors wait to be read is closed by name", async () => {
  const limits = { maxWatchBacklogBytes: 100, maxConnectionBacklogBytes: 1_500_000 };
  const { session, coordinator, state, settle } = await greeted(limits);
  const details = { position: 1, holders: [{ owner: long }] };
  coordinator.scripts["lock.acquire"] = call =>
    call.fail({ code: "LOCK_HELD", message: "it is held", details });
  const acquire = { op: "lock.acquire", params: { name: "a", ttlMs: 5_000 } };
  session.receive([1, 2, 3, 4, 5, 6, 7, 8].map(id => ({ id, ...acquire })));
  state.buffered = 101;
  await settle();
  expect(state.closed).toEqual([1013, "SLOW_READER"]);
});
