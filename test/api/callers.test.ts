import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { hostName } from "../../src/api/http/callers.js";
import { type NodeUnderTest, startNode } from "./node-under-test.js";

let node: NodeUnderTest;
beforeAll(async () => {
  node = await startNode({
    allowedOrigins: ["https://ops.example.com"],
    allowedHosts: ["Node1.example.com"],
  });
});
afterAll(() => node.stop());

const withOrigin = (origin: string) => ({ headers: { origin } });

/** A Host header of one's own, which fetch and undici do not allow. */
async function statusForHost(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: node.port, path: "/version", headers: { host } };
    const request = httpRequest(options, response => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject).end();
  });
}

async function upgradeStatus(headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}/v1/ws`, { headers });
    socket.on("open", () => {
      socket.close();
      resolve(101);
    });
    socket.on("unexpected-response", (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", reject);
  });
}

describe("callers", () => {
  test("that are pages of a foreign origin get 403, and nothing is done", async () => {
    const before = node.coordinator.calls.length;
    for (const origin of ["https://evil.example", "null", "http://ops.example.com"]) {
      const answer = await node.ask("PUT", "/v1/kv/a", withOrigin(origin));
      expect([answer.status, answer.json.error.code]).toEqual([403, "FORBIDDEN_ORIGIN"]);
      expect(answer.headers["access-control-allow-origin"]).toBe(undefined);
    }
    const removal = { ...withOrigin("https://evil.example"), body: '{"member":"n1"}' };
    expect((await node.ask("POST", "/v1/cluster/remove", removal)).status).toBe(403);
    expect(node.coordinator.calls.length).toBe(before);
  });

  test("that are pages of an allowed origin may call, and their browser hears so", async () => {
    const answer = await node.ask("GET", "/version", withOrigin("https://OPS.example.com"));
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe("https://OPS.example.com");
    const preflight = await node.ask("OPTIONS", "/v1/kv/a", {
      headers: { origin: "https://ops.example.com", "access-control-request-method": "PUT" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-methods"]).toContain("PUT");
  });

  test("that name a host which merely resolves to the node get 403", async () => {
    const allowed = ["127.0.0.1", "10.1.2.3:99", "[::1]:2379", "localhost", "LOCALHOST:1"];
    for (const host of [...allowed, "node1.example.com", "node1.example.com.:80"])
      expect(`${host} ${await statusForHost(host)}`).toBe(`${host} 200`);
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"])
      expect(`${host} ${await statusForHost(host)}`).toBe(`${host} 403`);
  });

  test("are checked on WebSocket upgrades alike", async () => {
    expect(await upgradeStatus({})).toBe(101);
    expect(await upgradeStatus({ origin: "https://ops.example.com" })).toBe(101);
    expect(await upgradeStatus({ origin: "https://evil.example" })).toBe(403);
    expect(await upgradeStatus({ host: "evil.example" })).toBe(403);
  });
});

test("a Host header is compared without port, brackets, case and final dot", () => {
  expect(["A.b:80", "[::1]:2", "[::1]", "a.", ""].map(hostName)).toEqual([
    "a.b",
    "::1",
    "::1",
    "a",
    "",
  ]);
});
