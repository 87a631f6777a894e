import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLIENT, greeted, HELLO, makeSession, operations } from "./session-under-test.js";

describe("a hello", () => {
  test("is welcomed with the node, the leader and the limits", async () => {
    const { session, settle } = makeSession();
    session.receive([HELLO]);
    expect(await settle()).toMatchObject([
      {
        welcome: {
          v: 1,
          clusterId: "00c0ffee00c0ffee",
          nodeId: "a1",
          leader: "a1",
          limits: { valueBytes: 1_048_576 },
          leases: [],
        },
      },
    ]);
  });

  test("resumes leases, and hears which of them have ended", async () => {
    const { session, coordinator, connection, settle } = makeSession();
    coordinator.standings = () => [
      { lease: "1", remainingMs: 900 },
      { lease: "2", ended: { reason: "expired" } },
      { lease: "3", ended: { reason: "forgotten" } },
      { lease: "4" },
    ];
    session.receive([{ hello: { v: 1, client: CLIENT, leases: ["1", "2", "3", "4"] } }]);
    expect(connection.attached).toEqual(["1", "2", "3", "4"]);
    expect(await settle()).toMatchObject([
      {
        welcome: {
          leases: [
            { lease: "1", remainingMs: 900 },
            { lease: "2", ended: { reason: "expired" } },
            { lease: "3", ended: { reason: "forgotten" } },
            { lease: "4" },
          ],
        },
      },
    ]);
  });

  test("with many leases leaves all its calls to its requests", async () => {
    const { session, coordinator, settle } = makeSession();
    const leases = Array.from({ length: 1_000 }, (_, n) => (n + 1).toString(16));
    session.receive([{ hello: { v: 1, client: CLIENT, leases } }]);
    expect(coordinator.calls).toEqual([]);
    expect(await settle()).toMatchObject([{ welcome: { leases: { length: 1_000 } } }]);
  });

  test("is welcomed at once when no leader can tell of its leases", async () => {
    const { session, coordinator, settle } = makeSession();
    coordinator.standings = () => null;
    session.receive([{ hello: { v: 1, client: CLIENT, leases: ["1"] } }]);
    expect(await settle()).toMatchObject([{ welcome: { leases: [{ lease: "1" }] } }]);
  });

  test("is welcomed after a second even if nobody can tell of its leases", async () => {
    const { session, coordinator, timers, settle } = makeSession();
    coordinator.standings = () => "never";
    session.receive([{ hello: { v: 1, client: CLIENT, leases: ["1"] } }]);
    expect(await settle()).toEqual([]);
    timers[0]?.();
    expect(await settle()).toMatchObject([{ welcome: { leases: [{ lease: "1" }] } }]);
  });

  test("that does not come ends the connection by name", async () => {
    const { session, connection, timers, state, settle } = makeSession();
    timers[0]?.();
    expect(await settle()).toMatchObject([{ id: 0, error: { code: "REQUEST_TIMEOUT" } }]);
    expect(state.closed).toEqual([1008, "REQUEST_TIMEOUT"]);
    expect(connection.closed).not.toBeNull();
    session.receive([HELLO]);
    expect(await settle()).toEqual([]);
    expect((await greeted()).timers).toEqual([]);
  });

  test("comes first, once, and in a version that the node speaks", async () => {
    const bad = [
      { id: 1, op: "cluster.status" },
      { hello: { v: 2 } },
      { hello: { v: 1, client: "xyz" } },
      { hello: { v: 1, leases: ["0a"] } },
      { hello: { v: 1, leases: "a" } },
      { hello: { v: 1, extra: 1 } },
      { hello: null },
      {},
    ];
    for (const message of bad) {
      const { session, state, frames, coordinator } = makeSession();
      session.receive([message]);
      expect(frames.flat()).toMatchObject([{ id: 0, error: { code: "INVALID_FRAME" } }]);
      expect(state.closed).toEqual([1008, "INVALID_FRAME"]);
      expect(coordinator.calls).toEqual([]);
    }
    const { session, state } = await greeted();
    session.receive([HELLO]);
    expect(state.closed).toEqual([1008, "INVALID_FRAME"]);
  });
});

describe("requests", () => {
  test("reach the coordinator in the order sent, under their client's identity", async () => {
    const { session, coordinator } = await greeted();
    session.receive([
      { id: 7, op: "kv.put", params: { key: "a", value: new Uint8Array([255]) }, low: 5 },
      { id: 8, op: "kv.put", params: { key: "é", value: "é" } },
    ]);
    session.receive([{ id: 9, op: "kv.get", params: { key: "a" } }]);
    expect(coordinator.calls.map(({ name, params, context }) => [name, params, context])).toEqual([
      [
        "kv.put",
        { key: "a", value: "\u00ff" },
        { id: 7, request: { client: CLIENT, number: 7, low: 5 } },
      ],
      [
        "kv.put",
        { key: "\u00c3\u00a9", value: "\u00c3\u00a9" },
        { id: 8, request: { client: CLIENT, number: 8, low: 5 } },
      ],
      ["kv.get", { key: "a" }, { id: 9, request: { client: CLIENT, number: 9, low: 5 } }],
    ]);
  });

  test("of a client without an id have no identity", async () => {
    const { session, coordinator, settle } = makeSession();
    session.receive([{ hello: { v: 1 } }, { id: 1, op: "cluster.status" }]);
    await settle();
    expect(coordinator.lastCall.context).toEqual({ id: 1 });
  });

  test("are answered in one frame a turn, whatever their order", async () => {
    const { session, coordinator, frames, endTurn } = await greeted();
    coordinator.scripts["kv.get"] = () => {};
    session.receive([1, 2, 3].map(id => ({ id, op: "kv.get", params: { key: "a" } })));
    const [first, second, third] = coordinator.calls;
    third?.succeed({ key: "\u00ff", value: "\u00c3\u00a9", modRevision: 2 ** 33 });
    first?.fail({ code: "NO_SUCH_KEY", message: "none" });
    second?.succeed({ key: "a", value: "b" });
    await new Promise(resolve => setImmediate(resolve));
    expect(frames).toEqual([]);
    endTurn();
    expect(frames).toMatchObject([
      [
        { id: 3, ok: { key: Buffer.from([255]), value: "é", modRevision: 2n ** 33n } },
        { id: 1, error: { code: "NO_SUCH_KEY", requestId: "r-1" } },
        { id: 2, ok: { key: "a", value: "b" } },
      ],
    ]);
  });

  test("that are unfit are refused by name, and the connection goes on", async () => {
    const { session, coordinator, state, settle } = await greeted();
    const bad: [object, string][] = [
      [{ op: "kv.gett", params: {} }, "UNKNOWN_OPERATION"],
      [{ op: "constructor" }, "UNKNOWN_OPERATION"],
      [{ op: "kv.get", params: { kye: "a" } }, "UNKNOWN_FIELD"],
      [{ op: "kv.get", params: { key: 5 } }, "INVALID_PARAMETER"],
      [{ op: "kv.get" }, "INVALID_PARAMETER"],
      [{ op: "kv.get", params: { key: "k".repeat(4097) } }, "KEY_TOO_LARGE"],
      [{ op: "lock.acquire", params: { names: ["a", "k".repeat(4097)] } }, "KEY_TOO_LARGE"],
      [{ op: "slot.claim", params: { job: "k".repeat(4097), slot: 1 } }, "KEY_TOO_LARGE"],
      [{ op: "kv.put", params: { key: "k", value: "é".repeat(524_289) } }, "VALUE_TOO_LARGE"],
      [{ op: "lease.get", params: { lease: new Uint8Array([97]) } }, "INVALID_PARAMETER"],
      [{ op: "kv.get", params: { key: "a", toString: 1 } }, "UNKNOWN_FIELD"],
      [{ op: "kv.get", params: JSON.parse('{"key":"a","__proto__":{"x":1}}') }, "UNKNOWN_FIELD"],
    ];
    for (const [at, [message, code]] of bad.entries()) {
      session.receive([{ id: at + 1, ...message }]);
      expect(await settle()).toMatchObject([{ id: at + 1, error: { code } }]);
    }
    expect([coordinator.calls, state.closed]).toEqual([[], null]);
  });

  test("cut into pieces a wait only for a client that can ask on", async () => {
    const params = { name: "a", ttlMs: 1000, waitMs: 1000, pollMs: 100 };
    for (const [hello, calls] of [
      [{ hello: { v: 1 } }, 0],
      [HELLO, 1],
    ] as const) {
      const { session, coordinator, settle } = makeSession();
      session.receive([hello, { id: 1, op: "lock.acquire", params }]);
      const said = await settle();
      expect(coordinator.calls).toHaveLength(calls);
      const error = { code: "INVALID_PARAMETER", details: { parameter: "pollMs" } };
      if (calls === 0) expect(said.at(-1)).toMatchObject({ id: 1, error });
    }
  });

  test("that are no messages end the connection, after its answers", async () => {
    const bad: unknown[] = [
      "x",
      5,
      null,
      { id: 1, op: "cluster.status" },
      [5],
      [[]],
      [{ id: 0, op: "cluster.status" }],
      [{ id: 1.5, op: "cluster.status" }],
      [{ id: "1", op: "cluster.status" }],
      [{ id: 1, op: 5 }],
      [{ id: 1, op: "cluster.status", params: [] }],
      [{ id: 1, op: "cluster.status", low: -1 }],
      [{ id: 1, op: "cluster.status", parms: {} }],
      [{ cancel: "1" }],
      [{ cancel: 1, id: 2 }],
      [{ nothing: 1 }],
      [new Uint8Array(3)],
    ];
    for (const frame of bad) {
      const { session, state, frames, connection } = await greeted();
      session.receive(frame);
      expect(frames.flat().at(-1)).toMatchObject({ id: 0, error: { code: "INVALID_FRAME" } });
      expect(state.closed).toEqual([1008, "INVALID_FRAME"]);
      expect(connection.closed).toBe("kept");
    }
  });

  test("past the limit are refused, and the same id twice under way ends it", async () => {
    const { session, coordinator, state, settle } = await greeted({ maxPendingPerConnection: 2 });
    coordinator.scripts["kv.get"] = () => {};
    session.receive([1, 2, 3].map(id => ({ id, op: "kv.get", params: { key: "a" } })));
    expect(await settle()).toMatchObject([{ id: 3, error: { code: "TOO_MANY_REQUESTS" } }]);
    coordinator.calls[0]?.succeed({ key: "a", value: "b" });
    await settle();
    session.receive([{ id: 4, op: "kv.get", params: { key: "a" } }]);
    expect(coordinator.calls.length).toBe(3);
    session.receive([{ id: 4, op: "kv.get", params: { key: "a" } }]);
    expect(state.closed).toEqual([1008, "INVALID_FRAME"]);
  });

  test("are cancelled by id, and answered by the final truth alone", async () => {
    const { session, coordinator, settle } = await greeted();
    coordinator.scripts["lock.acquire"] = () => {};
    const params = { name: "a", lease: "6a1f", waitMs: -1 };
    session.receive([{ id: 1, op: "lock.acquire", params }]);
    session.receive([{ cancel: 1 }, { cancel: 99 }]);
    expect(coordinator.lastCall.cancelled).toBe(true);
    expect(await settle()).toEqual([]);
    coordinator.lastCall.succeed({ token: 5 });
    expect(await settle()).toEqual([{ id: 1, ok: { token: 5 } }]);
  });
});

describe("pushed events", () => {
  test("travel in one frame with the answers of the turn, in order", async () => {
    const { session, connection, settle } = await greeted();
    session.receive([{ id: 1, op: "watch.start", params: { key: "a" } }]);
    expect(await settle()).toEqual([{ id: 1, ok: {} }]);
    const lost = {
      event: "lost",
      lease: "1",
      key: "n/1",
      name: "n",
      token: 1,
      reason: "expired",
    } as const;
    connection.push({ event: "watch", id: 1, revision: 3, changes: [] });
    connection.push(lost);
    expect(await settle()).toEqual([{ event: "watch", id: 1, revision: 3, changes: [] }, lost]);
  });

  test("of a stream can be cancelled until the stream has ended", async () => {
    const { session, coordinator, connection, settle } = await greeted();
    session.receive([{ id: 1, op: "watch.start", params: { key: "a" } }]);
    await settle();
    session.receive([{ cancel: 1 }]);
    expect(coordinator.lastCall.cancelled).toBe(true);
    connection.push({ event: "end", id: 1 });
    expect(await settle()).toEqual([{ event: "end", id: 1 }]);
    session.receive([{ id: 1, op: "watch.start", params: { key: "a" } }]);
    expect(coordinator.calls.length).toBe(2);
  });
});

describe("a connection", () => {
  test("does not gather more than about a mebibyte before it sends", async () => {
    const { session, coordinator, frames } = await greeted();
    const value = "x".repeat(300_000);
    coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value });
    session.receive([1, 2, 3, 4, 5].map(id => ({ id, op: "kv.get", params: { key: "a" } })));
    await new Promise(resolve => setImmediate(resolve));
    expect(frames.map(frame => frame.length)).toEqual([4]);
  });

  test("sends early as well where former records make events heavy", async () => {
    const { connection, frames } = await greeted();
    const prev = {
      key: "a",
      value: "x".repeat(300_000),
      createRevision: 1,
      modRevision: 2,
      version: 1,
    };
    const change = {
      kind: "delete",
      key: "a",
      createRevision: 1,
      modRevision: 3,
      version: 0,
    } as const;
    for (const revision of [3, 4, 5, 6, 7])
      connection.push({ event: "watch", id: 1, revision, changes: [{ ...change, prev }] });
    expect(frames.map(frame => frame.length)).toEqual([4]);
  });

  test("ends by name when a frame cannot be encoded, and nothing is thrown at the node", async () => {
    const { session, connection, state, settle } = await greeted();
    state.breaks = true;
    session.receive([{ id: 1, op: "cluster.status" }]);
    expect(await settle()).toEqual([]);
    expect(state.closed).toEqual([1011, "INTERNAL"]);
    expect(connection.closed).toBe("kept");
  });

  test("that is gone leaves its waits in line and hears nothing more", async () => {
    const { session, coordinator, connection, settle } = await greeted();
    coordinator.scripts["lock.acquire"] = () => {};
    session.receive([
      { id: 1, op: "lock.acquire", params: { name: "a", ttlMs: 15000, waitMs: -1 } },
    ]);
    session.closed();
    expect(connection.closed).toBe("kept");
    coordinator.lastCall.succeed({});
    session.receive([{ id: 2, op: "cluster.status" }]);
    expect(await settle()).toEqual([]);
    expect(coordinator.calls.length).toBe(1);
  });

  test("is told when the node stops", async () => {
    const { session, state, frames } = await greeted();
    session.stop();
    expect(frames.flat()).toMatchObject([{ id: 0, error: { code: "SHUTTING_DOWN" } }]);
    expect(state.closed).toEqual([1001, "SHUTTING_DOWN"]);
  });
});

test("whatever a client says is answered by name or ends the connection, and never throws", async () => {
  const field = fc.constantFrom("key", "value", "name", "lease", "token", "heldBy", "success", "x");
  const message = fc.oneof(
    fc.record(
      {
        id: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.anything()),
        op: fc.oneof(fc.constantFrom(...operations.keys()), fc.string()),
        params: fc.oneof(fc.dictionary(field, fc.anything()), fc.anything()),
        low: fc.anything(),
      },
      { requiredKeys: ["id", "op"] },
    ),
    fc.record({ cancel: fc.anything() }),
    fc.anything(),
  );
  const property = fc.asyncProperty(fc.array(message, { maxLength: 4 }), async frame => {
    const { session, coordinator, state, settle } = await greeted();
    // Whose answers are weighed by what they must have.
    coordinator.scripts["kv.get"] = call => call.succeed({ value: "" });
    coordinator.scripts["kv.txn"] = call => call.succeed({ results: [] });
    session.receive(frame);
    const told = await settle();
    expect(
      told.length + coordinator.calls.length > 0 || frame.length === 0 || isCancel(frame),
    ).toBe(true);
    if (state.closed !== null) expect(state.closed).toEqual([1008, "INVALID_FRAME"]);
  });
  await fc.assert(property, { numRuns: 400 });
});

const isCancel = (frame: readonly unknown[]): boolean =>
  frame.every(message => Object.hasOwn(message as object, "cancel"));
