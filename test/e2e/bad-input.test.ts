/**
 * What no client of ours would send, against real nodes: each is answered by a named error or a
 * closed connection, no node stops, and nothing changes.
 */
import { request } from "node:http";
import { connect as dial, type Socket as Tcp } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { machineMs } from "./harness/actor.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { Socket } from "./harness/socket.js";
import { until } from "./harness/until.js";

/** A node drops requests that are not whole after 10 s, looking every 2 s; and a busy machine. */
const HALF_OPEN_LIMIT_MS = 10_000 + 2_000 + 3_000;

let cluster: Cluster;
let node: Node;
let before: unknown;

/** All that a node has: keys, lines, leases, as this very node applied them. */
async function contents(at: Node): Promise<unknown> {
  const local = { consistency: "serializable" };
  const [{ revision }, keys, locks, leases] = await Promise.all([
    at.status(),
    at.post("/v1/kv/range", { prefix: "", ...local }),
    at.post("/v1/lock/list", {}),
    at.post("/v1/lease/list", {}),
  ]);
  expect([keys.status, locks.status, leases.status]).toEqual([200, 200, 200]);
  const names = (locks.body.locks as { name: string }[]).map(lock => lock.name);
  const ids = (leases.body.leases as { lease: string }[]).map(({ lease }) => lease);
  return { revision, keys: keys.body, names, ids };
}

beforeAll(async () => {
  cluster = await Cluster.start();
  node = cluster.nodes[0] as Node;
  await node.post("/v1/kv/put", { key: "safe", value: "untouched" });
  await node.post("/v1/lock/acquire", { name: "safe/lock", ttlMs: 600_000 });
});
afterAll(() => cluster.close());

const pids = () => cluster.nodes.map(one => one.pid);
let running: number[];
beforeEach(async () => {
  running = pids();
  before = await contents(node);
});
afterEach(async () => {
  expect(pids()).toEqual(running);
  for (const one of cluster.nodes) {
    await until(`${one.name} to have what was there before`, async () => {
      expect(await contents(one)).toEqual(before);
      return true;
    });
  }
});

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

/** Any request, as it is: neither path nor headers are made good. */
function send(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { hostname, port } = new URL(node.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers }, response => {
      const parts: Buffer[] = [];
      response.on("data", part => parts.push(part as Buffer));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        const { error } = JSON.parse(text) as { error?: { code: string; message: string } };
        expect(text).not.toMatch(/\.js:\d+|node_modules/);
        resolve({ status: response.statusCode ?? 0, code: error?.code });
      });
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const post = (path: string, body: unknown) => send("POST", path, JSON.stringify(body));

describe("over HTTP", () => {
  test("too large a key, value, body or header is refused by name", async () => {
    const key = "k".repeat(4097);
    const large = "v".repeat(1_048_577);
    expect(await post("/v1/kv/put", { key, value: "" })).toEqual({
      status: 413,
      code: "KEY_TOO_LARGE",
    });
    expect(await send("PUT", `/v1/kv/${key}`, "v")).toEqual({ status: 413, code: "KEY_TOO_LARGE" });
    expect(await post("/v1/kv/put", { key: "a", value: large })).toEqual({
      status: 413,
      code: "VALUE_TOO_LARGE",
    });
    expect(await send("PUT", "/v1/kv/a", large)).toEqual({ status: 413, code: "VALUE_TOO_LARGE" });
    expect(await post("/v1/lock/acquire", { name: "n".repeat(4065), ttlMs: 5000 })).toEqual({
      status: 413,
      code: "KEY_TOO_LARGE",
    });
    const body = Buffer.alloc(2_097_153, 32);
    expect(await send("POST", "/v1/kv/put", body)).toEqual({ status: 413, code: "BODY_TOO_LARGE" });
    expect(await send("GET", `/v1/kv/${"k".repeat(17_000)}`)).toEqual({
      status: 431,
      code: "HEADERS_TOO_LARGE",
    });
    const many = Array.from({ length: 129 }, (_, i) => ({ put: { key: `many/${i}`, value: "" } }));
    expect(await post("/v1/kv/txn", { compare: [], success: many, failure: [] })).toMatchObject({
      status: 400,
    });
  });

  test("broken JSON is refused by name", async () => {
    const broken = [
      "{",
      "[]",
      "null",
      "1",
      '"text"',
      '{"key":"a","value":',
      "\u0000",
      "{'key':'a'}",
    ];
    for (const body of broken)
      expect(await send("POST", "/v1/kv/put", body), body).toEqual({
        status: 400,
        code: "INVALID_JSON",
      });
    const notUtf8 = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect(await send("POST", "/v1/kv/put", notUtf8)).toEqual({
      status: 400,
      code: "INVALID_JSON",
    });
    const deep = `{"key":${"[".repeat(200_000)}${"]".repeat(200_000)},"value":"v"}`;
    expect((await send("POST", "/v1/kv/put", deep)).status).toBe(400);
    expect(await send("POST", "/v1/kv/put", '{"__proto__":{"key":"a"},"value":"v"}')).toMatchObject(
      { status: 400 },
    );
  });

  test("unknown operations, fields and wrong types are refused by name", async () => {
    const refused: [string, object, string][] = [
      ["/v1/kv/putt", { key: "a", value: "v" }, "UNKNOWN_OPERATION"],
      ["/v1/lock/steal", { name: "safe/lock" }, "UNKNOWN_OPERATION"],
      ["/v1/kv/put", { key: "a", value: "v", prevexist: true }, "UNKNOWN_FIELD"],
      ["/v1/lock/acquire", { name: "a", ttl: 15_000 }, "UNKNOWN_FIELD"],
      ["/v1/kv/put", { key: 1, value: "v" }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { key: "a", value: null }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { key: "", value: "v" }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { key: "a" }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { key: "a", value: "v", prevRevision: -1 }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { key: "a", value: "v", prevRevision: 2 ** 60 }, "INVALID_PARAMETER"],
      ["/v1/kv/put", { keyBase64: "?", value: "v" }, "INVALID_PARAMETER"],
      ["/v1/kv/delete", { key: "safe", prevRevision: "2" }, "INVALID_PARAMETER"],
      ["/v1/lock/acquire", { name: "a", ttlMs: 15_000, waitMs: 2 ** 31 }, "INVALID_PARAMETER"],
      ["/v1/lock/acquire", { name: "a", ttlMs: 15_000, waitMs: -2 }, "INVALID_PARAMETER"],
      ["/v1/lock/acquire", { name: "a", ttlMs: 999 }, "INVALID_PARAMETER"],
      ["/v1/lock/acquire", { name: "a", ttlMs: "15s" }, "INVALID_PARAMETER"],
      ["/v1/lock/acquire", { name: "a" }, "INVALID_PARAMETER"],
      ["/v1/lease/grant", { ttlMs: 15_000, lease: "0f" }, "INVALID_PARAMETER"],
      ["/v1/lease/keepalive", { leases: [] }, "INVALID_PARAMETER"],
      ["/v1/lock/release", { name: "safe/lock" }, "INVALID_PARAMETER"],
    ];
    for (const [path, params, code] of refused)
      expect((await post(path, params)).code, `${path} ${JSON.stringify(params)}`).toBe(code);
    expect((await send("PATCH", "/v1/kv/a", "v")).status).toBeGreaterThanOrEqual(400);
    expect(await send("PUT", "/v1/kv/%zz", "v")).toMatchObject({ status: 400 });
    expect(await send("GET", "/v1/nothing")).toMatchObject({ status: 404 });
    const key = { "idempotency-key": "k".repeat(256) };
    expect(await send("PUT", "/v1/kv/a", "v", key)).toEqual({
      status: 400,
      code: "INVALID_PARAMETER",
    });
  });

  test("pages of foreign origins and foreign host names get 403, WebSocket upgrades too", async () => {
    const origin = { origin: "http://evil.example" };
    const host = { host: "evil.example:2379" };
    for (const headers of [origin, host] as Record<string, string>[]) {
      expect((await send("PUT", "/v1/kv/a", "v", headers)).status).toBe(403);
      expect((await send("GET", "/v1/kv/safe", undefined, headers)).status).toBe(403);
      const socket = new WebSocket(`${node.url.replace("http", "ws")}/v1/ws`, { headers });
      const refused = await new Promise(resolve => {
        socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
        socket.on("open", () => resolve("opened"));
        socket.on("error", () => {});
      });
      expect(refused).toBe(403);
      socket.terminate();
    }
  });

  test("what is not HTTP is answered or closed", async () => {
    const { port } = new URL(node.url);
    const noise = [
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "GET / HTTP/9.9\r\n\r\n",
      "PUT /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nvalue",
      "PUT /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nvalue\r\n0\r\n\r\n",
      "PUT /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\nvalue",
    ];
    for (const bytes of noise) {
      const said = await new Promise<string>(resolve => {
        const socket = dial(Number(port), "127.0.0.1", () => socket.write(bytes, "latin1"));
        let text = "";
        socket.on("data", data => {
          text += String(data);
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve(text));
      });
      expect(said, JSON.stringify(bytes)).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    // A body cut short is no body.
    const cut = dial(Number(port), "127.0.0.1");
    await new Promise<void>(resolve => cut.once("connect", resolve));
    cut.write("PUT /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 50\r\n\r\nhalf");
    cut.end();
    await new Promise<void>(resolve => cut.resume().once("close", () => resolve()));
  });
});

describe("over WebSocket", () => {
  async function ended(socket: Socket): Promise<[number, string | undefined]> {
    const { code } = await until("the connection's end", () => socket.closed);
    return [code, socket.messages.find(message => message.id === 0)?.error?.code];
  }

  test("broken JSON or msgpack ends the connection by name", async () => {
    for (const frame of [
      "{",
      "{}",
      "null",
      "[1]",
      "[[]]",
      '[{"hello":{"v":1}},{"what":1}]',
      "\ud800",
    ]) {
      const socket = await Socket.open(node.url);
      socket.sendRaw(frame);
      expect(await ended(socket), frame).toEqual([1008, "INVALID_FRAME"]);
    }
    const packed = [
      [0xc1],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xdd, 0x7f, 0xff, 0xff, 0xff],
      [0x91, 0xd4, 0x72, 0x40],
      [],
    ];
    for (const bytes of packed) {
      const socket = await Socket.open(node.url, "holdfast.v1.msgpack");
      socket.sendRaw(Uint8Array.from(bytes));
      expect((await until("the end", () => socket.closed)).code, String(bytes)).toBe(1008);
    }
  });

  test("a frame that is too long, or has too many messages, ends the connection", async () => {
    const long = await Socket.open(node.url);
    long.sendRaw(" ".repeat(4_194_305));
    expect((await until("the end", () => long.closed)).code).toBe(1009);
    const many = await Socket.hello(node.url);
    many.sendRaw(JSON.stringify(Array.from({ length: 10_001 }, () => ({ cancel: 1 }))));
    expect(await ended(many)).toEqual([1008, "INVALID_FRAME"]);
  });

  test("unknown operations, fields and wrong types are refused by name and the connection goes on", async () => {
    const socket = await Socket.hello(node.url, "aaaaaaaaaaaaaaaa");
    const refused: [string, object, string][] = [
      ["kv.putt", {}, "UNKNOWN_OPERATION"],
      ["constructor", {}, "UNKNOWN_OPERATION"],
      ["kv.put", { key: "a", value: "v", who: 1 }, "UNKNOWN_FIELD"],
      ["kv.put", { key: ["a"], value: "v" }, "INVALID_PARAMETER"],
      ["kv.put", { key: "k".repeat(4097), value: "v" }, "KEY_TOO_LARGE"],
      ["kv.put", { key: "a", value: "v".repeat(1_048_577) }, "VALUE_TOO_LARGE"],
      ["lock.acquire", { name: "a", lease: "ffffffffffffffff" }, "INVALID_PARAMETER"],
      ["watch.start", { key: "a", prefix: "b" }, "INVALID_PARAMETER"],
    ];
    socket.send(refused.map(([op, params], i) => ({ id: i + 1, op, params })));
    for (const [i, [op, , code]] of refused.entries())
      expect((await socket.answered(i + 1)).error?.code, `${op} ${i}`).toBe(code);
    socket.send([{ id: 99, op: "kv.get", params: { key: "safe" } }]);
    expect((await socket.answered(99)).ok).toMatchObject({ value: "untouched" });
    for (const message of [
      { id: 0, op: "kv.get" },
      { id: 1.5, op: "kv.get" },
      { id: "x", op: "kv.get" },
      { id: 3 },
    ]) {
      const other = await Socket.hello(node.url);
      other.send([message]);
      expect(await ended(other), JSON.stringify(message)).toEqual([1008, "INVALID_FRAME"]);
    }
    socket.cut();
  });
});

test("a thousand half-open connections: the node serves on, and closes them in time", async () => {
  const { port } = new URL(node.url);
  const began = machineMs();
  let closed = 0;
  const halves: Tcp[] = [];
  const openings = Array.from({ length: 1000 }, (_, i) => {
    const half = dial(Number(port), "127.0.0.1");
    halves.push(half);
    half.on("error", () => {});
    half.on("close", () => {
      closed += 1;
    });
    half.resume();
    return new Promise<void>((resolve, reject) => {
      half.once("error", reject);
      half.once("connect", () => {
        // A third says nothing, a third stops within the first header, a third within another.
        if (i % 3 === 1) half.write("PUT /v1/kv/a HTTP/1.1\r\nhost: 127");
        if (i % 3 === 2) half.write("POST /v1/kv/put HTTP/1.1\r\nhost: 127.0.0.1\r\nx-half: ");
        resolve();
      });
    });
  });
  await Promise.all(openings);
  expect((await node.post("/v1/kv/get", { key: "safe" })).body.value).toBe("untouched");
  expect(await node.ready()).toBe(true);
  await until("all to be closed", () => closed === 1000, HALF_OPEN_LIMIT_MS);
  console.log(
    `1,000 half-open connections: the last was closed after ${Math.round(machineMs() - began)} ms`,
  );
  for (const half of halves) half.destroy();
});
