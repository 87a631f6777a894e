/**
 * What clients were answered while nodes and clients were killed and stopped: recorded by processes
 * of their own, and judged as a whole afterwards (harness/history.ts).
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";
import { type Call, contradictions, type History, type Op } from "./harness/history.js";
import { Load } from "./harness/load.js";
import { pauseMs } from "./harness/until.js";

/** Short, so that leases run out under those who are stopped. */
const TTL_MS = 2_000;

let cluster: Cluster;
let load: Load | undefined;

beforeAll(async () => {
  cluster = await Cluster.start(3, [], { proxied: true });
});
afterEach(async () => {
  await load?.close();
  load = undefined;
  cluster.net.heal();
  for (const node of cluster.nodes) {
    if (!node.running) node.start();
    node.signal("SIGCONT");
  }
  await cluster.ready();
});
afterAll(() => cluster.close());

function start(run: string, processes = 4): Load {
  load = new Load({
    endpoints: cluster.endpoints,
    run,
    processes,
    workers: 4,
    options: { ttlMs: TTL_MS, timeoutMs: 5_000 },
  });
  return load;
}

const answered = ({ calls }: History, kind: string): number =>
  calls.filter(({ op, result }) => op.kind === kind && typeof result === "object").length;

async function finish(ended: Load): Promise<History> {
  const { history, contradictions } = await ended.finish();
  expect(contradictions).toEqual([]);
  // A load of which little was answered proves nothing.
  for (const kind of ["put", "get", "cas", "acquire", "release", "lead", "leader", "resign"]) {
    expect(answered(history, kind), kind).toBeGreaterThan(5);
  }
  const { calls, notes } = history;
  const unknown = calls.filter(({ result }) => result === "unknown").length;
  const failed = calls.filter(({ result }) => result === "failed").length;
  console.log(`${calls.length} calls, ${failed} failed, ${unknown} of unknown outcome`);
  const causes = new Map<string, number>();
  for (const note of notes) {
    const cause = note.slice(note.indexOf(": ") + 2);
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  for (const [cause, count] of causes) console.log(`  ${cause}: ${count}`);
  return history;
}

const told = (call: number, end: number, op: Op, result: Call["result"]): Call => ({
  process: "p",
  call,
  return: end,
  op,
  result,
});

test("a stale read, a token that falls, and two who hold at once are found in a history", () => {
  const key = "k";
  const put = told(0, 1, { kind: "put", key, value: "a" }, { revision: 5 });
  const read = (revision: number, value: string) =>
    told(2, 3, { kind: "get", key }, { revision, value });
  expect(contradictions([put, read(5, "a")])).toEqual([]);
  expect(contradictions([put, read(4, "z")])).toHaveLength(1);
  expect(contradictions([put, read(5, "b")])).toHaveLength(1);

  const grant = (call: number, token: number, heldUntil: number) =>
    told(
      call,
      call + 1,
      { kind: "acquire", key, holder: "p", mayExpire: true, heldUntil },
      { token },
    );
  expect(contradictions([grant(0, 7, 4), grant(4, 9, 8)])).toEqual([]);
  expect(contradictions([grant(0, 7, 4), grant(4, 7, 8)])).toHaveLength(1);
  expect(contradictions([grant(0, 7, 4), grant(2, 9, 8)])).toHaveLength(1);
  const unproven = told(1, 3, { kind: "acquire", key, holder: "p", mayExpire: true }, { token: 6 });
  expect(contradictions([grant(0, 7, 4), unproven])).toEqual([]);
  const release = told(1.5, 2, { kind: "release", key, token: 7 }, { released: true });
  expect(contradictions([grant(0, 7, 4), release, grant(2, 9, 8)])).toEqual([]);
});

test("the leader killed again and again", async () => {
  const running = start("kills");
  await running.more(100);
  for (let kill = 0; kill < 3; kill++) {
    const leader = await cluster.leader();
    await leader.kill();
    await running.more(100);
    leader.start();
    await cluster.ready();
    await running.more(50);
  }
  await finish(running);
});

test("the leader cut off, one way and the other, and all links reset", async () => {
  const running = start("parts");
  await running.more(100);
  for (const direction of ["both", "to", "from"] as const) {
    const leader = await cluster.leader();
    const others = cluster.others(leader);
    for (const other of others) {
      if (direction !== "from") cluster.net.oneWay(other, leader, { kind: "stall" });
      if (direction !== "to") cluster.net.oneWay(leader, other, { kind: "stall" });
    }
    await cluster.leader(others);
    await running.more(100);
    cluster.net.heal();
    for (const other of others) cluster.net.cut(leader, other);
    await running.more(50);
  }
  await finish(running);
});

test("clients stopped past their leases' time and woken, and others killed as they hold", async () => {
  const running = start("holders", 6);
  const [stopped, killed, ...rest] = running.processes;
  await running.more(150);
  // All together have turned so often; these two may not have begun.
  for (const one of running.processes.slice(0, 2)) await running.more(5, [one]);
  killed?.signal("SIGKILL");
  for (let stop = 0; stop < 2; stop++) {
    stopped?.signal("SIGSTOP");
    await Promise.all([pauseMs(1.5 * TTL_MS), running.more(50, rest)]);
    stopped?.signal("SIGCONT");
    await running.more(50);
  }
  await finish(running);
});

test("all nodes stopped past the time of all leases and woken, then the leader alone", async () => {
  const running = start("stops");
  await running.more(100);
  for (const node of cluster.nodes) node.signal("SIGSTOP");
  await pauseMs(1.5 * TTL_MS);
  for (const node of cluster.nodes) node.signal("SIGCONT");
  await running.more(100);
  const leader = await cluster.leader();
  leader.signal("SIGSTOP");
  await cluster.leader(cluster.others(leader));
  await running.more(100);
  leader.signal("SIGCONT");
  await running.more(100);
  await finish(running);
});
