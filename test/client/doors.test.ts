/** The client in Node against the real doors of a node, over a real socket. */
import { afterEach, describe, expect, test } from "vitest";
import { type Client, connect } from "../../clients/typescript/node/index.js";
import { type NodeUnderTest, startNode } from "../api/node-under-test.js";

const GRANT = { revision: 9, ttlMs: 15_000, remainingMs: 15_000, waitedMs: 0 };
const KEY = "jobs/42/00000000000000000118";

let node: NodeUnderTest | null = null;
let client: Client | null = null;
afterEach(async () => {
  await client?.close();
  await node?.stop();
});

async function started() {
  node = await startNode();
  const { scripts } = node.coordinator;
  scripts["lease.grant"] = call =>
    call.succeed({ lease: "6a1f", ttlMs: 15_000, remainingMs: 15_000, stamp: call.params.stamp });
  scripts["lease.revoke"] = call => call.succeed({ lease: call.params.lease, revoked: true });
  scripts["lock.acquire"] = call =>
    call.succeed({ ...GRANT, name: call.params.name, key: KEY, token: 2 ** 40, lease: "6a1f" });
  scripts["lock.release"] = call => call.succeed({ released: true });
  scripts["kv.put"] = call => call.succeed({ key: call.params.key, revision: 12, created: true });
  client = connect(node.url, { owner: "päivi" });
  return { node, client, calls: node.coordinator.calls };
}

describe("over a real socket", () => {
  test("a lock is run, written under, and released; closing revokes the lease", async () => {
    const { client, calls } = await started();
    const token = await client.lock("jobs/42").run(async held => {
      await client.kv.put("state/42", "done", { heldBy: held });
      return held.token;
    });
    expect(token).toBe(2 ** 40);
    await client.close();
    const ops = calls.map(({ name }) => name);
    expect(ops).toEqual(["lease.grant", "lock.acquire", "kv.put", "lock.release", "lease.revoke"]);
    expect(calls.map(({ context }) => context.request?.number)).toEqual([1, 2, 3, 4, 5]);
    expect(calls[2]?.params).toEqual({ key: "state/42", value: "done", heldBy: { key: KEY } });
    // A node holds text as the bytes of its UTF-8 form.
    expect(calls[0]?.params.owner).toBe(Buffer.from("päivi").toString("latin1"));
  });

  test("bytes and wide integers arrive as they left, both ways", async () => {
    const { node, client, calls } = await started();
    const value = Uint8Array.from({ length: 256 }, (_, n) => n);
    await client.kv.put("bytes", value, { ifRevision: 2 ** 45 });
    expect(calls[0]?.params).toMatchObject({
      value: Buffer.from(value).toString("latin1"),
      prevRevision: 2 ** 45,
    });
    node.coordinator.scripts["kv.get"] = call =>
      call.succeed({
        key: "bytes",
        value: Buffer.from(value).toString("latin1"),
        createRevision: 2,
        modRevision: 2 ** 45,
        version: 1,
      });
    const entry = await client.kv.get("bytes");
    expect([...(entry?.bytes ?? [])]).toEqual([...value]);
    expect(entry?.modRevision).toBe(2 ** 45);
  });

  test("a refusal comes out as its error, with the id that the node's log knows", async () => {
    const { node, client } = await started();
    node.coordinator.scripts["kv.put"] = call =>
      call.fail({ code: "STATE_FULL", message: "full", details: { limitBytes: 5 } });
    await expect(client.kv.put("a", "b")).rejects.toMatchObject({
      code: "STATE_FULL",
      details: { limitBytes: 5 },
      requestId: expect.stringMatching(/./),
    });
    // The node itself refuses what the operation does not know.
    const params = { key: "a", valeu: "b" } as unknown as { key: string; value: string };
    await expect(client.call("kv.put", params)).rejects.toMatchObject({
      code: "UNKNOWN_FIELD",
    });
  });

  test("a watch is pushed, and ended at the node when its reader leaves", async () => {
    const { node, client } = await started();
    const [change] = [
      { kind: "put", key: "a", value: "b", createRevision: 3, version: 1 } as const,
    ];
    node.coordinator.scripts["watch.start"] = call => {
      call.succeed({ revision: 2 });
      setImmediate(() =>
        call.connection.push({
          event: "watch",
          id: call.context.id ?? 0,
          revision: 3,
          changes: [{ ...change, modRevision: 3 }],
        }),
      );
    };
    for await (const { key, value, revision } of client.kv.watch({ prefix: "" })) {
      expect([key, value, revision]).toEqual(["a", "b", 3]);
      break;
    }
    const { lastCall } = node.coordinator;
    await client.cluster.status();
    expect(lastCall.cancelled).toBe(true);
  });

  test("a client without a node says where it looked", async () => {
    const nobody = connect("127.0.0.1:9", { timeoutMs: 300 });
    await expect(nobody.kv.get("a")).rejects.toThrow(/ECONNREFUSED.*127\.0\.0\.1:9/);
    await nobody.close();
  });
});
