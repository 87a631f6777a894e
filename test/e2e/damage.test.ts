/** A node whose log was changed behind its back stops and names the place; it never guesses. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";

let cluster: Cluster;
let node: Node;

beforeAll(async () => {
  cluster = await Cluster.start(1);
  [node] = cluster.nodes as [Node];
});
afterAll(() => cluster.close());

/** The last segment that holds `text`, with the place of it. */
function find(text: string): { file: string; bytes: Buffer; at: number } {
  const files = readdirSync(node.dataDirectory).filter(name => name.startsWith("segment-"));
  for (const name of files.sort().reverse()) {
    const file = join(node.dataDirectory, name);
    const bytes = readFileSync(file);
    const at = bytes.indexOf(text);
    if (at >= 0) return { file, bytes, at };
  }
  throw new Error(`no segment holds ${text}`);
}

test("a flipped byte in the middle of the log stops the node with file and offset", async () => {
  for (let i = 0; i < 40; i++) {
    const { status } = await node.post("/v1/kv/put", { key: `k${i}`, value: `written ${i}.` });
    expect(status).toBe(200);
  }
  expect(await node.stop()).toBe(0);
  const { file, bytes, at } = find("written 20.");
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(file, bytes);
  node.start();
  expect(await node.exit).toBe(1);
  const last = node.log().trimEnd().split("\n").at(-1) ?? "";
  expect(last).toContain("WAL_DAMAGED");
  const [, named, offset] = /(\S+), offset (\d+): /.exec(last) ?? [];
  expect(named).toBe(file);
  expect(at - Number(offset)).toSatisfy((distance: number) => distance >= 0 && distance < 4_096);

  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(file, bytes);
  node.start();
  await cluster.ready();
  const { body } = await node.post("/v1/kv/get", { key: "k39" });
  expect(body.value).toBe("written 39.");
});
