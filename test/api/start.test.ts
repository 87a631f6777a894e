import { expect, test } from "vitest";
import { startNode } from "./node-under-test.js";

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
