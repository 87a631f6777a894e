/** Requests that were sent before the answers to those in front of them: all on one connection. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/base/limits.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeAll(async () => {
  const limits = { ...LIMITS, maxPendingPerConnection: 20, maxConnectionBacklogBytes: 30_000 };
  node = await startNode({ limits });
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

describe("answers that wait on a connection", () => {
  const value = "v".repeat(10_000);
  const put = "PUT /v1/kv/a?prev HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
  beforeEach(() => {
    node.coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value });
    node.coordinator.scripts["kv.put"] = call =>
      call.succeed({ key: "a", revision: 2, prev: { key: "a", value } });
  });
  const counts = ({ text }: Line, ...needles: RegExp[]): number[] =>
    needles.map(needle => text.match(needle)?.length ?? 0);
  const DONE = /HTTP\/1.1 20\d/g;
  const REFUSED = /"code":"TOO_MANY_REQUESTS".{0,300}"details":\{"limitBytes":30000\}/g;

  /** All asked but the first is answered, and nothing can leave. */
  async function behindWait(...requests: string[]): Promise<Line> {
    const line = send(localWait(), ...requests);
    await expect.poll(() => node.coordinator.calls.length).toBe(1 + requests.length);
    await new Promise(resolve => setImmediate(resolve));
    return line;
  }
  const wait = () => node.coordinator.calls.find(({ name }) => name === "lock.acquire");
  const letGo = (): void => wait()?.succeed({ token: 1 });

  test("have reads refused past a limit, and then again come whole", async () => {
    const line = await behindWait(...Array.from({ length: 10 }, () => read("/v1/kv/a")));
    letGo();
    await expect.poll(() => counts(line, DONE, REFUSED)).toEqual([4, 7]);
    for (let asked = 1; asked <= 10; asked += 1) {
      line.socket.write(read("/v1/kv/a"));
      await expect.poll(() => counts(line, DONE, REFUSED)).toEqual([4 + asked, 7]);
    }
    line.socket.destroy();
  });

  test("cut it past twice that: a write's answer cannot be refused", async () => {
    const line = await behindWait(...Array.from({ length: 5 }, () => put));
    expect(line.ended).toBe(false);
    line.socket.write(put + put);
    await expect.poll(() => line.ended).toBe(true);
    expect(wait()?.connection.closed).toBe("abandoned");
    expect(line.text).toBe("");
    expect((await node.ask("GET", "/v1/kv/a")).status).toBe(200);
  });

  test("do not cut it however large a single one is", async () => {
    node.coordinator.scripts["kv.get"] = call =>
      call.succeed({ key: "a", value: value.repeat(10) });
    const line = await behindWait(read("/v1/kv/a"), read("/v1/kv/a"));
    letGo();
    await expect.poll(() => counts(line, DONE, REFUSED)).toEqual([2, 1]);
    line.socket.destroy();
  });

  test("count only what they hold: a HEAD's has no body", async () => {
    const head = read("/v1/kv/a").replace("GET", "HEAD");
    const line = await behindWait(...Array.from({ length: 10 }, () => head));
    letGo();
    await expect.poll(() => counts(line, DONE, REFUSED)).toEqual([11, 0]);
    line.socket.destroy();
  });

  test("of a caller that does not read are few, and it gets them when it reads", async () => {
    const large = { key: "a", value: "v".repeat(1_000_000) };
    node.coordinator.scripts["kv.get"] = call => call.succeed(large);
    const line = send();
    line.socket.pause();
    line.socket.write(read("/v1/kv/a").repeat(20));
    await expect.poll(() => node.coordinator.calls.length).toBe(20);
    await new Promise(resolve => setImmediate(resolve));
    line.socket.resume();
    const answers = (): number => counts(line, DONE, REFUSED).reduce((sum, one) => sum + one, 0);
    await expect.poll(answers).toBe(20);
    expect(counts(line, REFUSED)[0]).toBeGreaterThan(5);
    line.socket.destroy();
  });
});
