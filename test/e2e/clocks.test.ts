/**
 * Nodes whose clocks are days apart, run at other rates, and leap. Rates further apart than the
 * 1 % that is promised may cost a holder its time, never the order of tokens. Needs libfaketime.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "holdfast-client";
import { afterEach, expect, test } from "vitest";
import { machineMs } from "./harness/actor.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { fakeClocks, fakeWallFrom, noFakeTime } from "./harness/fake-time.js";
import { Load } from "./harness/load.js";
import { until } from "./harness/until.js";

const TTL_MS = 2_000;
/** The fastest of the clocks below, and the 1 % beside. */
const FASTEST = 1.1 / 0.99;
/** On a machine however busy, and by the slowest of them. */
const LATE_MS = 30_000;
const CLOCKS: Record<string, string> = { n1: "+7h x1.1", n2: "-3d x0.9", n3: "+400d x1.0" };

let cluster: Cluster | undefined;
let load: Load | undefined;

afterEach(async () => {
  await load?.close();
  await cluster?.close();
});

/** The wall clock of a node, as it stamps its answers. */
async function wallOf(node: Node): Promise<number> {
  const response = await fetch(`${node.url}/version`);
  await response.arrayBuffer();
  return Date.parse(response.headers.get("date") ?? "");
}

/** How long a lease stood that nobody kept alive, from before its grant to after its end. */
async function lifeOf(node: Node): Promise<number> {
  const fromMs = machineMs();
  const { body } = await node.post("/v1/lease/grant", { ttlMs: TTL_MS });
  await until("its end", async () => {
    const { body: now } = await node.post("/v1/lease/get", { lease: body.lease });
    return now.ended !== undefined;
  });
  return machineMs() - fromMs;
}

test("nodes whose clocks are days apart and run a tenth too fast and too slow, each leading in turn", async ({
  skip,
}) => {
  if (noFakeTime !== null) skip(noFakeTime);
  const made = await Cluster.start(3, [], { env: name => fakeClocks(CLOCKS[name] ?? "+0") });
  cluster = made;
  const walls = await Promise.all(made.nodes.map(wallOf));
  // The library does what this test is about.
  expect(Math.max(...walls) - Math.min(...walls)).toBeGreaterThan(400 * 24 * 3_600_000);
  const { endpoints } = made;
  const running = new Load({
    endpoints,
    run: "clocks",
    processes: 4,
    workers: 4,
    options: { ttlMs: TTL_MS, timeoutMs: 10_000 },
  });
  load = running;
  const led = new Map<string, number>();
  while (led.size < made.nodes.length) {
    await running.more(50);
    const leader = await made.leader();
    if (!led.has(leader.name)) {
      const lifeMs = await lifeOf(leader);
      led.set(leader.name, lifeMs);
      expect(lifeMs).toBeGreaterThan(TTL_MS / FASTEST);
      expect(lifeMs).toBeLessThan(LATE_MS);
    }
    // Either of the others may be next.
    leader.signal("SIGSTOP");
    await made.leader(made.others(leader));
    leader.signal("SIGCONT");
  }
  const { history, contradictions } = await running.finish();
  expect(contradictions).toEqual([]);
  const lives = [...led].map(([name, ms]) => `${name} (${CLOCKS[name]}): ${ms.toFixed(0)} ms`);
  console.log(`${history.calls.length} calls; a lease of ${TTL_MS} ms by ${lives.join(", ")}`);
});

test("wall clocks that leap a day ahead and a week back end no lease and no session", async ({
  skip,
}) => {
  if (noFakeTime !== null) skip(noFakeTime);
  const directory = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  const file = join(directory, "now");
  writeFileSync(file, "+0\n");
  try {
    const made = await Cluster.start(3, [], { env: () => fakeWallFrom(file) });
    cluster = made;
    const leader = await made.leader();
    const client = connect(made.endpoints, { ttlMs: 4 * TTL_MS });
    const held = await client.lock("leap").acquire();
    const { body } = await leader.post("/v1/lease/grant", { ttlMs: 60_000 });
    let wallMs = await wallOf(leader);
    for (const [leap, reached] of [
      ["+1d", (now: number) => now > wallMs + 20 * 3_600_000],
      ["-7d", (now: number) => now < wallMs - 7 * 24 * 3_600_000],
    ] as const) {
      writeFileSync(file, `${leap}\n`);
      await until("the leap", async () => reached(await wallOf(leader)));
      wallMs = await wallOf(leader);
      await held.confirm();
      expect(await leader.post("/v1/lease/keepalive", { lease: body.lease })).toMatchObject({
        status: 200,
        body: { remainingMs: 60_000 },
      });
    }
    held.assertHeld();
    expect(held.signal.aborted).toBe(false);
    expect((await held.release()).heldToTheEnd).toBe(true);
    await client.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
