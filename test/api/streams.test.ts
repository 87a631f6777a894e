import { get, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/base/limits.js";
import { nodeClock } from "../../src/server/ports/index.js";
import type { FakeCall } from "./fake-coordinator.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
const keepAlives: (() => void)[] = [];
/** Who looks after a minute whether anything was read; called by hand, `laterMs` later. */
const stalls: (() => void)[] = [];
let laterMs = 0;
beforeAll(async () => {
  const clock = {
    ...nodeClock,
    monotonicMs: () => nodeClock.monotonicMs() + laterMs,
    after: (delayMs: number, callback: () => void) => {
      if (delayMs === 60_000) stalls.push(callback);
      if (delayMs !== 15_000) return nodeClock.after(delayMs, callback);
      keepAlives.push(callback);
      return () => {};
    },
  };
  node = await startNode({
    clock,
    limits: { ...LIMITS, maxWatchBacklogBytes: 3_000_000 },
  });
});
afterAll(() => node.stop());

interface Reader {
  readonly response: IncomingMessage;
  /** All that came so far. */
  text: string;
  ended: boolean;
  close(): void;
}

async function read(path: string, headers: Record<string, string> = {}): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port: node.port, path, headers }, response => {
      const reader: Reader = { response, text: "", ended: false, close: () => request.destroy() };
      response.on("data", chunk => {
        reader.text += chunk;
      });
      response.on("error", () => {});
      response.on("close", () => {
        reader.ended = true;
      });
      resolve(reader);
    });
    request.on("error", reject);
  });
}

const lastCall = (): FakeCall => node.coordinator.lastCall;
const CHANGE = { kind: "put", key: "a", createRevision: 3, modRevision: 9, version: 1 } as const;

describe("a watch over HTTP", () => {
  test("is an event stream that no proxy should hold back", async () => {
    node.coordinator.scripts["watch.start"] = call => call.succeed({ revision: 8 });
    const reader = await read("/v1/watch?prefix=jobs/&prev&kinds=put,delete");
    expect(reader.response.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "x-accel-buffering": "no",
      "cache-control": "no-store",
    });
    expect(lastCall().params).toEqual({ prefix: "jobs/", prev: true, kinds: ["put", "delete"] });
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    reader.close();
    await expect.poll(() => lastCall().connection.closed).toBe("abandoned");
  });

  test("tells all changes of a revision in one message whose id is the revision", async () => {
    const reader = await read("/v1/watch?key=a&from=5");
    expect(lastCall().params).toEqual({ key: "a", from: 5 });
    await expect.poll(() => reader.text).toContain("\n\n");
    expect(reader.text).not.toContain("id:");
    const { connection } = lastCall();
    const changes = [
      { ...CHANGE, value: "\u00ff" },
      { ...CHANGE, value: "line\nbreak \u00c3\u00a9" },
    ];
    connection.push({ event: "watch", id: 1, revision: 9, changes });
    connection.push({ event: "watch", id: 1, revision: 12, changes: [] });
    await expect.poll(() => reader.text).toContain("id: 12\n\n");
    const message = /id: 9\ndata: (.*)\n\nid: 12\n\n$/.exec(reader.text)?.[1] ?? "null";
    expect(JSON.parse(message)).toEqual({
      revision: 9,
      changes: [
        { ...CHANGE, valueBase64: "/w==" },
        { ...CHANGE, value: "line\nbreak é" },
      ],
    });
    reader.close();
  });

  test("resumes behind the last id", async () => {
    const reader = await read("/v1/watch?key=a&from=5", { "last-event-id": "9" });
    expect(lastCall().params).toEqual({ key: "a", from: 10 });
    reader.close();
    const wrong = await node.ask("GET", "/v1/watch?key=a", { headers: { "last-event-id": "x" } });
    expect(wrong.json.error.code).toBe("INVALID_PARAMETER");
  });

  test("is reset when the history is gone, and goes on from now", async () => {
    node.coordinator.scripts["watch.start"] = call => {
      if (call.params["from"] === undefined) call.succeed({ revision: 77 });
      else call.fail({ code: "HISTORY_GONE", message: "gone" });
    };
    const reader = await read("/v1/watch?key=a&from=5");
    await expect
      .poll(() => reader.text)
      .toContain('id: 77\nevent: reset\ndata: {"revision":77}\n\n');
    const { connection } = lastCall();
    connection.push({ event: "watch", id: 2, revision: 78, changes: [CHANGE] });
    await expect.poll(() => reader.text).toContain("id: 78\ndata:");
    connection.push({ event: "end", id: 2, error: { code: "HISTORY_GONE", message: "too slow" } });
    await expect.poll(() => reader.text.match(/event: reset/g)?.length).toBe(2);
    connection.push({ event: "end", id: 3, error: { code: "SHUTTING_DOWN", message: "bye" } });
    await expect.poll(() => reader.ended).toBe(true);
    expect(reader.text).toMatch(/event: failure\ndata: \{"error":\{"code":"SHUTTING_DOWN"/);
    node.coordinator.scripts["watch.start"] = call => call.succeed({ revision: 8 });
  });

  test("carries a comment now and then while nothing happens", async () => {
    const reader = await read("/v1/watch?key=a");
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    for (const callback of keepAlives.splice(0)) callback();
    await expect.poll(() => reader.text).toContain(": keep-alive\n\n");
    reader.close();
  });

  test("stands still for a slow reader, and goes on when it has read", async () => {
    const reader = await read("/v1/watch?key=a");
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    reader.response.pause();
    const { connection } = lastCall();
    const changes = [{ ...CHANGE, value: "x".repeat(1_000_000) }];
    for (let at = 0; at < 30 && !connection.held; at += 1) {
      connection.push({ event: "watch", id: 1, revision: 9 + at, changes });
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(connection.held).toBe(true);
    reader.response.resume();
    await expect.poll(() => connection.held).toBe(false);
    expect(connection.closed).toBe(null);
    reader.close();
  });

  test("brings a message larger than all that may wait, and what came with it, to a reader that reads", async () => {
    const reader = await read("/v1/watch?key=a");
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    const { connection } = lastCall();
    for (const [at, size] of [9_000_000, 9_000_000, 10].entries()) {
      const changes = [{ ...CHANGE, value: "x".repeat(size) }];
      connection.push({ event: "watch", id: 1, revision: 9 + at, changes });
    }
    expect(connection.held).toBe(true);
    await expect.poll(() => reader.text.match(/id: (9|10|11)\n/g)?.length).toBe(3);
    await expect.poll(() => connection.held).toBe(false);
    expect([connection.closed, reader.ended]).toEqual([null, false]);
    reader.close();
  });

  test("is cut off when its reader takes nothing for a minute while much waits", async () => {
    const reader = await read("/v1/watch?key=a");
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    reader.response.pause();
    const { connection } = lastCall();
    const changes = [{ ...CHANGE, value: "x".repeat(1_000_000) }];
    stalls.length = 0;
    for (let at = 0; at < 40 && !connection.held; at += 1) {
      connection.push({ event: "watch", id: 1, revision: 9 + at, changes });
      await new Promise(resolve => setImmediate(resolve));
    }
    expect([connection.held, connection.closed]).toEqual([true, null]);
    laterMs = 60_000;
    for (const callback of stalls.splice(0)) callback();
    laterMs = 0;
    await expect.poll(() => connection.closed).toBe("abandoned");
    reader.close();
  });

  test("ends by name when an event cannot be encoded, and the node goes on", async () => {
    const reader = await read("/v1/watch?key=a");
    await expect.poll(() => reader.text).toContain("id: 8\n\n");
    const { connection } = lastCall();
    // What JSON refuses, as it refuses a text of more than 512 Mi characters.
    const changes = [{ ...CHANGE, version: 1n as unknown as number }];
    connection.push({ event: "watch", id: 1, revision: 9, changes });
    await expect.poll(() => reader.ended).toBe(true);
    expect(reader.text).toMatch(/event: failure\ndata: \{"error":\{"code":"INTERNAL"/);
    expect((await node.ask("GET", "/version")).status).toBe(200);
  });

  test("that cannot begin is answered like any other call", async () => {
    expect((await node.ask("GET", "/v1/watch?kye=a")).json.error.code).toBe("UNKNOWN_FIELD");
    expect((await node.ask("GET", "/v1/watch")).json.error.code).toBe("INVALID_PARAMETER");
    node.coordinator.scripts["watch.start"] = call =>
      call.fail({ code: "TOO_MANY_WATCHES", message: "too many" });
    expect((await node.ask("GET", "/v1/watch?key=a")).status).toBe(429);
    node.coordinator.scripts["watch.start"] = call => call.succeed({ revision: 8 });
  });
});

test("an election is observed as an event stream, and no leader counts as seen before it is told", async () => {
  node.coordinator.scripts["election.observe"] = call => call.succeed({ revision: 3 });
  const reader = await read("/v1/election/observe?name=e");
  await expect.poll(() => reader.text).toBe(": here from now on\n\n");
  lastCall().connection.push({ event: "observe", id: 1, revision: 4 });
  await expect.poll(() => reader.text).toContain('id: 4\ndata: {"revision":4}\n\n');
  reader.close();
});

test("a node that stops ends its streams and answers no more", async () => {
  const own = await startNode();
  own.coordinator.scripts["watch.start"] = call => call.succeed({ revision: 8 });
  own.coordinator.scripts["lock.acquire"] = () => {};
  const ended = new Promise(resolve => {
    get(`${own.url}/v1/watch?key=a`, response => {
      response.resume();
      response.on("error", () => {});
      response.on("close", resolve);
    });
  });
  await expect.poll(() => own.coordinator.calls.length).toBe(1);
  await own.stop();
  await ended;
  await expect(own.ask("GET", "/version")).rejects.toThrow();
});
