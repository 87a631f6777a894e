/** `examples/scheduler`, run as its page says, while replicas are killed, stopped and frozen. */
import { type Client, connect, type Entry } from "holdfast-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";
import { Program } from "./harness/program.js";

/** A question to a shop that is not answered in the time of a test. */
const NEVER_MS = "3600000";
const QUICK_MS = "20";

let cluster: Cluster;
let client: Client;
let replicas: Program[] = [];

beforeAll(async () => {
  cluster = await Cluster.start();
  client = connect(cluster.endpoints);
});
afterEach(async () => {
  await Promise.all(replicas.map(replica => replica.kill()));
  replicas = [];
});
afterAll(async () => {
  await client?.close();
  await cluster?.close();
});

interface Setting {
  readonly shopMs?: string;
  readonly flags?: readonly string[];
}

function replica(job: string, name: string, { shopMs = QUICK_MS, flags = [] }: Setting = {}) {
  const fixed = [job, "--name", name, "--every", "1s", "--late", "10m"];
  const program = new Program("examples/scheduler/scheduler.js", [...fixed, ...flags], {
    HOLDFAST_ENDPOINTS: cluster.endpoints.join(),
    SHOP_MS: shopMs,
  });
  replicas.push(program);
  return program;
}

const BEGINS = /of (\S+) begins/;
const DONE = /of (\S+) is done/;

async function reports(job: string): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of client.kv.list({ prefix: `reports/${job}/` })) found.push(entry);
  return found;
}

const reportOf = (job: string, tick: string) => client.kv.get(`reports/${job}/${tick}`);

/** How the claims of a run ended, the last one first. */
async function endsOf(job: string, tick: string): Promise<string[]> {
  const slot = String(new Date(tick).getTime()).padStart(20, "0");
  const { recent } = await client.lock(`${job}/${slot}`).inspect();
  return recent.map(({ reason }) => reason);
}

test("of three replicas one runs each tick, and none is left out", async () => {
  const three = ["a", "b", "c"].map(name => replica("plain", name));
  await cluster.until("eight ticks to be run", async () => (await reports("plain")).length >= 8);
  expect(await Promise.all(three.map(one => one.stop()))).toEqual([0, 0, 0]);
  const begun = three.flatMap(one => one.lines(BEGINS)).sort();
  expect(new Set(begun).size).toBe(begun.length);
  expect(three.flatMap(one => one.lines(DONE)).sort()).toEqual(begun);
  const written = await reports("plain");
  expect(written.map(({ key }) => key)).toEqual(begun.map(tick => `reports/plain/${tick}`));
  expect(written.map(({ version }) => version)).toEqual(written.map(() => 1));
  const times = begun.map(tick => new Date(tick).getTime());
  expect(times).toEqual(times.map((_, i) => (times[0] ?? 0) + 1_000 * i));
});

test("a replica killed in the middle of a run: another runs that tick", async () => {
  const doomed = replica("killed", "a", { shopMs: NEVER_MS, flags: ["--ttl", "3s"] });
  const tick = await doomed.says(BEGINS);
  const others = ["b", "c"].map(name => replica("killed", name));
  await cluster.until("the others to work", async () => (await reports("killed")).length > 0);
  await doomed.kill();
  await cluster.until("the tick to be run", () => reportOf("killed", tick));
  expect(await endsOf("killed", tick)).toContain("expired");
  expect(others.flatMap(one => one.lines(BEGINS)).filter(one => one === tick)).toEqual([tick]);
  expect((await reportOf("killed", tick))?.version).toBe(1);
});

test("with --on-abandon close that tick is not run again", async () => {
  const flags = ["--on-abandon", "close"];
  const doomed = replica("close", "a", { shopMs: NEVER_MS, flags: [...flags, "--ttl", "3s"] });
  const tick = await doomed.says(BEGINS);
  const other = replica("close", "b", { flags });
  await doomed.kill();
  await cluster.until("its claim to end", async () => (await endsOf("close", tick)).length > 0);
  // Whoever looks later has been told of it: ticks are tried in the order in which they come.
  const told = new Date().toISOString();
  await cluster.until("a later tick", () => other.lines(DONE).some(done => done > told));
  expect(other.lines(BEGINS)).not.toContain(tick);
  expect(await reportOf("close", tick)).toBeNull();
});

test("a replica frozen in the middle of a run knows when it wakes, and writes nothing", async () => {
  const frozen = replica("frozen", "a", { shopMs: NEVER_MS, flags: ["--ttl", "3s"] });
  const tick = await frozen.says(BEGINS);
  frozen.signal("SIGSTOP");
  replica("frozen", "b");
  await cluster.until("the tick to be run by another", () => reportOf("frozen", tick));
  frozen.signal("SIGCONT");
  expect(await frozen.says(/of (\S+) is lost/)).toBe(tick);
  expect((await reportOf("frozen", tick))?.version).toBe(1);
});

test("SIGTERM waits for the run under way, and not for ever", async () => {
  const patient = replica("term", "a", { shopMs: "300", flags: ["--grace", "60s"] });
  const finished = await patient.says(BEGINS);
  expect(await patient.stop()).toBe(0);
  expect(patient.lines(DONE)).toContain(finished);
  expect(await endsOf("term", finished)).toEqual(["released"]);

  const flags = ["--grace", "100ms", "--ttl", "1h"]; // so that nothing passes on by time
  const slow = replica("term", "b", { shopMs: NEVER_MS, flags });
  const left = await slow.says(BEGINS);
  const next = replica("term", "c");
  expect(await slow.stop()).toBe(0);
  expect(slow.lines(DONE)).toEqual([]);
  await cluster.until("the next to run it", () => next.lines(DONE).includes(left));
  expect(patient.lines(BEGINS)).not.toContain(left);
});

test("a run that throws is over, as failed, and the next ticks are run", async () => {
  const failing = replica("throws", "a", { shopMs: "not a number" });
  const tick = await failing.says(/of (\S+) failed/);
  const good = replica("throws", "b");
  await cluster.until("the good one to run some", () => good.lines(DONE).length > 0);
  expect(good.lines(BEGINS)).not.toContain(tick);
});
