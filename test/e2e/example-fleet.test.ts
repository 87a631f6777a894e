/**
 * `examples/worker-fleet`, run as its page says, while its leader is killed, frozen, asked and
 * stopped. Every change of every job is recorded and judged: planned once for each worker that was
 * there, by leaders in their order, and done once.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Client, connect, type Leadership } from "holdfast-client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ROOT } from "../tidy/repository.js";
import { Cluster } from "./harness/cluster.js";
import { Program } from "./harness/program.js";

const JOBS = "fleet/jobs";
const ELECTION = "fleet/leader";
const WORKERS = "fleet/workers/";

interface Step {
  readonly key: string;
  readonly revision: number;
  readonly worker?: string;
  readonly term?: number;
  readonly result?: string;
}

let cluster: Cluster;
let client: Client;
let fleet: Map<string, Program>;
/** Every change of a job, in the order of the cluster. */
let steps: Step[];
/** Each change of a worker's key: that it came, or went. */
let presence: { readonly worker: string; readonly revision: number; readonly came: boolean }[];
let over: AbortController;

beforeAll(async () => {
  cluster = await Cluster.start();
  client = connect(cluster.endpoints);
});
afterAll(async () => {
  await client?.close();
  await cluster?.close();
});

beforeEach(async () => {
  [fleet, steps, presence, over] = [new Map(), [], [], new AbortController()];
  const { revision } = await client.kv.put("fleet-test", "begins");
  void record(revision, over.signal);
});
afterEach(async () => {
  over.abort();
  await Promise.all([...fleet.values()].map(program => program.kill()));
  for await (const { lease, owner } of client.leases.list())
    if (owner?.startsWith("w")) await client.leases.revoke(lease);
  for await (const { key } of client.kv.list({ prefix: JOBS })) await client.kv.delete(key);
});

async function record(from: number, signal: AbortSignal): Promise<void> {
  try {
    for await (const { kind, key, value, revision } of client.kv.watch({
      prefix: "fleet/",
      from,
      signal,
    })) {
      if (kind === "put" && key.startsWith(`${JOBS}/`))
        steps.push({ key, revision, ...(JSON.parse(value) as object) });
      if (key.startsWith(WORKERS))
        presence.push({ worker: key.slice(WORKERS.length), revision, came: kind === "put" });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function start(name: string, ...flags: string[]): Program {
  const args = ["--name", name, ...flags];
  const env = { HOLDFAST_ENDPOINTS: cluster.endpoints.join() };
  const program = new Program("examples/worker-fleet/worker.js", args, env);
  fleet.set(name, program);
  return program;
}

const leader = async () => (await client.election(ELECTION).leader())?.value;

/** One after the other, so that they stand in line in this order. */
async function startAll(names: readonly string[], ...flags: string[]): Promise<void> {
  for (const [at, name] of names.entries()) {
    start(name, ...flags);
    await cluster.until(`${name} to stand in line`, async () => {
      const { holderCount, waiterCount } = await client.lock(ELECTION).inspect();
      return holderCount + waiterCount === at + 1;
    });
    await cluster.until(`${name} to be there`, () => client.kv.get(WORKERS + name));
  }
}

const program = (name: string): Program => {
  const found = fleet.get(name);
  if (found === undefined) throw new Error(`no ${name} was started`);
  return found;
};

async function order(count: number, work = "one"): Promise<string[]> {
  const value = JSON.stringify({ work });
  const ordered = await Promise.all(
    Array.from({ length: count }, () => client.kv.append(JOBS, value)),
  );
  return ordered.map(({ key }) => key);
}

const done = (): number => steps.filter(({ result }) => result !== undefined).length;
const allDone = (count: number) => cluster.until(`${count} jobs to be done`, () => done() >= count);

/** What must hold of all that was recorded. */
function judge(keys: readonly string[]): void {
  const terms = steps.flatMap(({ term, result }) => (result === undefined ? (term ?? []) : []));
  expect(terms).toEqual([...terms].sort((a, b) => a - b));
  for (const key of keys) {
    const [ordered, ...after] = steps.filter(step => step.key === key);
    expect(ordered).not.toHaveProperty("worker");
    const plans = after.filter(({ result }) => result === undefined);
    const results = after.filter(({ result }) => result !== undefined);
    expect(results).toHaveLength(1);
    expect(after.at(-1)).toBe(results[0]);
    expect(results[0]?.worker).toBe(plans.at(-1)?.worker);
    // Planned again only when the worker of the plan before was gone.
    for (const [at, { revision }] of plans.entries()) {
      const before = plans[at - 1];
      if (before !== undefined) expect(wentAt(before)).toBeLessThan(revision);
    }
  }
}

/** When the worker went for whom a plan was made. */
function wentAt({ worker, revision }: Step): number {
  const own = presence.filter(one => one.worker === worker);
  const cameAt = own.findLastIndex(one => one.came && one.revision < revision);
  return own.slice(cameAt).find(one => !one.came)?.revision ?? Number.POSITIVE_INFINITY;
}

test("a job that is ordered is given to a worker and done, and its result comes back", async () => {
  await startAll(["w1", "w2", "w3"]);
  const env = { HOLDFAST_ENDPOINTS: cluster.endpoints.join() };
  const words = ["how", "many", "words", "are", "these"];
  const ordering = new Program("examples/worker-fleet/order.js", words, env);
  expect(await ordering.exit).toBe(0);
  expect(ordering.lines(/^(5 words)$/)).toHaveLength(1);
  const keys = await order(20);
  await allDone(21);
  judge(keys);
  const workers = new Set(steps.map(({ worker }) => worker));
  expect([...workers]).toEqual(expect.arrayContaining(["w1", "w2", "w3"]));
});

test("the leader is killed: the next one leads on, and each job is planned and done once", async () => {
  await startAll(["w1", "w2", "w3"], "--ttl-ms", "4000");
  const keys = await order(60);
  await allDone(10);
  const first = await leader();
  await program(first ?? "").kill();
  await allDone(60);
  const second = await leader();
  expect(second).not.toBe(first);
  judge(keys);
  expect(new Set(steps.flatMap(({ term }) => term ?? [])).size).toBeGreaterThan(1);
});

test("a worker is killed in a job: another is given it", async () => {
  await startAll(["w1", "w2"], "--ttl-ms", "4000");
  const keys = await order(1, "word ".repeat(100_000));
  await cluster.until("it to be given to somebody", () => steps.at(-1)?.worker);
  const victim = steps.at(-1)?.worker ?? "";
  const other = victim === "w1" ? "w2" : "w1";
  await program(victim).kill();
  await cluster.until("it to be given to the other", () => steps.at(-1)?.worker === other);
  expect(steps.map(({ worker }) => worker)).toEqual([undefined, victim, other]);
  expect(steps.map(({ key }) => key)).toEqual([keys[0], keys[0], keys[0]]);
});

test("a leader that was frozen and wakes plans nothing any more", async () => {
  await startAll(["w1", "w2", "w3"], "--ttl-ms", "4000");
  const keys = await order(60);
  await allDone(10);
  const frozen = program((await leader()) ?? "");
  frozen.signal("SIGSTOP");
  await allDone(60);
  frozen.signal("SIGCONT");
  keys.push(...(await order(20)));
  await frozen.says(/(is lost)/);
  await allDone(80);
  judge(keys);
});

/** What leader.js asks of a leadership. */
type Deposed = Pick<Leadership, "key" | "token" | "signal" | "yieldSignal">;
interface LeaderProgram {
  lead(hf: Client, leadership: Deposed, stop: AbortSignal, version: number): Promise<void>;
}

test("a leader that has noticed nothing of its loss plans nothing", async () => {
  const program = pathToFileURL(join(ROOT, "examples/worker-fleet/leader.js")).href;
  const { lead } = (await import(program)) as LeaderProgram;
  const { key, token } = await client.election(ELECTION).campaign("w0");
  await client.lock(ELECTION).break({ token, reason: "a test", force: true });
  await client.kv.put(`${WORKERS}w0`, "1");
  const [job = ""] = await order(1);
  const { signal } = new AbortController(); // which never fires
  const leading = lead(client, { key, token, signal, yieldSignal: signal }, signal, 1);
  await expect(leading).rejects.toMatchObject({ code: "NOT_HELD" });
  expect((await client.kv.get(job))?.version).toBe(1);
  await client.kv.delete(`${WORKERS}w0`);
});

test("a leader that is stopped hands over at once, and finishes what it has in hand", async () => {
  await startAll(["w1", "w2", "w3"], "--ttl-ms", "600000"); // so that nothing passes on by time
  const keys = await order(40);
  await allDone(10);
  const first = (await leader()) ?? "";
  expect(await program(first).stop()).toBe(0);
  expect(program(first).said).toMatch(/has handed over[\s\S]*has stopped/);
  await cluster.until("another to lead", async () => ![undefined, first].includes(await leader()));
  await allDone(40);
  judge(keys);
});

test("a leader that is asked hands over to a newer one, and works on", async () => {
  await startAll(["w1", "w2"], "--ttl-ms", "600000");
  start("w3", "--ttl-ms", "600000", "--version", "2");
  await cluster.until("w3 to stand in line", async () => {
    return (await client.lock(ELECTION).inspect()).waiterCount === 2;
  });
  expect(await leader()).toBe("w1");
  const env = { HOLDFAST_ENDPOINTS: cluster.endpoints.join() };
  const asking = new Program("dist/cli/main.js", ["yield", ELECTION, "--reason", "update"], env);
  expect(await asking.exit).toBe(0);
  await cluster.until("the newer one to lead", async () => (await leader()) === "w3");
  expect(program("w2").said).not.toContain("leads");
  const keys = await order(30);
  await allDone(30);
  judge(keys);
  expect(steps.map(({ worker }) => worker)).toContain("w1");
  await cluster.until("w1 to stand in line again", async () => {
    const { waiters } = await client.lock(ELECTION).inspect();
    return waiters.some(({ owner }) => owner === "w1");
  });
});
