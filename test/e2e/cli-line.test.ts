/** `who`, `locks`, `yield` and `break`: looking at a line, and taking the lock from its holder. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { endAll, Holdfast, holdfast } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import { lives } from "./cli/processes.js";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";

let cluster: Cluster;
const endpoint = (): string => cluster.endpoints[0] ?? "";
const start = (...args: string[]) => new Holdfast(args, { endpoints: endpoint() });
const run = (...args: string[]) => start(...args).ended;
const post = async (path: string, body: unknown) => {
  const answer = await cluster.nodes[0]?.post(path, body);
  return answer?.body as Record<string, unknown>;
};

interface Granted {
  readonly key: string;
  readonly token: number;
  readonly lease: string;
}
/** Holds it for somebody who hears nothing of being asked. */
const hold = async (name: string, more: Record<string, unknown> = {}): Promise<Granted> => {
  const body = { name, ttlMs: 60_000, owner: "cron@web1", ...more };
  return (await post("/v1/lock/acquire", body)) as unknown as Granted;
};
const release = (name: string, { token }: Granted) => post("/v1/lock/release", { name, token });
const waiting = (name: string, count: number) =>
  until(`${count} in line`, async () => {
    const { waiterCount } = await post("/v1/lock/inspect", { name });
    return waiterCount === count;
  });
const BY_OPS = ["--owner", "ops", "--reason", "deploy"];

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

describe("who", () => {
  test("shows holder, progress, who asked, the line, and how it came to be", async () => {
    const name = "who/1";
    const before = await hold(name, { owner: "cron@web0" });
    await post("/v1/lock/break", {
      name,
      token: before.token,
      by: "ops",
      why: "stuck",
      force: true,
    });
    const held = await hold(name);
    await post("/v1/lock/annotate", { name, token: held.token, progress: "3 of 7" });
    const second = start("lock", name, "--owner", "cron@web2", "--", "true");
    await waiting(name, 1);
    await post("/v1/lock/yield", { name, by: "ops", why: "deploy", graceMs: 60_000 });
    const { code, out } = await run("who", name);
    expect(code).toBe(0);
    expect(out).toMatch(
      new RegExp(
        [
          `^${name} is held, 1 in line`,
          "",
          "PLACE  TOKEN  LEASE +SINCE +OWNER",
          `holds  ${held.token} +[0-9a-f]+ +\\d+ m?s +cron@web1`,
          "       progress: 3 of 7",
          "       asked to hand over by ops \\(deploy\\); \\d+ s left",
          "1st    \\d+ +[0-9a-f]+ +\\d+ m?s +cron@web2",
          "",
          "ENDED +TOKEN +HELD FOR +OWNER +HOW",
          `\\d+ m?s ago +${before.token} +\\d+ m?s +cron@web0 +broken by ops \\(stuck\\)\\n$`,
        ].join("\\n"),
      ),
    );
    const json = JSON.parse((await run("who", name, "--json")).out);
    expect(json).toMatchObject({
      name,
      holders: [{ token: held.token, progress: "3 of 7", asked: { by: "ops", why: "deploy" } }],
      waiterCount: 1,
      recent: [{ token: before.token, reason: "broken", by: "ops", why: "stuck" }],
    });
    await release(name, held);
    expect((await second.ended).code).toBe(0);
  });

  test("shows what a leader proclaims", async () => {
    const elect = start("elect", "who/boss", "--value", "10.0.0.1:80", "--", "sleep", "100");
    await until("a leader", async () => (await run("who", "who/boss")).code === 0);
    expect((await run("who", "who/boss")).out).toContain("\n       proclaims: 10.0.0.1:80\n");
    const { out } = await run("who", "who/boss", "--json");
    expect(JSON.parse(out)).toMatchObject({ proclaims: "10.0.0.1:80" });
    elect.signal("SIGTERM");
    await elect.ended;
  });

  test("is 1 when nobody holds it", async () => {
    const { code, out } = await run("who", "who/never");
    expect({ code, out }).toEqual({ code: 1, out: "who/never is free\n" });
  });

  test("shows the runs of a job that somebody has, by their ticks", async () => {
    const once = (...more: string[]) => start("once", "who/job", "--every", "24h", ...more);
    const run1 = once(
      "--owner",
      "cron@web1",
      "--",
      "sh",
      "-c",
      "echo runs $HOLDFAST_SLOT; sleep 100",
    );
    const slot = Number(await run1.printed(/runs (\d+)/));
    const tick = new Date(slot).toISOString().replace(".000Z", "Z");
    const name = `who/job/${String(slot).padStart(20, "0")}`;
    const { code, out } = await run("who", "who/job");
    expect(code).toBe(1);
    expect(out).toMatch(
      new RegExp(`^who/job is free\n\n.*\nTICK .*\n${tick} +\\d+ +\\d+ m?s +${name} +cron@web1\n$`),
    );
    const { runs } = JSON.parse((await run("who", "who/job", "--json")).out);
    expect(runs).toMatchObject([{ name, slot, tick, holders: [{ owner: "cron@web1" }] }]);
    expect((await run("who", name)).code).toBe(0);
    expect((await run("locks", "who/job")).out).toContain(`\n${name} (${tick}) `);
    run1.signal("SIGTERM");
    await run1.ended;
    expect((await run("who", "who/job")).out).toBe("who/job is free\n");
  });

  test("says why somebody waits in a line that is free, and who is to be next", async () => {
    await hold("who/both-a");
    const both = start("lock", "who/both-a", "who/both-b", "--owner", "cron@web2", "--", "true");
    await waiting("who/both-b", 1);
    expect((await run("who", "who/both-b")).out).toMatch(
      /^who\/both-b is free, 1 in line\n\n.*\n1st .* cron@web2\n {7}waits for other names of its/,
    );
    both.signal("SIGTERM");
    await both.ended;
    const chosen = start("lock", "who/both-a", "--owner", "cron@web3", "--", "true");
    await waiting("who/both-a", 1);
    const { waiters } = JSON.parse((await run("who", "who/both-a", "--json")).out);
    await run("yield", "who/both-a", "--to", waiters[0].key, ...BY_OPS);
    expect((await run("who", "who/both-a")).out).toContain(
      `asked to hand over to cron@web3 (token ${waiters[0].token}) by ops (deploy)`,
    );
    chosen.signal("SIGTERM");
    await chosen.ended;
  });

  test("shows readers and permits as such", async () => {
    for (const owner of ["r1", "r2"]) await hold("kinds/readers", { mode: "shared", owner });
    for (const owner of ["p1", "p2"]) await hold("kinds/permits", { permits: 3, owner });
    await hold("kinds/alone");
    expect((await run("who", "kinds/readers")).out).toMatch(
      /^kinds\/readers is held by 2 readers\n\nPLACE .*\nholds .* shared +r1\nholds .* shared +r2\n/,
    );
    expect((await run("who", "kinds/permits")).out).toMatch(
      /^kinds\/permits is held by 2 of at most 3\n/,
    );
    const { out } = await run("locks", "--prefix", "kinds/");
    expect(out).toMatch(/^NAME +TOKEN +SINCE +HELD BY +WAITING +OWNER\nkinds\/alone /);
    expect(out).toMatch(/\nkinds\/permits .* 2 of 3 +0 +p1\nkinds\/readers .* 2 shared +0 +r1\n$/);
    expect((await run("locks", "kinds/", "--prefix", "kinds/")).code).toBe(2);
    expect(await run("locks", "--prefix", "nothing/")).toMatchObject({
      ...{ code: 0, out: "", err: "holdfast: no locks\n" },
    });
    expect((await run("locks", "nothing/", "--json")).out).toBe("[]\n");
  });
});

describe("yield", () => {
  test("asks whoever holds it: CMD is told, and nothing ends by it", async () => {
    const script = "echo runs $$; sleep 100";
    const lock = start("lock", "yield/1", "--owner", "cron@web1", "--", "sh", "-c", script);
    const pid = Number(await lock.printed(/runs (\d+)/));
    const { code, out } = await run("yield", "yield/1", "--grace", "30s", ...BY_OPS);
    expect(code).toBe(0);
    expect(out).toMatch(/^asked cron@web1 \(token \d+, holds since \d+ m?s\)\n$/);
    await lock.said(/^holdfast: yield\/1: ops asks to hand over \(deploy\); \d+ s$/m);
    expect(lives(pid)).toBe(true);
    const json = JSON.parse((await run("yield", "yield/1", "--json")).out);
    expect(json).toMatchObject({ name: "yield/1", asked: [{ owner: "cron@web1" }] });
    lock.signal("SIGTERM");
    await lock.ended;
  });

  test("names who is to be next", async () => {
    const name = "yield/to";
    const held = await hold(name);
    const script = (place: number) => ["--", "sh", "-c", `echo runs ${place}; sleep 100`];
    const second = start("lock", name, ...script(2));
    await waiting(name, 1);
    const third = start("lock", name, ...script(3));
    await waiting(name, 2);
    const { waiters } = JSON.parse((await run("who", name, "--json")).out);
    expect((await run("yield", name, "--to", waiters[1].key, ...BY_OPS)).code).toBe(0);
    await release(name, held);
    await third.printed(/(runs 3)/);
    expect(second.out).toBe("");
    third.signal("SIGTERM");
    await second.printed(/(runs 2)/);
    second.signal("SIGTERM");
    await Promise.all([second.ended, third.ended]);
  });

  test("is 1 when nobody holds it, and 4 when nobody waits under that key", async () => {
    const nobody = await run("yield", "yield/never", ...BY_OPS);
    expect(nobody).toMatchObject({ code: 1, out: "" });
    expect(nobody.err).toBe("holdfast: nobody holds yield/never\n");
    await hold("yield/held");
    const wrong = await run("yield", "yield/held", "--to", "yield/held/1", ...BY_OPS);
    expect(wrong).toMatchObject({ code: 4, out: "" });
    expect(wrong.err).toBe(
      "holdfast: NOT_IN_LINE: --to: yield/held/1 does not wait for yield/held; " +
        "holdfast who yield/held --json shows the keys of those who do\n",
    );
  });
});

describe("break", () => {
  test("asks first, tells what it waits for, and ends when the holder hands over", async () => {
    const told = ["--yield-signal", "USR1", "--owner", "cron@web1"];
    const script = "trap 'exit 0' USR1; echo runs; while :; do sleep 0.05; done";
    const lock = start("lock", "break/asks", ...told, "--", "sh", "-c", script);
    await lock.printed(/(runs)/);
    const { code, out, err } = await run("break", "break/asks", ...BY_OPS);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^cron@web1: released.*, after \d+ m?s\n$/),
    });
    expect(err).toMatch(/^holdfast: asking cron@web1 \(token \d+, holds since \d+ m?s\) to hand/);
    expect(err).toMatch(/\nholdfast: waiting until .* in at most \d+ s\n/);
    expect((await lock.ended).code).toBe(0);
  });

  test("ends the grant of who does not, though it renews its lease: CMD is stopped with 121", async () => {
    const held = ["break/waits", "--ttl", "4s", "--owner", "cron@web1"];
    const lock = start("lock", ...held, "--", "sh", "-c", "echo runs; sleep 100");
    await lock.printed(/(runs)/);
    const { code, out } = await run("break", "break/waits", ...BY_OPS);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^cron@web1: broken by ops \(deploy\), after \d+ m?s\n$/),
    });
    expect((await lock.ended).code).toBe(121);
    expect(lock.err).toContain("ops asks to hand over (deploy)");
  });

  test("ends it at once when forced, and says how in JSON", async () => {
    const held = await hold("break/forced");
    const args = ["--token", String(held.token), "--force", "--json", ...BY_OPS];
    const { code, out, err } = await run("break", "break/forced", ...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      name: "break/forced",
      token: held.token,
      held: true,
      ended: { reason: "broken", by: "ops", why: "deploy" },
    });
    const lock = start("lock", "break/forced", "--", "sh", "-c", "echo runs; sleep 100");
    await lock.printed(/(runs)/);
    expect((await run("break", "break/forced", "--force", ...BY_OPS)).code).toBe(0);
    expect(await lock.ended).toMatchObject({
      code: 121,
      err: expect.stringContaining("the cluster says: broken by ops (deploy)"),
    });
    const again = await run("break", "break/forced", "--token", String(held.token), ...BY_OPS);
    expect(again.code).toBe(1);
    expect(again.out).toMatch(/^cron@web1: broken by ops \(deploy\), .* it had ended .* ago\n$/);
  });

  test("is 1 when nobody holds it, or never held with that token", async () => {
    const nobody = await run("break", "break/never", ...BY_OPS);
    expect(nobody).toMatchObject({ code: 1, out: "" });
    const never = await run("break", "break/never", "--token", "7", ...BY_OPS);
    expect(never).toMatchObject({ code: 1, out: "" });
    expect(never.err).toContain("NO_SUCH_GRANT");
  });

  test("is 4 when it is not clear whom, and names them", async () => {
    const one = await hold("break/several", { permits: 2, owner: "p1" });
    const two = await hold("break/several", { permits: 2, owner: "p2" });
    const several = await run("break", "break/several", ...BY_OPS);
    expect(several).toMatchObject({ code: 4, out: "" });
    expect(several.err).toContain(`--token: ${one.token} (p1), ${two.token} (p2)`);
    const token = ["--token", String(two.token), "--force"];
    expect((await run("break", "break/several", ...token, ...BY_OPS)).out).toMatch(/^p2: broken/);
    const r1 = await hold("break/readers", { mode: "shared", owner: "r1" });
    const r2 = await hold("break/readers", { mode: "shared", owner: "r2" });
    const readers = await run("break", "break/readers", ...BY_OPS);
    expect(readers).toMatchObject({ code: 4, out: "" });
    expect(readers.err).toContain("2 readers hold break/readers under one token");
    expect(readers.err).toContain(`--key: ${r1.key} (r1), ${r2.key} (r2)`);
    const key = ["--key", r2.key, "--force"];
    expect((await run("break", "break/readers", ...key, ...BY_OPS)).out).toMatch(/^r2: broken/);
    const left = JSON.parse((await run("who", "break/readers", "--json")).out);
    expect(left.holders).toMatchObject([{ key: r1.key }]);
    const other = await run("break", "break/several", "--key", r1.key, "--force", ...BY_OPS);
    expect(other).toMatchObject({ code: 4, out: "" });
    expect(other.err).toContain(`${r1.key} stands in another line than break/several`);
  });
});

test("wrong usage is 2, with a hint", async () => {
  const wrong = [
    ["who"],
    ["locks", "a", "b"],
    ["yield"],
    ["yield", "x", "--grace", "soon"],
    ["yield", "x", "--grace", "30"],
    ["yield", "x", "--grace", "25h"],
    ["who", "x", "--endpoints", ""],
    ["who", "x", "--endpoints", " , "],
    ["release", "x"],
    ["break", "x"],
    ["break", "x", "--reason", "r", "--token", "last"],
    ["break", "x", "--reason", "r", "--token", "1", "--key", "x/1"],
  ];
  const ends = await Promise.all(wrong.map(args => run(...args)));
  for (const [at, { code, out, err }] of ends.entries()) {
    expect({ args: wrong[at], code, out }).toEqual({ args: wrong[at], code: 2, out: "" });
    expect(err.length).toBeGreaterThan(10);
  }
});

test("with --json wrong usage is one JSON document too, and what is missed is named", async () => {
  const wrong = [
    ["who"],
    ["locks", "a", "--prefix", "a"],
    ["break", "x"],
    ["fly"],
    ["release", "x"],
  ];
  const ends = await Promise.all(wrong.map(args => run(...args, "--json")));
  for (const [at, { code, out }] of ends.entries()) {
    expect({ args: wrong[at], code }).toEqual({ args: wrong[at], code: 2 });
    expect(JSON.parse(out)).toMatchObject({ error: { code: "INVALID_PARAMETER" } });
  }
  expect(ends.at(-1)?.err).toMatch(/holdfast yield NAME, or holdfast break NAME/);
  expect(ends.at(-1)?.err).not.toMatch(/\blease\b/);
  for (const args of [["break"], ["once"], ["member", "add"]])
    expect((await run(...args, "--help")).out).toContain("(required)");
});

test("HOLDFAST_ENDPOINTS that is empty is as none; --endpoints that is empty is a mistake", async () => {
  const environment = { HOLDFAST_ENDPOINTS: "" };
  const unset = await holdfast(["who", "x", "--endpoints", endpoint()], { environment });
  expect(unset.code).toBe(1);
  const empty = await run("who", "x", "--endpoints", "");
  expect(empty.err).toContain("name at least one node");
});

test("without a cluster: 3 unreachable; 5 when the answer never came", async () => {
  const calls = [
    ["who", "x"],
    ["locks"],
    ["yield", "x"],
    ["break", "x", "--token", "1", "--force", "--reason", "r"],
  ];
  for (const args of calls) {
    const never = await holdfast([...args, "--timeout", "500ms"], { endpoints: "127.0.0.1:1" });
    expect({ args, code: never.code, out: never.out }).toEqual({ args, code: 3, out: "" });
  }
  const mute = await MuteNode.before(endpoint());
  try {
    const args = ["yield", "x", "--timeout", "500ms"];
    expect((await holdfast(args, { endpoints: mute.endpoint })).code).toBe(5);
  } finally {
    mute.close();
  }
});
