/**
 * A disk that fills up under the leader, by what others write on it: the node ends by name and says
 * what to do, the others go on, nothing acknowledged is lost; with room again it comes back.
 */
import { appendFileSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { mountSmallDisk, unmountSmallDisks } from "./harness/small-disk.js";
import { Writer } from "./harness/writer.js";

/** Three segments of 8 MiB and some room. */
const DISK_BYTES = 32 * 1024 * 1024;
/** More than the log in the segment that is there already, so that the next one is asked for. */
const VALUE = "x".repeat(100 * 1024);

let cluster: Cluster;
let problem: string | null = null;

beforeAll(async () => {
  cluster = await Cluster.plan();
  for (const node of cluster.nodes) problem ??= mountSmallDisk(node.dataDirectory, DISK_BYTES);
  if (problem !== null) return;
  for (const node of cluster.nodes) node.start();
  await cluster.ready();
});
afterAll(async () => {
  for (const node of cluster.nodes) await node.kill();
  unmountSmallDisks();
  await cluster.close();
});

const filler = (node: Node): string => join(node.dataDirectory, "something-else");

/** Takes all the room that is left, as others on the same disk would. */
function fill(node: Node): void {
  const { bavail, bsize } = statfsSync(node.dataDirectory);
  appendFileSync(filler(node), Buffer.alloc(bavail * bsize));
}

const partsOf = (node: Node): string[] =>
  readdirSync(node.dataDirectory).filter(name => name.endsWith(".part"));

/** Whether the segment after the one in use is there, and nothing more is under way. */
const isPrepared = (node: Node): boolean => {
  const segments = readdirSync(node.dataDirectory).filter(name => name.startsWith("segment-"));
  return segments.length >= 2 && partsOf(node).length === 0;
};

const lastLine = (node: Node): string => node.log().trimEnd().split("\n").at(-1) ?? "";

test("a full disk ends the leader by name, the others go on, and with room it comes back with everything", async ({
  skip,
}) => {
  if (problem !== null) skip(problem);
  const leader = await cluster.leader();
  const others = cluster.others(leader);
  const writer = new Writer(cluster.endpoints, "full/");
  await writer.more(20);
  await cluster.until("its next segment to be prepared", () => isPrepared(leader));
  fill(leader);
  const atMs = performance.now();
  // Until the segment that was prepared is needed, and the one after it cannot be.
  for (let i = 0; leader.running; i++) {
    await others[0]?.post("/v1/kv/put", { key: "full/ballast", value: VALUE });
    expect(i).toBeLessThan(500);
  }
  expect(await leader.exit).toBe(1);
  expect(lastLine(leader)).toMatch(
    /holdfast: DISK_FULL: .*no room left.*Free space on the device and start the node again/,
  );
  expect(lastLine(leader)).toContain(leader.dataDirectory);
  await cluster.leader(others);
  await writer.more(20);
  const gapMs = writer.acknowledged.longestGapMs(atMs);
  console.log(`leader's disk full: ${gapMs.toFixed(0)} ms without service`);

  // Started without more room, not even that of what it had begun, it says the same again.
  for (const part of partsOf(leader)) rmSync(join(leader.dataDirectory, part));
  fill(leader);
  leader.start();
  expect(await leader.exit).toBe(1);
  expect(lastLine(leader)).toContain("holdfast: DISK_FULL: ");
  await writer.more(20);

  rmSync(filler(leader));
  leader.start();
  await cluster.until("it to be ready", () => leader.ready());
  await writer.more(20);
  expect(await writer.stop()).toEqual([]);
  // From its own state, once it has caught up.
  for (const [key, value] of writer.acknowledged.writes) {
    const { body } = await leader.post("/v1/kv/get", { key });
    expect(body.value).toBe(value);
  }
});
