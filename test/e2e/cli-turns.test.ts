/**
 * Every way to take turns, typed: several names, readers, permits, and being asked to hand over
 * while CMD runs.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { endAll, Holdfast } from "./cli/holdfast.js";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";

let cluster: Cluster;
const start = (...args: string[]) =>
  new Holdfast(args, { endpoints: cluster.endpoints[0] ?? "", environment: { LANG: "C" } });
const run = (...args: string[]) => start(...args).ended;
const post = async (path: string, body: unknown) => {
  const answer = await cluster.nodes[0]?.post(path, body);
  return answer?.body as Record<string, unknown>;
};
const inspect = (name: string) => post("/v1/lock/inspect", { name });

/** Prints "runs", then lives until it is asked to end. */
const RUNS = ["--", "sh", "-c", "echo runs $HOLDFAST_FENCING_TOKEN; sleep 100"];
const NEVER = ["--", "echo", "never"];
const running = (one: Holdfast) => one.printed(/runs (\d+)/);

async function stop(...all: Holdfast[]): Promise<void> {
  for (const one of all) one.signal("SIGTERM");
  for (const one of all) expect((await one.ended).code).toBe(143);
}

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

describe("several names", () => {
  test("are held all at once under one token, or not at all", async () => {
    const both = start("lock", "several/x", "several/y", ...RUNS);
    const token = Number(await running(both));
    for (const name of ["several/x", "several/y"]) {
      expect(await inspect(name)).toMatchObject({ holders: [{ token }] });
      const tried = await run("lock", name, "--try", ...NEVER);
      expect(tried).toMatchObject({ code: 120, out: "" });
    }
    const others = await run("lock", "several/y", "several/z", "--try", ...NEVER);
    expect(others).toMatchObject({ code: 120, out: "" });
    expect(others.err).toMatch(/^holdfast: several\/y, several\/z: not acquired: held by /);
    expect((await run("lock", "several/z", "--try", "--", "true")).code).toBe(0);
    await post("/v1/lock/yield", { name: "several/y", by: "ops" });
    await both.said(/^holdfast: several\/x, several\/y: ops asks to hand over$/m);
    await stop(both);
    expect((await run("lock", "several/y", "several/x", "--try", "--", "true")).code).toBe(0);
  });

  test("are lost with any of them: CMD is stopped with 121, and the others are free", async () => {
    const both = start("lock", "any/x", "any/y", ...RUNS);
    await running(both);
    const broken = await run("break", "any/y", "--force", "--reason", "stuck", "--owner", "ops");
    expect(broken.code).toBe(0);
    expect((await both.ended).code).toBe(121);
    expect(both.err).toContain("broken by ops (stuck)");
    for (const name of ["any/x", "any/y"])
      expect((await run("lock", name, "--try", "--", "true")).code).toBe(0);
  });
});

describe("elections", () => {
  test("that another leads are 120, or -E's code; a term that is broken stops CMD with 121", async () => {
    const elect = start("elect", "elect", "--owner", "cron@web1", ...RUNS);
    await running(elect);
    const tried = await run("elect", "elect", "--try", ...NEVER);
    expect(tried).toMatchObject({ code: 120, out: "" });
    expect(tried.err).toMatch(/^holdfast: elect: not acquired: led by cron@web1 since /);
    expect((await run("elect", "elect", "--wait", "50ms", "-E", "9", ...NEVER)).code).toBe(9);
    const broken = await run("break", "elect", "--force", "--reason", "stuck");
    expect(broken.code).toBe(0);
    expect((await elect.ended).code).toBe(121);
  });
});

describe("readers", () => {
  test("run beside each other and never beside a writer", async () => {
    const readers = [1, 2].map(() => start("lock", "readers", "--shared", ...RUNS));
    const tokens = await Promise.all(readers.map(running));
    expect(tokens[0]).toBe(tokens[1]);
    const writer = await run("lock", "readers", "--try", ...NEVER);
    expect(writer).toMatchObject({ code: 120, out: "" });
    expect(writer.err).toMatch(/not acquired: held by .* and 1 more since /);
    await stop(...readers);
    expect((await run("lock", "readers", "--try", "-E", "9", "--", "true")).code).toBe(0);
  });
});

describe("permits", () => {
  test("let so many in; one more is 120, and another number is refused with 125", async () => {
    const two = [1, 2].map(() => start("lock", "permits", "--permits", "2", ...RUNS));
    await Promise.all(two.map(running));
    expect((await run("lock", "permits", "--permits", "2", "--try", ...NEVER)).code).toBe(120);
    const other = await run("lock", "permits", "--permits", "3", "--try", ...NEVER);
    expect(other).toMatchObject({ code: 125, out: "" });
    expect(other.err).toContain(
      "RULE_MISMATCH: permits is a semaphore of 2 permits: ask with --perm",
    );
    const none = await run("lock", "permits", "--try", ...NEVER);
    expect(none).toMatchObject({ code: 125, err: expect.stringContaining("--permits 2") });
    await stop(...two);
  });
});

describe("asked to hand over", () => {
  const ask = (name: string) =>
    post("/v1/lock/yield", { name, graceMs: 5_000, by: "ops", why: "deploy" });

  test("it says so, and CMD runs on undisturbed", async () => {
    const lock = start("lock", "asked", ...RUNS);
    await running(lock);
    await ask("asked");
    await lock.said(/^holdfast: asked: ops asks to hand over \(deploy\); \d+ s$/m);
    expect(await inspect("asked")).toMatchObject({ holderCount: 1 });
    await stop(lock);
  });

  test("again, and by a break, it says so again, and CMD gets the signal again", async () => {
    const script = "trap 'echo told' USR1; echo runs 1; while :; do sleep 0.05; done";
    const told = ["--ttl", "60s", "--yield-signal", "USR1", "--", "sh", "-c", script];
    const lock = start("lock", "asked-again", ...told);
    await running(lock);
    const heard = (times: number) => lock.printed(new RegExp(`((?:told\\n){${times}})`));
    await run("yield", "asked-again", "--owner", "one");
    await lock.said(/^holdfast: asked-again: one asks to hand over$/m);
    await heard(1);
    await run("yield", "asked-again", "--owner", "two", "--grace", "30s");
    await lock.said(/^holdfast: asked-again: two asks to hand over; \d+ s$/m);
    await heard(2);
    const breaks = start("break", "asked-again", "--owner", "three", "--reason", "stuck");
    await lock.said(/^holdfast: asked-again: three asks to hand over \(stuck\); \d+ s$/m);
    await heard(3);
    await stop(lock);
    expect((await breaks.ended).code).toBe(0);
  });

  test("CMD is told by the signal it wants, without its children, and may end in peace", async () => {
    const script = [
      "sleep 100 & child=$!",
      "trap 'kill $child; wait $child; echo child $?; exit 0' USR1",
      "echo runs 1",
      "while :; do sleep 0.05; done",
    ];
    const told = ["--yield-signal", "usr1", "--", "sh", "-c", script.join("\n")];
    const elect = start("elect", "asked-leader", "--json", ...told);
    await running(elect);
    await ask("asked-leader");
    const { code, out, err } = await elect.ended;
    expect({ code, out }).toEqual({ code: 0, out: "runs 1\nchild 143\n" });
    // A shell may have said of its child what became of it.
    const asked = err.split("\n").find(line => line.includes('"event":"asked"'));
    expect(JSON.parse(asked ?? "")).toMatchObject({
      event: "asked",
      name: "asked-leader",
      by: "ops",
      why: "deploy",
    });
    await until("nobody to lead", async () => (await inspect("asked-leader")).holderCount === 0);
  });
});
