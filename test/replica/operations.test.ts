import fc from "fast-check";
import { OPERATION_NAMES } from "holdfast-protocol";
import { describe, expect, it } from "vitest";
import type { CallContext } from "../../src/replica/coordinator/index.js";
import { HANDLERS } from "../../src/replica/operations/table.js";
import { Setting } from "./setting.js";

type Waiting = "lock.acquire" | "election.campaign";

describe("operations", () => {
  it("every operation of the protocol is served", () => {
    expect(Object.keys(HANDLERS).toSorted()).toEqual(OPERATION_NAMES.toSorted());
  });

  it("a transaction goes there and back with every kind of step", () => {
    const s = new Setting();
    const client = s.client();
    s.result(client.call("kv.put", { key: "a", value: "1" }));
    const result = s.result(
      client.call("kv.txn", {
        compare: [
          { key: "a", target: "value", op: "=", value: "1" },
          { key: "a", target: "lease", op: "=", lease: "0" },
          { key: "none", target: "version", op: "=", to: 0 },
        ],
        success: [
          { put: { key: "b", value: "2", prev: true } },
          { append: { prefix: "s", value: "x" } },
          { range: { prefix: "" } },
          { txn: { compare: [], success: [{ delete: { key: "a", prev: true } }] } },
        ],
        failure: [{ delete: { prefix: "" } }],
      }),
    );
    expect(result).toMatchObject({
      succeeded: true,
      revision: 3,
      results: [
        { put: { key: "b", created: true } },
        { append: { key: "s/00000000000000000003" } },
        { range: { count: 3 } },
        { txn: { succeeded: true, results: [{ delete: { deleted: 1, prev: [{ key: "a" }] } }] } },
      ],
    });
  });

  it("nothing is deleted by leaving out what to delete", () => {
    const s = new Setting();
    const client = s.client();
    s.result(client.call("kv.put", { key: "a", value: "1" }));
    expect(s.code(client.call("kv.delete", {}))).toBe("INVALID_PARAMETER");
    const txn = client.call("kv.txn", { success: [{ delete: {} }] });
    expect(s.code(txn)).toBe("INVALID_PARAMETER");
    expect(s.result(client.call("kv.delete", { prefix: "" })).deleted).toBe(1);
  });

  it("ranges: pages, order, keys only, the past", () => {
    const s = new Setting();
    const client = s.client();
    for (const key of ["a", "b", "c"]) s.result(client.call("kv.put", { key, value: key }));
    const page = s.result(client.call("kv.range", { prefix: "", after: "a", limit: 1 }));
    expect(page).toMatchObject({ records: [{ key: "b" }], more: true });
    const down = s.result(client.call("kv.range", { key: "a", rangeEnd: "c", order: "descend" }));
    expect(down.records.map(({ key }) => key)).toEqual(["b", "a"]);
    const keys = s.result(client.call("kv.range", { keysOnly: true, revision: 3 }));
    expect(keys.records.map(({ key, value }) => [key, value])).toEqual([
      ["a", undefined],
      ["b", undefined],
    ]);
  });

  it("refusals carry the protocol's code, a message and details", () => {
    const s = new Setting();
    const client = s.client();
    s.result(client.call("kv.put", { key: "a", value: "1" }));
    const create = client.call("kv.put", { key: "a", value: "2", prevExist: false });
    expect(s.code(create)).toBe("CONDITION_FAILED");
    expect(create.outcome).toMatchObject({
      failure: { details: { current: { key: "a", modRevision: 2 } } },
    });
    expect(s.code(client.call("kv.get", { key: "none" }))).toBe("NO_SUCH_KEY");
    expect(s.code(client.call("lease.revoke", { lease: "abc" }))).toBe("NO_SUCH_LEASE");
    const never = client.call("lock.release", { name: "n", token: 99 });
    expect(s.code(never)).toBe("NO_SUCH_GRANT");
  });

  it("what was refused stays refused under its Idempotency-Key, also once there is room", () => {
    const s = new Setting(1, {}, { maxLeases: 1 });
    const client = s.client();
    const grant = (idempotencyKey: string) =>
      client.call("lease.grant", { ttlMs: 1_000 }, { idempotencyKey });
    const { lease } = s.result(grant("first"));
    expect(s.code(grant("second"))).toBe("STATE_FULL");
    s.result(client.call("lease.revoke", { lease }));
    expect(s.code(grant("second"))).toBe("STATE_FULL");
    expect(s.code(grant("third"))).toBe("ok");
  });

  it("a guarded write is refused once its grant has ended", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const acquire = client.call("lock.acquire", { name: "l", ttlMs: 60_000 });
    const grant = s.result(acquire);
    if (!("key" in grant)) throw new Error("not granted");
    const heldBy = { name: "l", token: grant.token };
    expect(s.code(client.call("kv.put", { key: "g", value: "1", heldBy }))).toBe("ok");
    s.result(client.call("lock.release", heldBy));
    expect(s.code(client.call("kv.put", { key: "g", value: "2", heldBy }))).toBe("NOT_HELD");
  });

  it("status and members are told without a leader", () => {
    const s = new Setting(3);
    s.cluster.depose();
    s.loop.settle();
    const status = s.result(s.client(2).call("cluster.status", {}));
    expect(status).toMatchObject({ state: "no-quorum", nodeId: "2", version: "0.0.0" });
    expect(status.leader).toBeUndefined();
    expect(s.result(s.client(2).call("cluster.members", {})).members).toHaveLength(3);
  });

  it("past the limit of one connection a call is refused, and another connection is not", () => {
    const s = new Setting(1, { maxCallsPerConnection: 2 });
    const client = s.client();
    const calls = [1, 2, 3].map(n => client.call("kv.put", { key: `${n}`, value: "" }));
    expect(calls.map(call => s.code(call))).toEqual(["ok", "ok", "TOO_MANY_REQUESTS"]);
    expect(s.code(s.client().call("kv.put", { key: "x", value: "" }))).toBe("ok");
  });

  it("the same request id stands for the same command, an Idempotency-Key for the parameters", () => {
    const s = new Setting(1);
    s.result(s.client().call("lock.acquire", { name: "a", ttlMs: 60_000 }));
    const params = { name: "a", ttlMs: 60_000, waitMs: 50 };
    const first = { client: "00000000000000c1", low: 1 };
    const asked = (context: CallContext, more: object, name: Waiting = "lock.acquire") => {
      const again = { ...params, waitMs: 90, ...more };
      expect(s.code(s.client().call("lock.acquire", params, context))).toBe("WAIT_TIMEOUT");
      return s.code(s.client().call(name, again, context));
    };
    const byId = (number: number): CallContext => ({ request: { ...first, number } });
    expect(asked(byId(1), { minRemainingMs: 5, position: true })).toBe("WAIT_TIMEOUT");
    expect(asked(byId(2), {}, "election.campaign")).toBe("WAIT_TIMEOUT");
    expect(asked(byId(3), { waitMs: 0 })).toBe("REQUEST_ID_REUSED");
    expect(asked(byId(4), { owner: "me" })).toBe("REQUEST_ID_REUSED");
    expect(asked({ idempotencyKey: "1" }, {})).toBe("REQUEST_ID_REUSED");
    const same = { waitMs: params.waitMs };
    expect(asked({ idempotencyKey: "2" }, same)).toBe("WAIT_TIMEOUT");
    expect(asked({ idempotencyKey: "3" }, same, "election.campaign")).toBe("REQUEST_ID_REUSED");
  });

  it("a connection of many callers has no bound of one client's", () => {
    const s = new Setting(1, { maxCallsPerConnection: 2, maxLeasesPerConnection: 2 });
    const shared = s.caller();
    const puts = [1, 2, 3].map(n => shared.call("kv.put", { key: `${n}`, value: "" }));
    const grants = [1, 2, 3].map(() => shared.call("lease.grant", { ttlMs: 1_000 }));
    expect([...puts, ...grants].map(call => s.code(call))).toEqual(Array(6).fill("ok"));
    expect(s.replicas[0]!.coordinator.status().counters["leases_attached"]).toBe(0);
  });

  it("no callback runs inside the call that registered it", () => {
    const s = new Setting(1);
    const client = s.client();
    const calls = [
      client.call("cluster.status", {}),
      client.call("kv.get", { key: "a", consistency: "serializable" }),
      client.call("kv.delete", {}),
    ];
    expect(calls.map(({ outcome }) => outcome)).toEqual([null, null, null]);
    s.loop.settle();
    expect(calls.every(({ outcome }) => outcome !== null)).toBe(true);
  });

  it("nothing is called back on a closed connection", () => {
    const s = new Setting(1);
    const client = s.client();
    const call = client.call("kv.put", { key: "a", value: "" });
    client.connection.close(false);
    s.loop.advance(1_000);
    expect(call.outcome).toBeNull();
  });
});

describe("between nodes", () => {
  it("any bytes whatever as a question change nothing and stop nothing", () => {
    const s = new Setting(1);
    const { committed } = s.cluster;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat({ max: 6 }), (bytes, kind) => {
        s.log(1).host.asked(s.log(1).id, bytes, () => {});
        const framed = Uint8Array.from([1, kind, ...bytes]);
        s.log(1).host.asked(s.log(1).id, framed, () => {});
        s.loop.settle();
      }),
      { numRuns: 500 },
    );
    expect(
      s
        .commandsCommitted()
        .flat()
        .filter(kind => kind !== "?"),
    ).toEqual([]);
    expect(s.code(s.client().call("kv.put", { key: "a", value: "" }))).toBe("ok");
    expect(committed.length).toBeGreaterThan(1);
  });
});

describe("snapshots", () => {
  it("are written one at a time, when enough log has gathered or a laggard asks", () => {
    const s = new Setting(1, { snapshotAfterBytes: 200, snapshotSliceBytes: 64 });
    const client = s.client();
    for (let i = 0; i < 20; i++) {
      s.result(client.call("kv.put", { key: `k${i}`, value: "v" }));
      s.loop.advance(20);
    }
    s.loop.advance(2_000);
    const { snapshots } = s.log(1);
    expect(snapshots.length).toBeGreaterThan(0);
    expect(snapshots.at(-1)?.slices.length).toBeGreaterThan(1);
    expect(snapshots.every(({ done }) => done)).toBe(true);
    const before = snapshots.length;
    s.log(1).host.snapshotWanted();
    s.loop.advance(2_000);
    expect(snapshots.length).toBe(before + 1);
  });
});
