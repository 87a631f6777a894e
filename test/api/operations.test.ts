import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { ERRORS, OPERATION_KINDS, OPERATION_NAMES } from "holdfast-protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node.stop());

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  node.ask("POST", path, {
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers,
  });
const asked = () => node.coordinator.lastCall;

const SAMPLES: Record<string, object> = {
  "kv.put": { key: "a", value: "b", heldBy: { name: "n", token: 3 } },
  "kv.append": { prefix: "a", value: "b" },
  "kv.get": { key: "a" },
  "kv.range": { prefix: "a" },
  "kv.delete": { key: "a", rangeEnd: "b" },
  "kv.txn": {
    compare: [
      { key: "a", target: "version", op: "=", to: 0 },
      { prefix: "b", target: "value", op: "!=", value: "x" },
      { key: "c", target: "lease", op: "=", lease: "0" },
    ],
    success: [{ put: { key: "a", value: "b" } }, { txn: { success: [{ range: { key: "a" } }] } }],
    failure: [{ delete: { prefix: "a" } }, { append: { prefix: "q", value: "" } }],
  },
  "watch.start": { key: "a" },
  "lease.grant": { ttlMs: 15000, owner: "me", labels: { host: "a", "k8s.io/pod": "p" }, stamp: 4 },
  "lease.keepalive": { leases: ["6a1f", "7fffffffffffffff"], stamp: 4 },
  "lease.revoke": { lease: "6a1f" },
  "lease.get": { lease: "6a1f" },
  "lease.list": { limit: 5 },
  "lock.acquire": { name: "jobs/42", ttlMs: 15000, waitMs: -1, mode: "exclusive", position: true },
  "lock.release": { name: "jobs/42", token: 118 },
  "lock.check": { key: "jobs/42/00000000000000000118" },
  "lock.inspect": { name: "jobs/42" },
  "lock.list": { prefix: "jobs/" },
  "lock.annotate": { name: "jobs/42", token: 118, progress: "3 of 7" },
  "lock.yield": { name: "jobs/42", graceMs: 5000, by: "ops", why: "deploy" },
  "lock.break": { key: "jobs/42/00000000000000000118", by: "ops", why: "stuck", force: true },
  "lock.configure": { name: "jobs/42", permits: 3, lockDelayMs: 0, maxHoldMs: 60_000 },
  "slot.claim": { job: "report", slot: 1_700_000_000_000, ttlMs: 15000, onAbandon: "close" },
  "slot.finish": { name: "report", token: 118, outcome: "done", note: "7 rows" },
  "election.campaign": { name: "e", lease: "6a1f", value: "me" },
  "election.proclaim": { name: "e", token: 5, value: "me" },
  "election.resign": { name: "e", token: 5 },
  "election.leader": { name: "e" },
  "election.observe": { name: "e" },
  "cluster.status": {},
  "cluster.members": {},
  "cluster.add": { name: "n4", peerUrls: ["http://10.0.0.4:2380", "http://[fd00::4]:2380"] },
  "cluster.promote": { member: "n4", replacing: "1f" },
  "cluster.remove": { member: "n3" },
  "cluster.transfer": { to: "n2" },
};

const STEP = { put: { key: "a", value: "b" } };
const nested = (depth: number): object =>
  depth === 0 ? {} : { success: [depth === 1 ? STEP : { txn: nested(depth - 1) }] };

describe("operations over HTTP", () => {
  test("all answer at POST /v1/<group>/<verb>, with their parameters passed on", async () => {
    for (const name of OPERATION_NAMES) {
      if (OPERATION_KINDS[name] === "stream") continue;
      const answer = await post(`/v1/${name.replace(".", "/")}`, SAMPLES[name]);
      expect(`${name} ${answer.status} ${answer.text}`).toBe(`${name} 200 {}`);
      expect(asked()).toMatchObject({ name, params: SAMPLES[name] });
    }
  });

  test("that read, other than kv, answer GET with a query as well", async () => {
    await node.ask("GET", "/v1/lock/inspect?name=jobs/42&limit=7");
    expect(asked()).toMatchObject({ name: "lock.inspect", params: { name: "jobs/42", limit: 7 } });
    await node.ask("GET", "/v1/lock/check?name=jobs%2F42&token=118");
    expect(asked()).toMatchObject({ name: "lock.check", params: { name: "jobs/42", token: 118 } });
    await node.ask("GET", "/v1/cluster/status");
    expect(asked()).toMatchObject({ name: "cluster.status", params: {} });
    const write = await node.ask("GET", "/v1/lock/acquire?name=a&ttlMs=15000");
    expect([write.status, write.json.error.code]).toEqual([405, "METHOD_NOT_ALLOWED"]);
    expect(write.headers["allow"]).toBe("POST");
  });

  test("read JSON whatever the Content-Type, even a garbled one", async () => {
    const body = '{"name":"n","token":1}';
    for (const type of ["application/x-www-form-urlencoded", "text/plain", "so;wrong/=", "a/b/c"]) {
      const answer = await post("/v1/lock/release", body, { "content-type": type });
      expect(`${type} ${answer.status}`).toBe(`${type} 200`);
    }
    expect((await post("/v1/cluster/status", "")).status).toBe(200);
  });

  test("refuse what is not a JSON object in UTF-8", async () => {
    for (const body of ["{", "[]", "null", '"a"', "{}x", "\u0000"])
      expect((await post("/v1/lock/release", body)).json.error.code).toBe("INVALID_JSON");
    const latin1 = Buffer.from('{"name":"\u00ff","token":1}', "latin1");
    const answer = await node.ask("POST", "/v1/lock/release", { body: latin1 });
    expect(answer.json.error.code).toBe("INVALID_JSON");
    const deep = `{"name":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect((await post("/v1/lock/release", deep)).json.error.code).toBe("INVALID_PARAMETER");
  });

  test("turn text into its UTF-8 bytes, base64 into bytes, and both back", async () => {
    node.coordinator.scripts["kv.put"] = call =>
      call.succeed({ key: call.params["key"], revision: 2 ** 40, created: true });
    const text = await post("/v1/kv/put", { key: "é", valueBase64: "/w==" });
    expect(asked().params).toEqual({ key: "\u00c3\u00a9", value: "\u00ff" });
    expect(text.json).toEqual({ key: "é", revision: 2 ** 40, created: true });
    const bytes = await post("/v1/kv/put", { keyBase64: "/w==", value: "" });
    expect(bytes.json).toEqual({ keyBase64: "/w==", revision: 2 ** 40, created: true });
    for (const wrong of [
      { keyBase64: "*", value: "" },
      { key: "a", keyBase64: "YQ==", value: "" },
      { key: "a", value: "", leaseBase64: "YQ==" },
    ])
      expect((await post("/v1/kv/put", wrong)).status).toBe(400);
  });

  test("name the field that is unknown, and the one that was probably meant", async () => {
    const cases: [string, object, object][] = [
      ["lock/acquire", { name: "a", ttlMS: 15000 }, { field: "ttlMS", didYouMean: "ttlMs" }],
      ["lock/acquire", { nmae: "a" }, { field: "nmae", didYouMean: "name" }],
      [
        "kv/put",
        { key: "a", value: "b", heldBy: { name: "n", tokn: 1 } },
        { field: "heldBy.tokn", didYouMean: "token" },
      ],
      [
        "kv/txn",
        { success: [{ put: { key: "a", vlaue: "b" } }] },
        { field: "success[0].put.vlaue", didYouMean: "value" },
      ],
      ["lock/release", { name: "a", token: 1, force: true }, { field: "force" }],
      ["cluster/status", { verbose: true }, { field: "verbose" }],
    ];
    for (const [path, body, details] of cases) {
      const answer = await post(`/v1/${path}`, body);
      expect([answer.status, answer.json.error.code]).toEqual([400, "UNKNOWN_FIELD"]);
      expect(answer.json.error.details).toEqual(details);
    }
    const inQuery = await node.ask("POST", "/v1/lock/release?name=a&token=1");
    expect(inQuery.json.error.code).toBe("UNKNOWN_FIELD");
  });

  test("clamp nothing: what is out of bounds is refused, with the bounds", async () => {
    const cases: [string, object, string][] = [
      ["lease/grant", { ttlMs: 999 }, "ttlMs"],
      ["lease/grant", { ttlMs: 86_400_001 }, "ttlMs"],
      ["lease/grant", { ttlMs: 15000.5 }, "ttlMs"],
      ["lease/grant", { ttlMs: "15000" }, "ttlMs"],
      ["lease/grant", { ttlMs: null }, "ttlMs"],
      ["lease/grant", {}, "ttlMs"],
      ["lease/get", { lease: "0123" }, "lease"],
      ["lease/get", { lease: "8000000000000000" }, "lease"],
      ["lock/acquire", { name: "a", ttlMs: 15000, waitMs: -2 }, "waitMs"],
      ["lock/acquire", { name: "a", ttlMs: 15000, waitMs: 2 ** 31 }, "waitMs"],
      ["lock/acquire", { name: "", ttlMs: 15000 }, "name"],
      ["lock/acquire", { name: "a", ttlMs: 15000, mode: "write" }, "mode"],
      ["lock/acquire", { ttlMs: 15000 }, "name"],
      ["lock/acquire", { name: "a", names: ["a", "b"], ttlMs: 15000 }, "names"],
      ["lock/acquire", { names: [], ttlMs: 15000 }, "names"],
      ["lock/acquire", { names: ["a", "a"], ttlMs: 15000 }, "names"],
      ["lock/acquire", { names: ["a", "b"], mode: "shared", ttlMs: 15000 }, "mode"],
      ["lock/acquire", { names: ["a", "b"], permits: 2, ttlMs: 15000 }, "permits"],
      ["lock/acquire", { name: "a", mode: "shared", permits: 2, ttlMs: 15000 }, "permits"],
      ["lock/acquire", { name: "a", permits: 0, ttlMs: 15000 }, "permits"],
      ["lock/yield", { name: "a", graceMs: 86_400_001 }, "graceMs"],
      ["lock/break", { name: "a" }, "token"],
      ["slot/claim", { job: "a", slot: 1 }, "lease"],
      ["slot/claim", { job: "a", slot: 1, ttlMs: 15000, lease: "6a1f" }, "ttlMs"],
      ["slot/claim", { job: "a", slot: 1.5, ttlMs: 15000 }, "slot"],
      ["slot/finish", { name: "a", token: 1, outcome: "closed" }, "outcome"],
      ["lock/acquire", { name: "a", ttlMs: 15000, lease: "6a1f" }, "ttlMs"],
      ["lock/acquire", { name: "a" }, "lease"],
      ["lock/acquire", { name: "a", ttlMs: 15000, pollMs: 1000 }, "pollMs"],
      ["lock/acquire", { name: "a", ttlMs: 15000, waitMs: 9, pollMs: 1000 }, "pollMs"],
      ["lock/acquire", { name: "a", ttlMs: 1000, minRemainingMs: 1001 }, "minRemainingMs"],
      ["lock/release", { name: "a", token: 0 }, "token"],
      ["lock/release", { name: "a" }, "token"],
      ["kv/delete", {}, "key"],
      ["kv/range", { rangeEnd: "b" }, "rangeEnd"],
      ["kv/txn", { success: [{}] }, "success[0].put"],
      ["kv/txn", { failure: [{ delete: {} }] }, "failure[0].delete.key"],
      ["kv/txn", { success: [{ range: { key: "a", prefix: "b" } }] }, "success[0].range.prefix"],
      ["kv/txn", { compare: [{ target: "version", op: "=", to: 1 }] }, "compare[0].key"],
      ["kv/txn", nested(5), "success[0].txn.success[0].txn.success[0].txn.success[0].txn."],
      ["kv/txn", { success: Array(65).fill(STEP), failure: Array(64).fill(STEP) }, "success"],
      ["watch/start", {}, "key"],
      ["cluster/add", { name: "n 4", peerUrls: ["http://n4:2380"] }, "name"],
      ["cluster/add", { name: "n4", peerUrls: [] }, "peerUrls"],
      ["cluster/add", { name: "n4", peerUrls: ["http://n4"] }, "peerUrls[0]"],
      ["cluster/add", { name: "n4", peerUrls: ["http://n4:1", "n4:1"] }, "peerUrls[1]"],
      ["cluster/promote", {}, "member"],
      ["cluster/remove", { member: "" }, "member"],
    ];
    const before = node.coordinator.calls.length;
    for (const [path, body, parameter] of cases) {
      const { status, json } = await post(`/v1/${path}`, body);
      expect([path, body, status, json.error.code]).toEqual([path, body, 400, "INVALID_PARAMETER"]);
      expect([path, body, json.error.details.parameter]).toEqual([path, body, parameter]);
    }
    expect(node.coordinator.calls.length).toBe(before);
  });

  test("that do not exist are 404, with the nearest name", async () => {
    const answer = await post("/v1/lock/aquire", {});
    expect(answer.status).toBe(404);
    expect(answer.json.error).toMatchObject({
      code: "UNKNOWN_OPERATION",
      details: { operation: "lock.aquire", didYouMean: "lock.acquire" },
    });
    expect((await node.ask("GET", "/v2/keys")).json.error.code).toBe("NOT_FOUND");
    expect((await node.ask("GET", "/")).json.error.code).toBe("NOT_FOUND");
    expect((await post("/v1/kv/-", {})).json.error.code).toBe("UNKNOWN_OPERATION");
  });

  test("answer 202 with the place in line when a poll's time is over", async () => {
    node.coordinator.scripts["lock.acquire"] = call =>
      call.succeed({ waiting: true, position: 3, lease: "6a1f" });
    const body = { name: "jobs/42", ttlMs: 15000, waitMs: 60000, pollMs: 20000 };
    const answer = await post("/v1/lock/acquire", body, { "idempotency-key": "7f3a" });
    expect([answer.status, answer.json]).toEqual([
      202,
      { waiting: true, position: 3, lease: "6a1f" },
    ]);
    expect(asked().context).toEqual({ idempotencyKey: "7f3a" });
  });

  test("pass an Idempotency-Key on with writes alone, and bound its length", async () => {
    await post("/v1/lock/inspect", { name: "a" }, { "idempotency-key": "7f3a" });
    expect(asked().context).toEqual({});
    const long = { "idempotency-key": "k".repeat(256) };
    expect((await post("/v1/lease/revoke", { lease: "1" }, long)).status).toBe(400);
    expect((await post("/v1/lease/revoke", { lease: "1" }, { "idempotency-key": "" })).status).toBe(
      400,
    );
  });

  test("answer failures by the table, with Retry-After for 503 alone", async () => {
    for (const [code, declaration] of Object.entries(ERRORS)) {
      node.coordinator.scripts["lease.revoke"] = call =>
        call.fail({ code: code as keyof typeof ERRORS, message: "caf\u00c3\u00a9" });
      const answer = await post("/v1/lease/revoke", { lease: "6a1f" });
      expect(answer.status).toBe(declaration.httpStatus);
      expect(answer.json.error).toEqual({
        code,
        message: "café",
        retryable: declaration.retryable,
        outcome: declaration.outcome,
        requestId: expect.stringMatching(/^[\w-]{8}-\d+$/),
      });
      expect(answer.headers["retry-after"]).toBe(answer.status === 503 ? "1" : undefined);
    }
  });
});

describe("a caller that hangs up", () => {
  async function hangUp(headers: Record<string, string>): Promise<string | null> {
    node.coordinator.scripts["lock.acquire"] = () => {};
    const before = node.coordinator.calls.length;
    const caller = new AbortController();
    const body = JSON.stringify({ name: "jobs/42", ttlMs: 15000, waitMs: -1 });
    const url = `${node.url}/v1/lock/acquire`;
    const answer = fetch(url, { method: "POST", body, headers, signal: caller.signal });
    answer.catch(() => {});
    await expect.poll(() => node.coordinator.calls.length).toBe(before + 1);
    expect(asked().connection.closed).toBe(null);
    caller.abort();
    await expect.poll(() => asked().connection.closed).not.toBe(null);
    return asked().connection.closed;
  }

  test("gives its place in line up", async () => {
    expect(await hangUp({})).toBe("abandoned");
  });

  test("keeps its place when it named an Idempotency-Key", async () => {
    expect(await hangUp({ "idempotency-key": "7f3a" })).toBe("kept");
  });

  test("ends what it waited for by a break, with or without an Idempotency-Key", async () => {
    node.coordinator.scripts["lock.break"] = () => {};
    for (const headers of [{}, { "idempotency-key": "7f3b" }]) {
      const before = node.coordinator.calls.length;
      const caller = new AbortController();
      const body = JSON.stringify({ key: "jobs/42/00000000000000000118" });
      const url = `${node.url}/v1/lock/break`;
      fetch(url, { method: "POST", body, headers, signal: caller.signal }).catch(() => {});
      await expect.poll(() => node.coordinator.calls.length).toBe(before + 1);
      caller.abort();
      await expect.poll(() => asked().connection.closed).not.toBe(null);
    }
  });

  test("before its answer could be written has not taken it", async () => {
    node.coordinator.scripts["lock.acquire"] = () => {};
    const before = node.coordinator.calls.length;
    const sockets: Socket[] = [];
    const seen = (message: unknown): void =>
      void sockets.push((message as { readonly socket: Socket }).socket);
    subscribe("http.server.request.start", seen);
    const answer = post("/v1/lock/acquire", { name: "jobs/42", ttlMs: 15000, waitMs: -1 });
    answer.catch(() => {});
    await expect.poll(() => node.coordinator.calls.length).toBe(before + 1);
    unsubscribe("http.server.request.start", seen);
    // The connection has ended, and nobody was told so yet, when the answer comes.
    setImmediate(() => sockets.at(-1)?.destroy());
    asked().succeed({ token: 3 });
    await expect.poll(() => asked().connection.closed).toBe("abandoned");
    await expect(answer).rejects.toThrow();
  });

  test("does not give up anything after it was answered", async () => {
    node.coordinator.scripts["lock.acquire"] = call => call.succeed({ token: 3 });
    await post("/v1/lock/acquire", { name: "a", ttlMs: 15000 });
    await expect.poll(() => asked().connection.closed).toBe("kept");
  });
});

test("short calls share one connection without events, and what may take long has its own", async () => {
  node.coordinator.scripts["lock.acquire"] = call => call.succeed({ token: 3 });
  node.coordinator.scripts["lock.break"] = call => call.succeed({ broken: true });
  const connectionOf = async (path: string, body: object) => {
    await post(path, body);
    return asked().connection;
  };
  const shared = await connectionOf("/v1/lease/grant", { ttlMs: 15000 });
  expect(await connectionOf("/v1/kv/get", { key: "a" })).toBe(shared);
  const own = [
    await connectionOf("/v1/lock/acquire", { name: "a", ttlMs: 15000 }),
    await connectionOf("/v1/election/campaign", { name: "a", ttlMs: 15000 }),
    await connectionOf("/v1/lock/break", { key: "a/00000000000000000118" }),
  ];
  expect(new Set([shared, ...own]).size).toBe(4);
  expect([shared, ...own].map(({ takesEvents }) => takesEvents)).toEqual(Array(4).fill(false));
});
