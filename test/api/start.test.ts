import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startNode } from "./node-under-test.js";

const dialled: (Socket | WebSocket)[] = [];
afterEach(() => {
  for (const each of dialled.splice(0)) "destroy" in each ? each.destroy() : each.terminate();
});

/** Whether a new connection to `port` is kept: one that asks is answered. */
async function isTaken(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  dialled.push(socket);
  socket.on("error", () => {}).write("GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  return Promise.race([
    once(socket, "data").then(() => true),
    once(socket, "close").then(() => false),
  ]);
}

test("a node listens on several addresses, and all of them close", async () => {
  const node = await startNode({
    listen: [
      { host: "127.0.0.1", port: 0 },
      { host: "127.0.0.1", port: 0 },
    ],
  });
  const [first, second] = node.api.addresses;
  expect(first?.port).not.toBe(second?.port);
  for (const { port } of node.api.addresses)
    expect((await fetch(`http://127.0.0.1:${port}/version`)).status).toBe(200);
  await node.stop();
  for (const { port } of node.api.addresses)
    await expect(fetch(`http://127.0.0.1:${port}/version`)).rejects.toThrow();
});

test("a taken port is refused by Node's error, and nothing stays open", async () => {
  const node = await startNode();
  const { startApi } = await import("../../src/api/index.js");
  const { nodeBytes, nodeClock, nodeEndOfTurn } = await import("../../src/server/ports/index.js");
  const { pino } = await import("pino");
  const free = node.port + 50;
  const second = startApi({
    coordinator: node.coordinator,
    clock: nodeClock,
    endOfTurn: nodeEndOfTurn,
    bytes: nodeBytes,
    logger: pino({ level: "silent" }),
    version: "0.0.0-test",
    listen: [free, node.port].map(port => ({ host: "127.0.0.1", port })),
    allowedOrigins: [],
    allowedHosts: [],
  });
  await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  await expect(fetch(`http://127.0.0.1:${free}/version`)).rejects.toThrow();
  expect((await node.ask("GET", "/version")).status).toBe(200);
  await node.stop();
});

test("sockets are bounded over all addresses, WebSockets among them; one that goes makes room", async () => {
  const host = "127.0.0.1";
  const listen = [1, 2].map(() => ({ host, port: 0 }));
  const node = await startNode({ listen, maxSockets: 3 });
  try {
    const [first = 0, second = 0] = node.api.addresses.map(({ port }) => port);
    const upgraded = new WebSocket(`ws://${host}:${first}/v1/ws`, "holdfast.v1.json");
    dialled.push(upgraded);
    await once(upgraded, "open");
    expect(await isTaken(first)).toBe(true);
    expect(await isTaken(second)).toBe(true);
    expect([await isTaken(first), await isTaken(second)]).toEqual([false, false]);
    upgraded.terminate();
    await expect.poll(() => isTaken(second), { timeout: 10_000 }).toBe(true);
    expect(await isTaken(first)).toBe(false);
  } finally {
    await node.stop();
  }
});
