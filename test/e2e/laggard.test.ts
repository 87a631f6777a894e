/** A follower that was away while the others wrote several snapshots: it catches up, load goes on. */
import { readdirSync } from "node:fs";
import { type Client, connect, HoldfastError } from "holdfast-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { PATIENT } from "./harness/workers.js";

const SNAPSHOT_AFTER_BYTES = 4 * 1024 * 1024;
/** Goes into the log and, since its condition fails, not into the state: snapshots stay small. */
const BALLAST = "x".repeat(64 * 1024);
/** More than a leader keeps in memory for those who lag: only a snapshot helps. */
const MISSED_BYTES = 24 * 1024 * 1024;

let cluster: Cluster;
let client: Client;

beforeAll(async () => {
  cluster = await Cluster.start(3, [`--snapshot-after-bytes=${SNAPSHOT_AFTER_BYTES}`]);
  client = connect(cluster.endpoints, PATIENT);
});
afterAll(async () => {
  await client.close();
  await cluster.close();
});

/** The log indices of the snapshots that a node has on disk, ascending. */
function snapshotsOf(node: Node): number[] {
  return readdirSync(node.dataDirectory)
    .map(name => /^snapshot-(\d{16})-\d{16}$/.exec(name)?.[1])
    .filter(digits => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

function refused(error: unknown): void {
  if (!(error instanceof HoldfastError) || error.code !== "CONDITION_FAILED") throw error;
}

/** Four writers that put until told, each its own keys; how often each key was written. */
class Load {
  readonly written = new Map<string, number>();
  acknowledged = 0;
  ballastBytes = 0;
  #stopping = false;
  readonly #writers = [0, 1, 2, 3].map(writer => this.#write(writer));

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#writers);
  }

  async #write(writer: number): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      const key = `load/${writer}/${i % 50}`;
      await client.kv.put(key, String(i));
      this.written.set(key, i);
      this.acknowledged += 1;
      await client.kv.put("absent", BALLAST, { ifRevision: "exists" }).catch(refused);
      this.ballastBytes += BALLAST.length;
    }
  }
}

test("a follower that was away through several snapshots catches up while load goes on", async () => {
  const load = new Load();
  const laggard = await cluster.follower();
  await cluster.until("some writes", () => load.acknowledged > 20);
  await laggard.kill();
  const before = snapshotsOf(laggard).at(-1) ?? 0;
  const bytesAtKill = load.ballastBytes;
  const [other] = cluster.others(laggard) as [Node];
  const seen = new Set<number>();
  await cluster.until("three snapshots of more than is kept in memory", () => {
    for (const index of snapshotsOf(other)) if (index > before) seen.add(index);
    return seen.size >= 3 && load.ballastBytes - bytesAtKill > MISSED_BYTES;
  });
  const { appliedIndex: goal } = await other.status();
  const acknowledgedBefore = load.acknowledged;
  const startedMs = performance.now();
  laggard.start();
  await cluster.until("the laggard to be ready", () => laggard.ready());
  await cluster.until("it to have caught up", async () => {
    return (await laggard.status()).appliedIndex >= goal;
  });
  const tookMs = performance.now() - startedMs;
  const meanwhile = load.acknowledged - acknowledgedBefore;
  console.log(`caught up ${tookMs.toFixed(0)} ms after its start, beside ${meanwhile} writes`);
  expect(meanwhile).toBeGreaterThan(0);
  await cluster.until("a snapshot that it did not write before", () =>
    snapshotsOf(laggard).some(index => index > before),
  );
  await load.stop();

  const own = connect([laggard.url], PATIENT);
  for (const [key, i] of load.written) {
    const entry = await own.kv.get(key);
    expect(entry?.value).toBe(String(i));
  }
  await own.close();
});
