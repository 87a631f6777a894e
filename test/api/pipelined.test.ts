/** Requests that were sent before the answers to those in front of them: all on one connection. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/base/limits.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeAll(async () => {
  node = await startNode({ limits: { ...LIMITS, maxPendingPerConnection: 20 } });
});
afterAll(() => node.stop());
beforeEach(() => {
  node.coordinator.calls.length = 0;
  node.coordinator.scripts["lock.acquire"] = () => {};
  node.coordinator.scripts["watch.start"] = call => call.succeed({ revision: 8 });
});

const localWait = (headers = ""): string => {
  const body = '{"name":"a","ttlMs":15000,"waitMs":-1}';
  return `POST /v1/lock/acquire HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
};
const read = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

interface Line {
  readonly socket: Socket;
  text: string;
  ended: boolean;
}

/** Sends all in one piece. */
function send(...requests: string[]): Line {
  const socket = connect(node.port, "127.0.0.1", () => socket.write(requests.join("")));
  const line: Line = { socket, text: "", ended: false };
  socket.on("data", chunk => {
    line.text += chunk;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    line.ended = true;
  });
  return line;
}

const standings = () => node.coordinator.calls.map(({ connection }) => connection.closed);

describe("a caller that hangs up", () => {
  test("gives up all its waits, those behind others as well, but for the places it keeps", async () => {
    const { socket } = send(localWait(), localWait(), localWait("Idempotency-Key: k\r\n"));
    await expect.poll(() => node.coordinator.calls.length).toBe(3);
    expect(standings()).toEqual([null, null, null]);
    socket.destroy();
    await expect.poll(standings).toEqual(["abandoned", "abandoned", "kept"]);
  });

  test("leaves no stream behind", async () => {
    const { socket } = send(read("/v1/watch?key=a"));
    await expect.poll(() => node.coordinator.calls.length).toBe(1);
    socket.destroy();
    await expect.poll(standings).toEqual(["abandoned"]);
  });
});

test("a stream behind an unanswered request is refused: what it tells could not be read", async () => {
  const line = send(localWait(), read("/v1/watch?key=a"), read("/v1/election/observe?name=e"));
  await expect.poll(() => node.coordinator.calls.length).toBe(1);
  node.coordinator.lastCall.succeed({ token: 1 });
  await expect.poll(() => line.text.match(/"code":"INVALID_REQUEST"/g)?.length).toBe(2);
  expect(node.coordinator.calls.length).toBe(1);
  line.socket.destroy();
});

test("a stream is taken on a connection whose earlier requests are answered", async () => {
  const line = send(read("/version"));
  await expect.poll(() => line.text).toContain('"protocol"');
  line.socket.write(read("/v1/watch?key=a"));
  await expect.poll(() => line.text).toContain("id: 8");
  line.socket.destroy();
});

test("one connection has only so many requests under way", async () => {
  const line = send(...Array.from({ length: 25 }, () => localWait()));
  await expect.poll(() => node.coordinator.calls.length).toBe(20);
  for (const call of node.coordinator.calls) call.succeed({ token: 1 });
  await expect.poll(() => line.text.match(/"code":"TOO_MANY_REQUESTS"/g)?.length).toBe(5);
  line.socket.write(localWait());
  await expect.poll(() => node.coordinator.calls.length).toBe(21);
  line.socket.destroy();
});
