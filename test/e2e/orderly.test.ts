/** Orderly stops under load: the leader hands over before it goes, and a rolling restart loses nothing. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";
import { Workers } from "./harness/workers.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.close());

test("nodes stopped one after the other, the leader first, hand over and lose nothing", async () => {
  const workers = new Workers({
    endpoints: cluster.endpoints,
    clients: 4,
    workersPerClient: 4,
    locks: 4,
    run: "rolling",
  });
  workers.start();
  const turns = (count: number) => {
    const goal = workers.holds.count + count;
    return cluster.until(`${count} more turns`, () => workers.holds.count >= goal);
  };
  await turns(50);
  const first = await cluster.leader();
  for (const node of [first, ...cluster.others(first)]) {
    const atMs = performance.now();
    const what = (await cluster.leader()) === node ? "leader" : "follower";
    expect(await node.stop()).toBe(0);
    const stoppedMs = performance.now() - atMs;
    await turns(50);
    const gapMs = workers.acknowledged.longestGapMs(atMs);
    console.log(
      `${what} ${node.name}: stopped in ${stoppedMs.toFixed(0)} ms, ` +
        `${gapMs.toFixed(0)} ms without service`,
    );
    node.start();
    await cluster.ready();
  }
  await workers.stop();
  expect(workers.failures).toEqual([]);
  expect(workers.lost).toEqual([]);
  expect(workers.holds.contradictions()).toEqual([]);
  expect(workers.acknowledged.missingFrom(await workers.stored())).toEqual([]);
});
