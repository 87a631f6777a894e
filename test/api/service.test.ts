import { connect } from "node:net";
import { OPERATION_NAMES } from "holdfast-protocol";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { nodeClock } from "../../src/server/ports/index.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
let shortened = 0;
beforeAll(async () => {
  // A second of waiting is told from the callback's delay, and passes at once.
  const clock = {
    ...nodeClock,
    after: (delayMs: number, callback: () => void) => {
      if (delayMs !== 1000) return nodeClock.after(delayMs, callback);
      shortened += 1;
      return nodeClock.after(20, callback);
    },
  };
  node = await startNode({
    clock,
    times: { headersTimeoutMs: 300, requestTimeoutMs: 600, sweepEveryMs: 50 },
  });
});
afterAll(() => node.stop());

describe("health", () => {
  test("is 200 while a leader is confirmed, 503 when none is, or not within a second", async () => {
    expect((await node.ask("GET", "/health")).status).toBe(200);
    for (const answer of [false, "never"] as const) {
      node.coordinator.probeAnswer = answer;
      const { status, json, headers } = await node.ask("GET", "/health");
      expect([status, json.error.code]).toEqual([503, "UNAVAILABLE"]);
      expect(headers["retry-after"]).toBe("1");
      expect((await node.ask("GET", "/readyz")).status).toBe(503);
    }
    expect(shortened).toBeGreaterThan(0);
    node.coordinator.probeAnswer = true;
  });

  test("is not readiness: a node that is still starting is not ready", async () => {
    expect((await node.ask("GET", "/readyz")).status).toBe(200);
    node.coordinator.state = "starting";
    expect((await node.ask("GET", "/health")).status).toBe(200);
    expect((await node.ask("GET", "/readyz")).status).toBe(503);
    node.coordinator.state = "ready";
  });
});

test("what the doors refuse by themselves counts as an error of its operation, a stream as one call", async () => {
  const own = await startNode();
  own.coordinator.scripts["watch.start"] = call =>
    call.fail({ code: "OVERLOADED", message: "much" });
  const keyed = { body: "{}", headers: { "idempotency-key": "x".repeat(257) } };
  await own.ask("POST", "/v1/kv/get", { body: "{}" });
  await own.ask("POST", "/v1/kv/get", { body: "{" });
  await own.ask("POST", "/v1/lock/acquire", keyed);
  await own.ask("GET", "/v1/lock/inspect?nmae=a");
  await own.ask("PUT", "/v1/kv/a?prevRevision=x", { body: "x" });
  await own.ask("GET", "/v1/watch?kye=a");
  await own.ask("GET", "/v1/watch?key=a");
  await own.ask("POST", "/v1/lock/grab", { body: "{}" });
  const socket = new WebSocket(`ws://127.0.0.1:${own.port}/v1/ws`, "holdfast.v1.json");
  const requests = [{ id: 1, op: "lease.get", params: {} }];
  let answers = 0;
  socket.on("open", () => socket.send(JSON.stringify([{ hello: { v: 1 } }, ...requests])));
  socket.on("message", data => {
    answers += JSON.parse(String(data)).length;
  });
  await expect.poll(() => answers).toBe(2);
  socket.terminate();
  const { text } = await own.ask("GET", "/metrics");
  const errors = text.matchAll(/^holdfast_operation_errors_total\{operation="(.*)"\} (\d+)$/gm);
  expect(Object.fromEntries([...errors].map(([, name, count]) => [name, Number(count)]))).toEqual({
    "kv.get": 2,
    "kv.put": 1,
    "lease.get": 1,
    "lock.acquire": 1,
    "lock.inspect": 1,
    "watch.start": 2,
  });
  await own.stop();
});

test("a HEAD is answered wherever a GET is that ends, without the body", async () => {
  const paths = ["/health", "/readyz", "/metrics", "/version", "/v1/openapi.json"];
  for (const path of [...paths, "/v1/kv?prefix=a", "/v1/cluster/status", "/v1/kv/a"]) {
    const { status, text } = await node.ask("HEAD", path);
    expect([path, status, text]).toEqual([path, 200, ""]);
  }
  node.coordinator.probeAnswer = false;
  expect((await node.ask("HEAD", "/health")).status).toBe(503);
  node.coordinator.probeAnswer = true;
  expect((await node.ask("HEAD", "/v1/watch?key=a")).headers["allow"]).toBe("GET");
});

describe("a method that a path does not answer", () => {
  test("is 405 with those that it does, keys included", async () => {
    const key = "GET, HEAD, PUT, DELETE";
    for (const [method, path, allow] of [
      ["PATCH", "/v1/kv/greeting", key],
      ["OPTIONS", "/v1/kv/a/b", key],
      ["PATCH", "/v1/kv/-", key],
      ["PATCH", "/v1/kv/orders/", "GET, HEAD, PUT, POST, DELETE"],
      ["PATCH", "/v1/kv", "GET, HEAD, DELETE"],
      ["DELETE", "/v1/lock/acquire", "POST"],
      ["POST", "/version", "GET, HEAD"],
    ] as const) {
      const { status, headers, json } = await node.ask(method, path);
      expect([path, status, headers["allow"]]).toEqual([path, 405, allow]);
      expect(json.error.code).toBe("METHOD_NOT_ALLOWED");
    }
  });

  test("tells whoever POSTs to a key how a key is written", async () => {
    const one = await node.ask("POST", "/v1/kv/foo", { body: "x" });
    expect([one.status, one.json.error.code]).toEqual([404, "UNKNOWN_OPERATION"]);
    const deep = await node.ask("POST", "/v1/kv/a/b", { body: "x" });
    expect([deep.status, deep.json.error.code]).toEqual([405, "METHOD_NOT_ALLOWED"]);
    for (const { json } of [one, deep])
      expect(json.error.message).toMatch(/PUT writes the key, and a POST appends .* slash/);
  });
});

test("/version tells the node and the protocol", async () => {
  expect((await node.ask("GET", "/version")).json).toEqual({
    version: "0.0.0-test",
    protocol: 1,
    clusterId: "00c0ffee00c0ffee",
    nodeId: "a1",
    name: "one",
  });
});

test("/metrics has the process, the node's counters, and a histogram an operation", async () => {
  await node.ask("GET", "/v1/lock/inspect?name=a");
  const { text, headers } = await node.ask("GET", "/metrics");
  expect(String(headers["content-type"])).toContain("text/plain");
  expect(text).toContain("process_cpu_seconds_total");
  expect(text).toContain("holdfast_applied_commands 5\n");
  expect(text).toContain("holdfast_term 3\n");
  expect(text).toMatch(/duration_seconds_bucket\{operation="lock.inspect",le="\+Inf"\} 1\n/);
  expect(text).toMatch(/duration_seconds_count\{operation="lock.inspect"\} 1\n/);
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(match => match[1]);
  expect(new Set(names).size).toBe(names.length);
});

test("/metrics has how long locks were waited for and held, by the first segment of their names", async () => {
  const tally = (counts: number[], sumMs: number) => ({ boundsMs: [10, 1000], counts, sumMs });
  node.coordinator.lineTallies = [
    {
      group: 'a"b',
      waited: tally([2, 1, 1], 4500),
      held: tally([0, 0, 0], 0),
      ends: new Map([["expired", 2]]),
    },
    {
      group: null,
      waited: tally([0, 0, 0], 0),
      held: tally([1, 0, 0], 5),
      ends: new Map(),
    },
  ];
  const { text } = await node.ask("GET", "/metrics");
  const said = text.split("\n").filter(line => line.startsWith("holdfast_lock_"));
  expect(said).toEqual([
    'holdfast_lock_wait_seconds_bucket{prefix="a\\"b",le="0.01"} 2',
    'holdfast_lock_wait_seconds_bucket{prefix="a\\"b",le="1"} 3',
    'holdfast_lock_wait_seconds_bucket{prefix="a\\"b",le="+Inf"} 4',
    'holdfast_lock_wait_seconds_sum{prefix="a\\"b"} 4.5',
    'holdfast_lock_wait_seconds_count{prefix="a\\"b"} 4',
    'holdfast_lock_hold_seconds_bucket{prefix="",le="0.01"} 1',
    'holdfast_lock_hold_seconds_bucket{prefix="",le="1"} 1',
    'holdfast_lock_hold_seconds_bucket{prefix="",le="+Inf"} 1',
    'holdfast_lock_hold_seconds_sum{prefix=""} 0.005',
    'holdfast_lock_hold_seconds_count{prefix=""} 1',
    'holdfast_lock_ends_total{prefix="a\\"b",reason="expired"} 2',
  ]);
});

describe("the OpenAPI document", () => {
  test("has every operation, and every reference in it leads somewhere", async () => {
    const { json } = await node.ask("GET", "/v1/openapi.json");
    expect(json.openapi).toBe("3.1.0");
    for (const name of OPERATION_NAMES) {
      const operation = json.paths[`/v1/${name.replace(".", "/")}`].post;
      expect(operation.operationId).toBe(name);
      expect(Object.keys(operation.responses)).toEqual(
        expect.arrayContaining(["200", "400", "503"]),
      );
    }
    for (const path of ["/v1/kv/{key}", "/v1/kv", "/v1/watch", "/health", "/metrics"])
      expect(Object.keys(json.paths)).toContain(path);
    const references = [...JSON.stringify(json).matchAll(/"\$ref":"([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(50);
    for (const [, reference] of references) expect(resolve(json, String(reference))).toBeDefined();
    expect(JSON.stringify(json)).not.toContain("x-holdfast");
  });

  test("offers an Idempotency-Key where answers are kept, which those of changed members are not", async () => {
    const { json } = await node.ask("GET", "/v1/openapi.json");
    const keyed = OPERATION_NAMES.filter(name => {
      const { parameters } = json.paths[`/v1/${name.replace(".", "/")}`].post;
      return (parameters as { name: string }[] | undefined)?.[0]?.name === "Idempotency-Key";
    });
    expect(keyed).toContain("kv.put");
    expect(keyed.filter(name => name.startsWith("cluster."))).toEqual([]);
    const { get, post } = json.paths["/v1/cluster/remove"];
    expect(get).toBeUndefined();
    expect(post.responses["409"].description).toBe("WOULD_LOSE_QUORUM, LAST_VOTER, CHANGE_PENDING");
    expect(post.responses["504"].description).toBe("OUTCOME_UNKNOWN");
  });

  test("tells of the keyspace's paths what they take and what may go wrong", async () => {
    const { paths } = (await node.ask("GET", "/v1/openapi.json")).json;
    const names = (operation: { parameters: { name: string }[] }) =>
      operation.parameters.map(({ name }) => name);
    const { put, get, delete: remove } = paths["/v1/kv/{key}"];
    const range = paths["/v1/kv"];
    for (const write of [put, remove, paths["/v1/kv/{prefix}/"].post, range.delete]) {
      expect(names(write)).toContain("Idempotency-Key");
      expect(Object.keys(write.responses)).toEqual(
        expect.arrayContaining(["400", "403", "409", "413", "422", "429", "503", "504"]),
      );
    }
    expect(names(get)).toContain("If-None-Match");
    expect(get.responses["404"].description).toContain("NO_SUCH_KEY");
    expect(put.responses["412"].description).toBe("CONDITION_FAILED");
    for (const read of [get, range.get, paths["/v1/watch"].get])
      expect(Object.keys(read.responses)).toEqual(expect.arrayContaining(["200", "400", "503"]));
    for (const path of ["/health", "/readyz"])
      expect(paths[path].get.responses["503"].description).toContain("UNAVAILABLE");
    const { responses } = paths["/v1/kv/put"].post;
    expect(responses["400"].description).toContain("INVALID_JSON");
    expect(responses["413"].description).toContain("BODY_TOO_LARGE");
  });

  test("has one operationId for each operation, and base64 beside bytes", async () => {
    const { json } = await node.ask("GET", "/v1/openapi.json");
    const ids = Object.values(json.paths as Record<string, object>).flatMap(path =>
      Object.values(path).map(operation => (operation as { operationId: string }).operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const put = json.components.schemas["kv.put.params"];
    expect(put.properties.valueBase64).toEqual({ type: "string", contentEncoding: "base64" });
    expect(put.required).toEqual([]);
  });
});

function resolve(document: unknown, reference: string): unknown {
  let at = document;
  for (const part of reference.replace("#/", "").split("/"))
    at = (at as Record<string, unknown> | undefined)?.[part];
  return at;
}

/** Sends bytes over a plain socket and returns all that comes until the node closes it. */
async function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(node.port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    socket.on("data", chunk => {
      text += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

describe("broken HTTP", () => {
  test("is answered by name and the connection closed", async () => {
    const garbage = await exchange("\u0016\u0003\u0001\u0002\u0000\r\n\r\n");
    expect(garbage).toMatch(/^HTTP\/1.1 400 [\s\S]*INVALID_REQUEST/);
    const header = await exchange(`GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(header).toMatch(/^HTTP\/1.1 431 [\s\S]*HEADERS_TOO_LARGE/);
    const upgrade = await exchange(
      "GET /version HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    expect(upgrade).toMatch(/^HTTP\/1.1 400 [\s\S]*INVALID_REQUEST[\s\S]*only \/v1\/ws/);
    const encoded = await node.ask("PUT", "/v1/kv/a", {
      body: "x",
      headers: { "content-encoding": "gzip" },
    });
    expect(encoded.json.error.code).toBe("INVALID_REQUEST");
    expect((await node.ask("GET", "/%zz")).json.error.code).toBe("INVALID_REQUEST");
  });

  test("does not let half-open connections stay, and others are served meanwhile", async () => {
    const starts = ["", "GET / HT", "PUT /v1/kv/a HTTP/1.1\r\nhost: localhost\r\n"];
    const unfinished = "PUT /v1/kv/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc";
    const all = Array.from({ length: 200 }, (_, at) => exchange(starts[at % 3] ?? ""));
    all.push(exchange(unfinished));
    expect((await node.ask("GET", "/version")).status).toBe(200);
    const answers = await Promise.all(all);
    expect(answers.filter(text => text !== "").every(text => /REQUEST_TIMEOUT/.test(text))).toBe(
      true,
    );
  });
});

test("a bug of the node's own is answered without a trace of its code", async () => {
  node.coordinator.scripts["lock.list"] = () => {
    throw new TypeError("secret of src/replica");
  };
  const { status, json, text } = await node.ask("GET", "/v1/lock/list");
  expect([status, json.error.code, json.error.outcome]).toEqual([500, "INTERNAL", "unknown"]);
  expect(text).not.toMatch(/secret|\.ts|at /);
});

test("a target in absolute form leads to the same place, a key's too", async () => {
  const host = "host: localhost\r\nconnection: close";
  const version = await exchange(`GET http://localhost:99/version HTTP/1.1\r\n${host}\r\n\r\n`);
  expect(version).toMatch(/^HTTP\/1.1 200 /);
  const put = "PUT http://node.example/v1/kv/a/%FF?prevExist=false HTTP/1.1";
  const written = await exchange(`${put}\r\n${host}\r\ncontent-length: 1\r\n\r\nx`);
  expect(written).toMatch(/^HTTP\/1.1 20/);
  expect(node.coordinator.lastCall.params).toEqual({
    key: "a/\u00ff",
    value: "x",
    prevExist: false,
  });
});

test("a body that is too large is refused before it is sent, if its sender asks", async () => {
  const put = (bytes: number) =>
    `PUT /v1/kv/a HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\n`;
  const large = await exchange(`${put(3_000_000)}\r\n`);
  expect(large).toMatch(/^HTTP\/1.1 413 [\s\S]*BODY_TOO_LARGE/);
  const small = await exchange(`${put(1)}connection: close\r\n\r\nx`);
  expect(small).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 20/);
});

test("a wish for HTTP/2 is ignored, and the request answered with its body, as are those behind it", async () => {
  node.coordinator.scripts["kv.put"] = call =>
    call.succeed({ key: "a", revision: 9, created: true });
  const wish =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  const put = `PUT /v1/kv/a%20b HTTP/1.1\r\nHost: localhost\r\n${wish}Content-Length: 2\r\n\r\n\u00e9x`;
  const last = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const before = node.coordinator.calls.length;
  const answers = await exchange(put + put + last);
  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual(["201", "201", "200"]);
  const puts = node.coordinator.calls.slice(before).map(({ params }) => params);
  expect(puts).toEqual([0, 1].map(() => ({ key: "a b", value: "\u00e9x" })));
});

test("a caller who hangs up within its body is no bug of the node's", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "error" }, { write: line => void lines.push(line) });
  const lone = await startNode({ logger });
  const caller = connect(lone.port, "127.0.0.1");
  caller.write("PUT /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\nhalf");
  caller.destroySoon();
  await new Promise(resolve => caller.once("close", resolve));
  // Whoever calls now comes after that one.
  expect((await lone.ask("GET", "/version")).status).toBe(200);
  await lone.stop();
  expect(lines).toEqual([]);
});

test.each([
  ["an Expect that cannot be met", { expect: "202-else", host: "127.0.0.1" }],
  ["a request that names no Host", { connection: "close" }],
])("%s is refused by the error table", async (_what, headers) => {
  const caller = connect(node.port, "127.0.0.1");
  let answer = "";
  caller.on("data", data => {
    answer += String(data);
  });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  caller.write(`GET /version HTTP/1.1\r\n${lines.join("")}\r\n`);
  await new Promise(resolve => caller.once("close", resolve));
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
  expect(body).toMatchObject({ error: { code: "INVALID_REQUEST" } });
});
