/** Answers that cannot be encoded: a bug of ours, which must not end the node that others use. */
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { answering } from "../../src/api/http/exchange.js";
import { AssertionError } from "../../src/base/assert.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
let logged = "";
beforeAll(async () => {
  const write = (line: string): void => {
    logged += line;
  };
  node = await startNode({ logger: pino({ level: "error" }, { write }) });
});
afterAll(() => node.stop());
beforeEach(() => {
  logged = "";
});

/** JSON knows no such thing, and fails as it does of a text that is too long. */
const UNSPEAKABLE = 1n;

test.each([
  ["GET", "/v1/kv/a", "kv.get"],
  ["PUT", "/v1/kv/a", "kv.put"],
  ["GET", "/v1/lock/inspect?name=a", "lock.inspect"],
  ["POST", "/v1/lock/list", "lock.list"],
] as const)("%s %s tells so, by an id that is in the log", async (method, path, operation) => {
  node.coordinator.scripts[operation] = call =>
    call.succeed({ key: "a", value: "v", revision: 2, ignored: UNSPEAKABLE });
  const { status, json } = await node.ask(method, path);
  expect([status, json.error.code, json.error.outcome]).toEqual([500, "INTERNAL", "unknown"]);
  expect(logged).toContain(json.error.requestId);
  expect((await node.ask("GET", "/version")).status).toBe(200);
});

test("an error whose details cannot be said is told as well", async () => {
  const details = { limit: UNSPEAKABLE };
  node.coordinator.scripts["lock.acquire"] = call =>
    call.fail({ code: "LOCK_HELD", message: "it is held", details });
  const body = JSON.stringify({ name: "a", ttlMs: 5_000 });
  const { json } = await node.ask("POST", "/v1/lock/acquire", { body });
  expect(json.error.code).toBe("INTERNAL");
  expect(logged).toContain(json.error.requestId);
});

test("a stream that cannot begin ends its connection, and nothing else", async () => {
  node.coordinator.scripts["watch.start"] = call => call.succeed({ revision: Symbol("none") });
  await expect(node.ask("GET", "/v1/watch?key=a")).rejects.toThrow();
  expect(logged).toContain("a request met a bug");
  expect((await node.ask("GET", "/version")).status).toBe(200);
});

test("a failed assertion is not answered: it goes on to stop the process", () => {
  const failed = (): void => {
    throw new AssertionError("what must hold");
  };
  expect(() => answering({} as never, {} as never, failed)).toThrow(AssertionError);
});
