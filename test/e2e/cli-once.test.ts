/**
 * `holdfast once`: one host of many runs CMD for a tick, and how CMD ends decides what becomes of
 * the run.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/base/limits.js";
import { endAll, Holdfast, holdfast } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";

/** So long that no tick ends while this runs. */
const EVERY = "100000h";
const EVERY_MS = 100_000 * 3_600_000;
const SLOT = Math.floor(Date.now() / EVERY_MS) * EVERY_MS;

let cluster: Cluster;
const endpoint = (): string => cluster.endpoints[0] ?? "";
const start = (job: string, ...args: string[]) =>
  new Holdfast(["once", job, "--every", EVERY, ...args], { endpoints: endpoint() });
const run = (job: string, ...args: string[]) => start(job, ...args).ended;
const shell = (script: string) => ["--", "sh", "-c", script];
const inspect = async (job: string) => {
  const name = `${job}/${String(SLOT).padStart(20, "0")}`;
  const answer = await cluster.nodes[0]?.post("/v1/lock/inspect", { name });
  return answer?.body as unknown as { readonly holders: readonly { readonly lease: string }[] };
};
/** What another is told who wants the run. */
const claimed = async (job: string) => {
  const body = { job, slot: SLOT, ttlMs: 5_000 };
  const answer = await cluster.nodes[0]?.post("/v1/slot/claim", body);
  const error = answer?.body.error as { code: string; details: Record<string, unknown> };
  return answer?.status === 200 ? "granted" : { code: error.code, ...error.details };
};

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

test("of ten hosts with the same line one runs CMD; the others end with 0 and say nothing", async () => {
  const all = await Promise.all(
    Array.from({ length: 10 }, () => run("report", ...shell("echo ran for $HOLDFAST_SLOT"))),
  );
  expect(all.map(({ code }) => code)).toEqual(all.map(() => 0));
  expect(all.map(({ out }) => out).join("")).toBe(`ran for ${SLOT}\n`);
  expect(all.map(({ err }) => err).join("")).toBe("");
  const late = await run("report", "--strict", "--", "echo", "never");
  expect(late).toMatchObject({ code: 120, out: "" });
  expect(late.err).toMatch(/^holdfast: report: not run: .+@.+ had it, until .* ago$/m);
});

test("while another runs it: 0, with --strict 120 and who it is", async () => {
  const first = start("busy", "--owner", "cron@web1", ...shell("echo runs; sleep 100"));
  await first.printed(/(runs)/);
  const second = await run("busy", "--", "echo", "never");
  expect(second).toMatchObject({ code: 0, out: "", err: "" });
  const third = await run("busy", "--strict", "--", "echo", "never");
  expect(third).toMatchObject({ code: 120, out: "" });
  expect(third.err).toMatch(/busy: not run: cron@web1 runs it since /);
  const told = await run("busy", "--json", "--", "echo", "never");
  expect(told.code).toBe(0);
  expect(JSON.parse(told.err)).toMatchObject({ event: "not-acquired", name: "busy", slot: SLOT });
  first.signal("SIGTERM");
  expect((await first.ended).code).toBe(143);
});

describe("what becomes of the run", () => {
  test("CMD's 0 is done, for ever", async () => {
    const script = "env | grep -c -e ^HOLDFAST_FENCING_TOKEN=[0-9] -e ^HOLDFAST_SLOT=[0-9]";
    expect(await run("done", ...shell(script))).toMatchObject({ code: 0, out: "2\n" });
    expect(await claimed("done")).toMatchObject({ code: "SLOT_CLOSED", outcome: "done" });
  });

  test("another code is a failure, with a note of it, and CMD's code comes through", async () => {
    expect((await run("failed", ...shell("exit 7"))).code).toBe(7);
    expect(await claimed("failed")).toMatchObject({
      code: "SLOT_CLOSED",
      outcome: "failed",
      note: "CMD's exit code was 7",
    });
    expect(await run("failed", "--", "echo", "never")).toMatchObject({ code: 0, out: "" });
  });

  test.each([
    ["killed", ["--", "sh", "-c", "kill -9 $$"], 137],
    ["not found", ["--", "no-such-command"], 127],
    ["not executable", ["--", "/etc/passwd"], 126],
  ])("CMD that was %s abandons it, and another may run it", async (job, command, code) => {
    expect((await run(job, ...command)).code).toBe(code);
    expect(await run(job, "--", "echo", "again")).toMatchObject({ code: 0, out: "again\n" });
    expect(await claimed(job)).toMatchObject({ code: "SLOT_CLOSED", outcome: "done" });
  });

  test("unless abandoned runs are over", async () => {
    const close = ["--on-abandon", "close"];
    expect((await run("closes", ...close, ...shell("kill -9 $$"))).code).toBe(137);
    expect(await claimed("closes")).toMatchObject({ code: "SLOT_CLOSED", outcome: "abandoned" });
  });

  test("a claim that is lost stops CMD: 121, and another may run it", async () => {
    const job = "lost";
    const trap = "trap 'echo cleaned; exit 0' TERM; echo runs; while :; do sleep 0.05; done";
    const first = start(job, "--ttl", "1500ms", ...shell(trap));
    await first.printed(/(runs)/);
    const [holder] = (await inspect(job)).holders;
    await cluster.nodes[0]?.post("/v1/lease/revoke", { lease: holder?.lease });
    expect(await first.ended).toMatchObject({ code: 121, out: "runs\ncleaned\n" });
    expect(await run(job, "--", "echo", "again")).toMatchObject({ code: 0, out: "again\n" });
  });

  test("killed itself, CMD ends before the claim does, and another may run it", async () => {
    const first = start("killed-itself", "--ttl", "1500ms", ...shell("echo runs; sleep 100"));
    await first.printed(/(runs)/);
    first.signal("SIGKILL");
    await first.ended;
    const again = await until("the claim to end", async () => {
      const { out } = await run("killed-itself", "--", "echo", "again");
      return out === "" ? undefined : out;
    });
    expect(again).toBe("again\n");
  });
});

test("a tick that began too long ago is missed, and that is said", async () => {
  const missed = await run("late", "--late", "30s", "--", "echo", "never");
  expect(missed).toMatchObject({ code: 0, out: "" });
  expect(missed.err).toMatch(
    /^holdfast: late: not run: it is too late: the tick began \d+ d \d+ h ago$/m,
  );
  expect((await run("late", "--late", "30s", "--strict", "--", "echo", "never")).code).toBe(120);
  expect(await run("late", "--late", "200000h", "--", "echo", "ran")).toMatchObject({
    code: 0,
    out: "ran\n",
  });
});

test("a run that is over and forgotten is called over, not late", async () => {
  const { slotsPerJob } = LIMITS;
  const [node] = cluster.nodes;
  // Of so many later runs the outcome is remembered, and of this one nothing.
  for (let later = 1; later <= slotsPerJob + 1; later++) {
    const body = { job: "forgotten", slot: SLOT + later, ttlMs: 60_000 };
    const claim = await node?.post("/v1/slot/claim", body);
    await node?.post("/v1/slot/finish", { key: claim?.body.key, outcome: "done" });
  }
  const over = await run("forgotten", "--late", "200000h", "--", "echo", "never");
  expect(over).toMatchObject({ code: 0, err: "holdfast: forgotten: not run: it is over\n" });
}, 60_000);

test("an outcome that cannot be recorded keeps CMD's exit code, and says so", async () => {
  const own = await Cluster.start(1);
  try {
    const script = `kill -9 ${own.nodes[0]?.pid}; exit 6`;
    const args = ["once", "x", "--every", EVERY, "--timeout", "500ms", "--", "sh", "-c", script];
    const { code, err } = await holdfast(args, { endpoints: own.endpoints[0] ?? "" });
    expect(code).toBe(6);
    expect(err).toMatch(/^holdfast: x: recording how the run ended failed \(.*abandoned$/m);
  } finally {
    await own.close();
  }
});

test("without a cluster CMD is not started: 123 unreachable, 122 outcome unknown", async () => {
  const args = ["once", "x", "--every", EVERY, "--timeout", "800ms", "--", "echo", "never"];
  const unreachable = await holdfast(args, { endpoints: "127.0.0.1:1" });
  expect(unreachable).toMatchObject({ code: 123, out: "" });
  // Of its lease it hears: without one it asks for no run.
  const mute = await MuteNode.before(endpoint(), 1);
  try {
    const unknown = await holdfast(args, { endpoints: mute.endpoint });
    expect(unknown).toMatchObject({ code: 122, out: "" });
  } finally {
    mute.close();
  }
});

test("own failures are 125, with a hint", async () => {
  const wrong = [
    ["x", "--", "true"],
    ["x", "--every", "5m"],
    ["x", "--every", "0", "--", "true"],
    ["x", "--every", "often", "--", "true"],
    ["x", "--every", "5m", "--on-abandon", "weep", "--", "true"],
    ["x", "y", "--every", "5m", "--", "true"],
  ];
  const ends = await Promise.all(
    wrong.map(args => holdfast(["once", ...args], { endpoints: endpoint() })),
  );
  for (const [at, { code, out, err }] of ends.entries()) {
    expect({ args: wrong[at], code, out }).toEqual({ args: wrong[at], code: 125, out: "" });
    expect(err.length).toBeGreaterThan(10);
    expect(err).not.toMatch(/^ +at /m);
  }
});
