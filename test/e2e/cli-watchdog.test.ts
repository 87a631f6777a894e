/**
 * `holdfast lock` when the hold is lost: CMD and all that it started are dead before anyone else
 * is granted, whatever becomes of the lease, of the cluster, or of holdfast itself.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { endAll, Holdfast } from "./cli/holdfast.js";
import { childOf, lives } from "./cli/processes.js";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";

const TTL_MS = 1_500;
/** Neither CMD nor its child goes when asked to. */
const STUBBORN =
  "trap '' TERM INT HUP; (while :; do sleep 0.1; done) & echo pids $$ $!; wait; wait";

let cluster: Cluster;
const post = async (path: string, body: unknown) => {
  const answer = await cluster.nodes[0]?.post(path, body);
  return answer?.body as Record<string, unknown> & { holders: { lease: string }[] };
};

interface Run {
  readonly lock: Holdfast;
  readonly pids: readonly number[];
}

async function start(name: string, script = STUBBORN, endpoints?: string): Promise<Run> {
  const args = ["lock", name, "--ttl", `${TTL_MS}ms`, "--", "sh", "-c", script];
  const lock = new Holdfast(args, { endpoints: endpoints ?? cluster.endpoints[0] ?? "" });
  const pids = (await lock.printed(/pids ((?:\d+ ?)+)\n/)).split(" ").map(Number);
  return { lock, pids };
}

/** Stands in line, and says which of `pids` live at the moment of the grant. */
async function livingWhenGranted(name: string, pids: readonly number[]): Promise<number[]> {
  const granted = await post("/v1/lock/acquire", { name, ttlMs: 60_000, waitMs: 20_000 });
  const living = pids.filter(lives);
  expect(granted.token).toEqual(expect.any(Number));
  return living;
}

async function waiting(name: string): Promise<void> {
  await until("somebody to wait", async () => {
    const { waiterCount } = await post("/v1/lock/inspect", { name });
    return waiterCount === 1;
  });
}

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

test("a revoked lease ends CMD, which may end in peace: 121", async () => {
  const script = "trap 'echo cleaned; exit 0' TERM; echo pids $$; while :; do sleep 0.05; done";
  const { lock, pids } = await start("revoked", script);
  const { holders } = await post("/v1/lock/inspect", { name: "revoked" });
  await post("/v1/lease/revoke", { lease: holders[0]?.lease });
  const { code, out, err } = await lock.ended;
  expect({ code, out }).toEqual({ code: 121, out: expect.stringMatching(/cleaned\n$/) });
  expect(err).toMatch(/^holdfast: revoked: .*revoked/m);
  expect(pids.filter(lives)).toEqual([]);
});

test("CMD that does not want to end is killed with its children: 121", async () => {
  const { lock, pids } = await start("stubborn");
  const { holders } = await post("/v1/lock/inspect", { name: "stubborn" });
  await post("/v1/lease/revoke", { lease: holders[0]?.lease });
  expect((await lock.ended).code).toBe(121);
  expect(pids.filter(lives)).toEqual([]);
});

test("what CMD left behind in its group is killed as well: 121", async () => {
  const script = "(trap '' TERM; while :; do sleep 0.1; done) & echo pids $$ $!; wait";
  const { lock, pids } = await start("left-behind", script);
  const { holders } = await post("/v1/lock/inspect", { name: "left-behind" });
  await post("/v1/lease/revoke", { lease: holders[0]?.lease });
  expect((await lock.ended).code).toBe(121);
  expect(pids.filter(lives)).toEqual([]);
});

test("holdfast killed: CMD is dead before another is granted", async () => {
  const { lock, pids } = await start("killed");
  const living = livingWhenGranted("killed", pids);
  await waiting("killed");
  lock.signal("SIGKILL");
  expect(await living).toEqual([]);
});

test("holdfast stopped: CMD is dead before another is granted", async () => {
  const { lock, pids } = await start("stopped");
  const living = livingWhenGranted("stopped", pids);
  await waiting("stopped");
  lock.signal("SIGSTOP");
  expect(await living).toEqual([]);
  lock.signal("SIGCONT");
  expect((await lock.ended).code).toBe(121);
});

test("the watchdog killed: another takes its place and knows all", async () => {
  const { lock, pids } = await start("watchdog");
  const first = await until("the watchdog", () => childOf(lock.pid, "watchdog.js"));
  process.kill(first, "SIGKILL");
  const second = await until("another watchdog", () => {
    const found = childOf(lock.pid, "watchdog.js");
    return found === first ? undefined : found;
  });
  const living = livingWhenGranted("watchdog", pids);
  await waiting("watchdog");
  lock.signal("SIGKILL");
  expect(await living).toEqual([]);
  await until("the watchdog to end", () => !lives(second));
});

test("the watchdog is gone when CMD is", async () => {
  const { lock } = await start("gone", "echo pids $$; sleep 0.3");
  const watchdog = await until("the watchdog", () => childOf(lock.pid, "watchdog.js"));
  expect((await lock.ended).code).toBe(0);
  await until("the watchdog to end", () => !lives(watchdog));
});

test("the cluster gone: CMD is ended when the hold can no longer be proven: 121", async () => {
  const own = await Cluster.start(1);
  try {
    const { lock, pids } = await start("alone", STUBBORN, own.endpoints[0]);
    await own.nodes[0]?.kill();
    const killedAt = performance.now();
    const { code, err } = await lock.ended;
    expect(code).toBe(121);
    expect(err).toMatch(/no keep-alive was answered/);
    expect(pids.filter(lives)).toEqual([]);
    // The last proof was no older than a third of the time to live when the cluster went.
    expect(performance.now() - killedAt).toBeGreaterThan(TTL_MS * 0.3);
  } finally {
    await own.close();
  }
});
