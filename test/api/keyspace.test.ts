import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

const RECORD = { key: "a", value: "v", createRevision: 2, modRevision: 9, version: 3 };
let node: NodeUnderTest;

beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node.stop());
beforeEach(() => {
  node.coordinator.scripts["kv.put"] = call =>
    call.succeed({ key: call.params["key"], revision: 5, created: true });
  node.coordinator.scripts["kv.append"] = call =>
    call.succeed({ key: `${call.params["prefix"]}/00000000000000000005`, revision: 5 });
  node.coordinator.scripts["kv.get"] = call => call.succeed({ ...RECORD, key: call.params["key"] });
  node.coordinator.scripts["kv.delete"] = call => call.succeed({ deleted: 1, revision: 6 });
  node.coordinator.scripts["kv.range"] = call =>
    call.succeed({ records: [], count: 0, more: false, revision: 6 });
});

const asked = () => node.coordinator.lastCall;

describe("a key as a resource", () => {
  test("is written by PUT with the body as it is, and 201 tells that it is new", async () => {
    const answer = await node.ask("PUT", "/v1/kv/a/b", { body: Buffer.from([0, 255, 10]) });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({ key: "a/b", revision: 5, created: true });
    expect(answer.headers["etag"]).toBe('"5"');
    expect(asked().params).toEqual({ key: "a/b", value: "\u0000\u00ff\n" });
  });

  test("answers 200 when it was there, and takes an empty value", async () => {
    node.coordinator.scripts["kv.put"] = call =>
      call.succeed({ key: "a", revision: 5, created: false });
    expect((await node.ask("PUT", "/v1/kv/a")).status).toBe(200);
    expect(asked().params).toEqual({ key: "a", value: "" });
  });

  test("has its path decoded once, as bytes, and not normalised", async () => {
    const keys: [string, string][] = [
      ["%FF%00", "\u00ff\u0000"],
      ["a%252Fb", "a%2Fb"],
      ["a%2Fb", "a/b"],
      ["/lead", "/lead"],
      ["a/../b/./c//d", "a/../b/./c//d"],
      ["put", "put"],
      ["%C3%A9", "\u00c3\u00a9"],
      ["a+b", "a+b"],
      ["trail/", "trail/"],
      ["-", "-"],
    ];
    for (const [path, key] of keys) {
      await rawGet(node.port, `/v1/kv/${path}`);
      expect(asked().params).toEqual({ key });
    }
  });

  test("refuses a path with a stray %", async () => {
    const answer = await node.ask("GET", "/v1/kv/100%zz");
    expect(answer.status).toBe(400);
    expect(answer.json.error).toMatchObject({
      code: "INVALID_PARAMETER",
      details: { parameter: "key" },
    });
  });

  test("takes conditions from the query", async () => {
    await node.ask("PUT", "/v1/kv/a?prevExist=false&lease=6a1f&prev", { body: "x" });
    expect(asked().params).toEqual({
      key: "a",
      value: "x",
      prevExist: false,
      lease: "6a1f",
      prev: true,
    });
    await node.ask("PUT", "/v1/kv/a?prevRevision=7&prevValue=a%20b+c", { body: "x" });
    expect(asked().params).toMatchObject({ prevRevision: 7, prevValue: "a b c" });
    await node.ask("PUT", "/v1/kv/state/42?heldBy=jobs/42&token=118", { body: "x" });
    expect(asked().params).toMatchObject({ heldBy: { name: "jobs/42", token: 118 } });
    await node.ask("DELETE", "/v1/kv/a?heldBy=jobs/42/00000000000000000118");
    expect(asked().params).toEqual({
      key: "a",
      heldBy: { key: "jobs/42/00000000000000000118" },
    });
  });

  test("deletes and reads nothing when its condition stands in a body, where it would not be read", async () => {
    const { calls } = node.coordinator;
    const before = calls.length;
    const body = '{"prevRevision":99999}';
    for (const [method, path] of [
      ["DELETE", "/v1/kv/cond"],
      ["DELETE", "/v1/kv?prefix=cond"],
      ["GET", "/v1/kv/cond"],
      ["GET", "/v1/kv?prefix=cond"],
      ["GET", "/v1/lock/inspect?name=a"],
    ] as const) {
      const answer = await node.ask(method, path, { body });
      expect([answer.status, answer.json.error.code]).toEqual([400, "INVALID_REQUEST"]);
    }
    expect(calls.length).toBe(before);
    const empty = { headers: { "content-length": "0" } };
    expect((await node.ask("DELETE", "/v1/kv/cond", empty)).status).toBe(200);
  });

  test("takes conditions from If-Match and If-None-Match", async () => {
    await node.ask("PUT", "/v1/kv/a", { headers: { "if-none-match": "*" } });
    expect(asked().params["prevExist"]).toBe(false);
    await node.ask("PUT", "/v1/kv/a", { headers: { "if-match": "*" } });
    expect(asked().params["prevExist"]).toBe(true);
    await node.ask("DELETE", "/v1/kv/a", { headers: { "if-match": '"42"' } });
    expect(asked().params["prevRevision"]).toBe(42);
    for (const headers of [
      { "if-match": "42" },
      { "if-match": 'W/"42"' },
      { "if-none-match": '"42"' },
    ] as Record<string, string>[])
      expect((await node.ask("PUT", "/v1/kv/a", { headers })).status).toBe(400);
    const both = await node.ask("PUT", "/v1/kv/a?prevExist=true", { headers: { "if-match": "*" } });
    expect(both.json.error.code).toBe("INVALID_PARAMETER");
  });

  test("answers 412 with the record as it is when a condition is false", async () => {
    node.coordinator.scripts["kv.put"] = call =>
      call.fail({
        code: "CONDITION_FAILED",
        message: "a is at revision 9, not 7",
        details: { current: { ...RECORD, value: "\u00ff" } },
      });
    const answer = await node.ask("PUT", "/v1/kv/a?prevRevision=7", { body: "x" });
    expect(answer.status).toBe(412);
    const { value: _value, ...rest } = RECORD;
    expect(answer.json.error).toEqual({
      code: "CONDITION_FAILED",
      message: "a is at revision 9, not 7",
      retryable: false,
      outcome: "not-applied",
      requestId: expect.any(String),
      details: { current: { ...rest, valueBase64: "/w==" } },
    });
  });

  test("is read as JSON, with its revision as the entity tag", async () => {
    const answer = await node.ask("GET", "/v1/kv/a");
    expect(answer.json).toEqual(RECORD);
    expect(answer.headers["etag"]).toBe('"9"');
    const same = await node.ask("GET", "/v1/kv/a", { headers: { "if-none-match": '"9"' } });
    expect([same.status, same.text]).toEqual([304, ""]);
    expect((await node.ask("HEAD", "/v1/kv/a")).headers["etag"]).toBe('"9"');
  });

  test("is read raw when raw is accepted", async () => {
    node.coordinator.scripts["kv.get"] = call =>
      call.succeed({ ...RECORD, value: "\u00ff\u0000x" });
    const bytes = await fetch(`${node.url}/v1/kv/a`, {
      headers: { accept: "application/octet-stream" },
    });
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(new Uint8Array([255, 0, 120]));
    expect(bytes.headers.get("etag")).toBe('"9"');
  });

  test("spells what is no UTF-8 in base64, key and value alike, and text as text", async () => {
    node.coordinator.scripts["kv.get"] = call =>
      call.succeed({ ...RECORD, key: "\u00ff", value: "\u00c3\u00a9" });
    const { json } = await node.ask("GET", "/v1/kv/%FF");
    const { key: _key, ...rest } = RECORD;
    expect(json).toEqual({ ...rest, keyBase64: "/w==", value: "é" });
  });

  test("is 404 when absent, and deleting it is 200", async () => {
    node.coordinator.scripts["kv.get"] = call =>
      call.fail({ code: "NO_SUCH_KEY", message: "there is no key a" });
    node.coordinator.scripts["kv.delete"] = call => call.succeed({ deleted: 0, revision: 6 });
    expect((await node.ask("GET", "/v1/kv/a")).json.error.code).toBe("NO_SUCH_KEY");
    const gone = await node.ask("DELETE", "/v1/kv/a");
    expect([gone.status, gone.json]).toEqual([200, { deleted: 0, revision: 6 }]);
  });

  test("is appended by POST with a slash at the end, and Location leads to it", async () => {
    const answer = await node.ask("POST", "/v1/kv/q%20%FF/", { body: "job" });
    expect(answer.status).toBe(201);
    expect(asked().params).toEqual({ prefix: "q \u00ff", value: "job" });
    expect(answer.headers["location"]).toBe("/v1/kv/q%20%FF/00000000000000000005");
    expect(answer.json).toEqual({ keyBase64: expect.any(String), revision: 5 });
    await node.ask("GET", String(answer.headers["location"]));
    expect(asked().params["key"]).toBe("q \u00ff/00000000000000000005");
  });

  test("is listed and deleted by prefix", async () => {
    const list = "prefix=jobs/&limit=5&after=jobs/1&order=descend&keysOnly&countOnly=false";
    await node.ask("GET", `/v1/kv?${list}&revision=4&consistency=serializable`);
    expect(asked().params).toEqual({
      prefix: "jobs/",
      limit: 5,
      after: "jobs/1",
      order: "descend",
      keysOnly: true,
      countOnly: false,
      revision: 4,
      consistency: "serializable",
    });
    await node.ask("DELETE", "/v1/kv?prefix=jobs/");
    expect(asked().params).toEqual({ prefix: "jobs/" });
  });

  test("is never deleted by a request that forgot to say which", async () => {
    const before = node.coordinator.calls.length;
    expect((await node.ask("DELETE", "/v1/kv")).status).toBe(400);
    expect((await node.ask("DELETE", "/v1/kv/")).status).toBe(400);
    expect(node.coordinator.calls.length).toBe(before);
  });

  test("has every unknown, doubled, misplaced and ill-typed query refused by name", async () => {
    const refusals: [string, string, string][] = [
      ["PUT", "/v1/kv/a?prevExists=true", "UNKNOWN_FIELD"],
      ["PUT", "/v1/kv/a?value=x", "UNKNOWN_FIELD"],
      ["PUT", "/v1/kv/a?token=5", "UNKNOWN_FIELD"],
      ["PUT", "/v1/kv/a?prevRevision=x", "INVALID_PARAMETER"],
      ["PUT", "/v1/kv/a?prevRevision=1e3", "INVALID_PARAMETER"],
      ["PUT", "/v1/kv/a?prevRevision=99999999999999999", "INVALID_PARAMETER"],
      ["PUT", "/v1/kv/a?prevExist=yes", "INVALID_PARAMETER"],
      ["PUT", "/v1/kv/a?lease=0A", "INVALID_PARAMETER"],
      ["PUT", "/v1/kv/a?lease=a&lease=b", "INVALID_PARAMETER"],
      ["GET", "/v1/kv?limit=0", "INVALID_PARAMETER"],
      ["GET", "/v1/kv?limit=10001", "INVALID_PARAMETER"],
      ["GET", "/v1/kv?prefix=a&key=b", "INVALID_PARAMETER"],
      ["GET", "/v1/kv?order=upwards", "INVALID_PARAMETER"],
    ];
    const before = node.coordinator.calls.length;
    for (const [method, path, code] of refusals) {
      const answer = await node.ask(method, path);
      expect(`${path} ${answer.json.error.code}`).toBe(`${path} ${code}`);
      expect(answer.status).toBe(400);
    }
    expect(node.coordinator.calls.length).toBe(before);
    const typo = await node.ask("PUT", "/v1/kv/a?prevExists=true");
    expect(typo.json.error.details).toEqual({ field: "prevExists", didYouMean: "prevExist" });
  });

  test("has a limit on key and value, each with its own error", async () => {
    const long = await node.ask("PUT", `/v1/kv/${"k".repeat(4097)}`, { body: "x" });
    expect([long.status, long.json.error.code]).toEqual([413, "KEY_TOO_LARGE"]);
    expect(long.json.error.details.limitBytes).toBe(4096);
    const big = await node.ask("PUT", "/v1/kv/a", { body: Buffer.alloc(1_048_577) });
    expect([big.status, big.json.error.code]).toEqual([413, "VALUE_TOO_LARGE"]);
    expect((await node.ask("PUT", "/v1/kv/a", { body: Buffer.alloc(1_048_576) })).status).toBe(201);
    const huge = await node.ask("PUT", "/v1/kv/a", { body: Buffer.alloc(2_097_153) });
    expect([huge.status, huge.json.error.code]).toEqual([413, "BODY_TOO_LARGE"]);
  });
});

/** undici normalises paths; a key's must arrive as it was written. */
async function rawGet(port: number, path: string): Promise<void> {
  const { get } = await import("node:http");
  await new Promise<void>((resolve, reject) => {
    get({ host: "127.0.0.1", port, path }, response => {
      response.resume();
      response.on("end", () => resolve());
    }).on("error", reject);
  });
}
