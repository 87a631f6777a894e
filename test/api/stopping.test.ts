/** What every caller reads when a node stops with calls under way. */
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FakeCall } from "./fake-coordinator.js";
import { type Answer, type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await startNode();
  node.coordinator.scripts["lock.acquire"] = () => {};
  node.coordinator.scripts["kv.put"] = () => {};
});
afterEach(() => node.stop());

const WAIT = { body: '{"name":"a","ttlMs":15000,"waitMs":-1}' };
const CANCELLED = { code: "CANCELLED", message: "given up" } as const;

/** Sends, and lets the call reach the coordinator. */
async function ask(
  method: string,
  path: string,
  options: Parameters<NodeUnderTest["ask"]>[2],
): Promise<{ call: FakeCall; answer: Promise<Answer> }> {
  const { calls } = node.coordinator;
  const before = calls.length;
  const answer = node.ask(method, path, options);
  await expect.poll(() => calls.length).toBe(before + 1);
  return { call: node.coordinator.lastCall, answer };
}

const acquire = (headers: Record<string, string> = {}) =>
  ask("POST", "/v1/lock/acquire", { ...WAIT, headers });

const shown = ({ status, headers, json }: Answer) => [
  status,
  json.error.code,
  json.error.outcome,
  headers["retry-after"],
];
const REFUSED = [503, "SHUTTING_DOWN", "not-applied", "1"];

describe("while a node stops", () => {
  test("a wait is withdrawn, and its caller hears that nothing was done", async () => {
    const { call, answer } = await acquire();
    const stopped = node.stop();
    await expect.poll(() => call.cancelled).toBe(true);
    expect(call.connection.closed).toBe(null);
    call.fail(CANCELLED);
    expect(shown(await answer)).toEqual(REFUSED);
    await stopped;
  });

  test("a wait whose grant came first is answered as granted", async () => {
    const { call, answer } = await acquire();
    const stopped = node.stop();
    await expect.poll(() => call.cancelled).toBe(true);
    call.succeed({ token: 7 });
    expect(await answer).toMatchObject({ status: 200, json: { token: 7 } });
    await stopped;
  });

  test("a wait with an Idempotency-Key keeps its place for the next node", async () => {
    const { call, answer } = await acquire({ "idempotency-key": "7f3a" });
    const stopped = node.stop();
    expect(shown(await answer)).toEqual(REFUSED);
    await stopped;
    expect([call.cancelled, call.connection.closed]).toEqual([false, "kept"]);
  });

  test("a wait of which nothing was heard in time has an unknown outcome", async () => {
    const { answer } = await acquire();
    const stopped = node.stop();
    expect(shown(await answer)).toEqual([504, "OUTCOME_UNKNOWN", "unknown", undefined]);
    await stopped;
  });

  test.each([{}, { "idempotency-key": "7f3b" }])(
    "a break that waits for its grant's end is answered with when that comes (%o)",
    async headers => {
      node.coordinator.scripts["lock.break"] = () => {};
      const body = '{"key":"a/00000000000000000118"}';
      const { call, answer } = await ask("POST", "/v1/lock/break", { body, headers });
      const stopped = node.stop();
      await expect.poll(() => call.cancelled).toBe(true);
      call.succeed({ broken: false, breaksInMs: 5_000 });
      expect(await answer).toMatchObject({ status: 200, json: { breaksInMs: 5_000 } });
      await stopped;
    },
  );

  test("a short call of which nothing was heard in time is answered all the same", async () => {
    node.coordinator.scripts["lease.keepalive"] = () => {};
    node.coordinator.scripts["lease.get"] = () => {};
    const body = '{"lease":"6a1f"}';
    const { answer: written } = await ask("POST", "/v1/lease/keepalive", { body });
    const { answer: read } = await ask("POST", "/v1/lease/get", { body });
    const stopped = node.stop();
    expect(shown(await written)).toEqual([504, "OUTCOME_UNKNOWN", "unknown", undefined]);
    expect(shown(await read)).toEqual(REFUSED);
    await stopped;
  });

  test("a write under way gets its answer, and its connection ends with it", async () => {
    const { call, answer } = await ask("PUT", "/v1/kv/a", { body: "x" });
    const stopped = node.stop();
    call.succeed({ key: "a", revision: 9, created: true });
    const { status, headers } = await answer;
    expect([status, headers["connection"]]).toEqual([201, "close"]);
    await stopped;
  });

  test("a write that the stopping replica decides is answered before the doors close", async () => {
    const { call, answer } = await ask("PUT", "/v1/kv/a", { body: "x" });
    await node.api.drain();
    call.fail({ code: "OUTCOME_UNKNOWN", message: "this node has stopped" });
    await new Promise(resolve => setImmediate(resolve));
    await node.stop();
    expect(shown(await answer)).toEqual([504, "OUTCOME_UNKNOWN", "unknown", undefined]);
  });

  test("new calls are refused by name, not applied, and asked of nobody", async () => {
    const { call, answer } = await ask("PUT", "/v1/kv/a", { body: "x" });
    const stopped = node.stop();
    for (const path of ["/v1/kv/b", "/v1/kv/c"])
      expect(shown(await node.ask("PUT", path, { body: "x" }))).toEqual(REFUSED);
    expect(shown(await node.ask("GET", "/readyz"))).toEqual(REFUSED);
    expect(node.coordinator.calls.length).toBe(1);
    call.succeed({ key: "a", revision: 9, created: false });
    expect((await answer).status).toBe(200);
    await stopped;
  });

  test("a call whose body is still under way is refused when it has come", async () => {
    const socket = connect(node.port, "127.0.0.1");
    let text = "";
    socket.on("data", chunk => {
      text += chunk;
    });
    const closed = new Promise(resolve => socket.on("close", resolve));
    // The first call shows that the node has read as far as the second's head.
    socket.write("GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.write("PUT /v1/kv/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nx");
    await expect.poll(() => text).toContain('"protocol"');
    const stopped = node.stop();
    socket.write("y");
    await closed;
    expect(text).toContain("HTTP/1.1 503 Service Unavailable");
    expect(text).toContain('"code":"SHUTTING_DOWN"');
    expect(node.coordinator.calls.length).toBe(0);
    await stopped;
  });
});
