import { connect } from "node:net";
import type { ServerMessage } from "holdfast-protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { decodeMsgpack, encodeMsgpack } from "../../src/api/websocket/msgpack.js";
import { LIMITS } from "../../src/base/limits.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node.stop());

const HELLO = { hello: { v: 1, client: "00112233445566aa" } };
const MSGPACK = "holdfast.v1.msgpack";
const JSON_FRAMES = "holdfast.v1.json";

interface Talk {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[];
  readonly frames: number[];
  closed: [number, string] | null;
  say(messages: unknown): void;
}

async function talk(protocol: string | null, to: NodeUnderTest = node): Promise<Talk> {
  const socket = new WebSocket(`ws://127.0.0.1:${to.port}/v1/ws`, protocol ?? []);
  const packed = protocol === MSGPACK;
  const made: Talk = {
    socket,
    messages: [],
    frames: [],
    closed: null,
    say: messages => socket.send(packed ? encodeMsgpack(messages) : JSON.stringify(messages)),
  };
  socket.on("message", (data, isBinary) => {
    expect(isBinary).toBe(packed);
    const frame = packed ? decodeMsgpack(data as Buffer) : JSON.parse(String(data));
    made.messages.push(...(frame as ServerMessage[]));
    made.frames.push((frame as ServerMessage[]).length);
  });
  socket.on("close", (code, reason) => {
    made.closed = [code, String(reason)];
  });
  socket.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("error", reject);
  });
  return made;
}

describe("a WebSocket", () => {
  test.each([
    ["no key", { upgrade: "websocket", "sec-websocket-version": "13" }],
    ["another protocol's upgrade", { upgrade: "h2c" }],
    ["a version of the future", { upgrade: "websocket", "sec-websocket-version": "99" }],
  ])(
    "asked for with %s is refused by the error table, and the connection is closed",
    async (_what, headers) => {
      const socket = connect(node.port, "127.0.0.1");
      const lines = Object.entries({ host: "127.0.0.1", connection: "Upgrade", ...headers });
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      let answer = "";
      socket.on("data", data => {
        answer += String(data);
      });
      socket.write(`GET /v1/ws HTTP/1.1\r\n${head}\r\n`);
      await new Promise(resolve => socket.once("close", resolve));
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
      expect(body).toMatchObject({ error: { code: "INVALID_REQUEST", outcome: "not-applied" } });
    },
  );

  test("speaks msgpack or JSON, by its subprotocol, and JSON when none was named", async () => {
    node.coordinator.scripts["kv.get"] = call =>
      call.succeed({ key: "k\u00c3\u00a9", value: "\u00ff", modRevision: 2 ** 40 });
    for (const protocol of [MSGPACK, JSON_FRAMES, null]) {
      const { socket, messages, say } = await talk(protocol);
      expect(socket.protocol).toBe(protocol ?? "");
      say([HELLO, { id: 1, op: "kv.get", params: { key: "é" } }]);
      await expect.poll(() => messages.length).toBe(2);
      const value = protocol === MSGPACK ? { value: Buffer.from([255]) } : { valueBase64: "/w==" };
      expect(messages[1]).toEqual({ id: 1, ok: { key: "ké", ...value, modRevision: 2 ** 40 } });
      expect(node.coordinator.lastCall.params).toEqual({ key: "\u00c3\u00a9" });
      socket.close();
    }
  });

  test("is refused while the node starts and does not know its cluster yet", async () => {
    node.coordinator.state = "starting";
    await expect(talk(MSGPACK)).rejects.toThrow("503");
    node.coordinator.state = "no-quorum";
    (await talk(MSGPACK)).socket.close();
    node.coordinator.state = "ready";
  });

  test("with a subprotocol that is not ours is refused", async () => {
    await expect(talk("graphql-ws")).rejects.toThrow("400");
  });

  test("carries all answers of a turn in one frame", async () => {
    const { socket, messages, frames, say } = await talk(MSGPACK);
    const requests = Array.from({ length: 100 }, (_, at) => ({ id: at + 1, op: "cluster.status" }));
    say([HELLO, ...requests]);
    await expect.poll(() => messages.length).toBe(101);
    expect(frames.length).toBeLessThan(5);
    socket.close();
  });

  test("that sends what cannot be decoded is closed, and told why", async () => {
    const bad: [string, (socket: WebSocket) => void][] = [
      [MSGPACK, socket => socket.send(Buffer.from([0xc1]))],
      [MSGPACK, socket => socket.send(Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]))],
      [MSGPACK, socket => socket.send("[]")],
      [MSGPACK, socket => socket.send(Buffer.alloc(0))],
      [JSON_FRAMES, socket => socket.send("[{")],
      [JSON_FRAMES, socket => socket.send("{}")],
      [JSON_FRAMES, socket => socket.send("[".repeat(1_000_000))],
    ];
    for (const [protocol, send] of bad) {
      const made = await talk(protocol);
      send(made.socket);
      await expect.poll(() => made.closed).toEqual([1008, "INVALID_FRAME"]);
      expect(made.messages).toMatchObject([{ id: 0, error: { code: "INVALID_FRAME" } }]);
    }
  });

  test("with a frame past the limit is closed as too big, and others are served on", async () => {
    const made = await talk(MSGPACK);
    made.socket.send(Buffer.alloc(LIMITS.maxFrameBytes + 1));
    await expect.poll(() => made.closed?.[0]).toBe(1009);
    expect((await node.ask("GET", "/version")).status).toBe(200);
  });

  test("that does not read is not listened to, and gets all its answers when it reads", async () => {
    const made = await talk(MSGPACK);
    const get = { op: "kv.get", params: { key: "a" } };
    const value = "x".repeat(500_000);
    node.coordinator.scripts["kv.get"] = call => call.succeed({ key: "a", value });
    made.socket.pause();
    made.say([HELLO]);
    for (let id = 1; id <= 60; id += 1) made.say([{ id, ...get }]);
    await expect.poll(() => node.coordinator.connections.at(-1)?.held).toBe(true);
    const taken = node.coordinator.calls.length;
    made.say([{ id: 61, ...get }]);
    expect((await node.ask("GET", "/version")).status).toBe(200);
    expect(node.coordinator.calls.length).toBe(taken);
    made.socket.resume();
    const answers = () => made.messages.filter(message => "ok" in message).length;
    await expect.poll(answers, { timeout: 4000 }).toBe(61);
    expect(made.closed).toBe(null);
    made.socket.terminate();
  });

  test("that reads gets more in one turn than all that may wait", async () => {
    const made = await talk("holdfast.v1.json");
    const records = [{ key: "a", value: "x".repeat(4_000_000) }];
    node.coordinator.scripts["kv.range"] = call => call.succeed({ records, count: 1, revision: 3 });
    const range = { op: "kv.range", params: { prefix: "a" } };
    made.say([HELLO, ...[1, 2, 3, 4, 5, 6].map(id => ({ id, ...range }))]);
    await expect.poll(() => made.messages.length, { timeout: 5000 }).toBe(7);
    expect(made.closed).toBe(null);
    made.socket.terminate();
  });

  test("that breaks off leaves its waits in line", async () => {
    const made = await talk(MSGPACK);
    node.coordinator.scripts["lock.acquire"] = () => {};
    made.say([
      HELLO,
      { id: 1, op: "lock.acquire", params: { name: "a", ttlMs: 15000, waitMs: -1 } },
    ]);
    await expect.poll(() => node.coordinator.lastCall.name).toBe("lock.acquire");
    made.socket.terminate();
    await expect.poll(() => node.coordinator.lastCall.connection.closed).toBe("kept");
  });

  test("is told when the node stops, and the node does not wait for it", async () => {
    const own = await startNode();
    const made = await talk(JSON_FRAMES, own);
    made.say([HELLO]);
    await expect.poll(() => made.messages.length).toBe(1);
    await own.stop();
    await expect.poll(() => made.closed).toEqual([1001, "SHUTTING_DOWN"]);
    expect(made.messages[1]).toMatchObject({ id: 0, error: { code: "SHUTTING_DOWN" } });
  });
});

test("a plain GET of the WebSocket's path is told so, and a broken upgrade is closed", async () => {
  expect((await node.ask("GET", "/v1/ws")).json.error.code).toBe("INVALID_REQUEST");
  const text = await new Promise<string>(resolve => {
    let all = "";
    const socket = connect(node.port, "127.0.0.1", () =>
      socket.write(
        "GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      ),
    );
    socket.on("data", chunk => {
      all += chunk;
    });
    socket.on("close", () => resolve(all));
  });
  expect(text).toMatch(/^HTTP\/1.1 400 /);
});
