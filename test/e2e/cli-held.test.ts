/** `holdfast lock` and `elect`: CMD, what it gets, and every exit code but that of a loss. */
import { spawn, spawnSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { endAll, Holdfast, holdfast, PROGRAM } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import { lives } from "./cli/processes.js";
import { Cluster } from "./harness/cluster.js";
import { until } from "./harness/until.js";

let cluster: Cluster;
const endpoint = (): string => cluster.endpoints[0] ?? "";
const start = (...args: string[]) => new Holdfast(args, { endpoints: endpoint() });
const run = (...args: string[]) => start(...args).ended;
const shell = (name: string, script: string) => ["lock", name, "--", "sh", "-c", script];

interface Line {
  readonly holders: readonly { readonly token: number; readonly owner: string }[];
  readonly waiters: readonly unknown[];
  readonly recent: readonly { readonly reason: string; readonly token: number }[];
}

async function line(name: string): Promise<Line> {
  const answer = await cluster.nodes[0]?.post("/v1/lock/inspect", { name });
  return answer?.body as unknown as Line;
}

/** Holds the lock until `release`. */
async function hold(name: string): Promise<{ token: number; release(): Promise<unknown> }> {
  const node = cluster.nodes[0];
  const taken = await node?.post("/v1/lock/acquire", { name, ttlMs: 60_000, owner: "cron@web2" });
  const token = Number(taken?.body.token);
  return { token, release: async () => node?.post("/v1/lock/release", { name, token }) };
}

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

describe("CMD", () => {
  test("gets name, key and token of what is held, and its input and output are its own", async () => {
    const script = "cat; env | grep ^HOLDFAST_[LF] | sort; echo to-stderr >&2";
    const args = shell("env/1", script);
    const { code, out, err } = await holdfast(args, { endpoints: endpoint(), input: "in\n" });
    const { recent } = await line("env/1");
    const token = recent[0]?.token;
    expect({ code, out, err }).toEqual({
      code: 0,
      out: [
        "in",
        `HOLDFAST_FENCING_TOKEN=${token}`,
        `HOLDFAST_LOCK_KEY=env/1/${String(token).padStart(20, "0")}`,
        "HOLDFAST_LOCK_NAME=env/1\n",
      ].join("\n"),
      err: "to-stderr\n",
    });
    expect(recent[0]?.reason).toBe("released");
  });

  test.each([
    ["its own exit code", "exit 7", 7],
    ["even if that is one of ours", "exit 121", 121],
    ["128 + signal when a signal killed it", "kill -9 $$", 137],
  ])("decides the exit code: %s", async (_what, script, code) => {
    expect((await run(...shell("code", script))).code).toBe(code);
    expect((await line("code")).holders).toEqual([]);
  });

  test("gets the signals that holdfast gets", async () => {
    const script = 'trap "echo usr1" USR1; trap "echo term; exit 3" TERM; echo ready; ';
    const lock = start(...shell("signals", `${script} while :; do sleep 0.05; done`));
    await lock.printed(/(ready)/);
    lock.signal("SIGUSR1");
    await lock.printed(/(usr1)/);
    lock.signal("SIGTERM");
    expect(await lock.ended).toMatchObject({ code: 3, out: "ready\nusr1\nterm\n" });
  });

  test("takes its children along when it is interrupted", async () => {
    const lock = start(...shell("group", "sleep 100 & echo pid $!; wait"));
    const grandchild = Number(await lock.printed(/pid (\d+)/));
    lock.signal("SIGINT");
    lock.signal("SIGTERM"); // what runs in a shell's background ignores SIGINT
    expect((await lock.ended).code).toBeGreaterThan(128);
    await until("the grandchild to end", () => !lives(grandchild));
  });

  test("that cannot be found is 127, one that cannot be executed 126, and the lock is given back", async () => {
    const notFound = await run("lock", "start", "--", "no-such-command");
    expect(notFound).toMatchObject({ code: 127 });
    expect(notFound.err).toMatch(/no-such-command: command not found/);
    // The last two are no events of the child process: they are thrown.
    for (const program of ["/etc/passwd", "/etc/passwd/x", "x".repeat(5_000)]) {
      const { code, err } = await run("lock", "start", "--", program);
      expect({ code, isTrace: /^ +at /m.test(err) }).toEqual({ code: 126, isTrace: false });
    }
    const { holders, recent } = await line("start");
    expect([holders.length, ...recent.map(({ reason }) => reason)]).toEqual([
      0,
      ...Array(4).fill("released"),
    ]);
  });
});

describe("waiting", () => {
  test("tells who holds it, since when, and the place in line", async () => {
    const { release } = await hold("wait/1");
    const first = start(...shell("wait/1", "echo first"));
    await first.said(/^holdfast: wait\/1: held by cron@web2 since \d+ m?s; you are 1st$/m);
    const second = start("lock", "wait/1", "--owner", "me", "--json", "--", "echo", "second");
    await second.said(/"event":"waiting"/);
    await release();
    expect(await first.ended).toMatchObject({ code: 0, out: "first\n" });
    const { code, out, err } = await second.ended;
    expect({ code, out }).toEqual({ code: 0, out: "second\n" });
    const events = err
      .trim()
      .split("\n")
      .map(text => JSON.parse(text));
    expect(events[0]).toMatchObject({ event: "waiting", name: "wait/1", position: 2 });
    expect(events.at(-1)).toMatchObject({ event: "granted", token: expect.any(Number) });
  });

  test("shows people who it is: user@host:pid, unless told", async () => {
    const lock = start(...shell("owner", "echo held; sleep 100"));
    await lock.printed(/(held)/);
    const { holders } = await line("owner");
    expect(holders[0]?.owner).toMatch(new RegExp(`^.+@.+:${lock.pid}$`));
    const who = await run("who", "owner");
    expect(who.code).toBe(0);
    expect(who.out).toMatch(/^owner is held\n\nPLACE {2}TOKEN .*\nholds .*@/);
    expect((await run("locks", "own")).out).toMatch(/^NAME {3}TOKEN .*\nowner {2}\d+ /);
    expect(JSON.parse((await run("locks", "own", "--json")).out)).toMatchObject([
      { name: "owner", waiterCount: 0 },
    ]);
    lock.signal("SIGTERM");
    expect((await lock.ended).code).toBe(143);
    expect((await run("who", "owner")).out).toMatch(/^owner is free\n\nENDED .*\n.* released\n$/);
  });

  test("ends with 120 when it is held, or the wait is over, or with -E's code", async () => {
    const { release } = await hold("held");
    const tried = await run("lock", "held", "--try", "--", "echo", "never");
    expect(tried).toMatchObject({ code: 120, out: "" });
    expect(tried.err).toMatch(
      /held: not acquired: held by cron@web2 since \d+ m?s; you would have been 1st in line$/m,
    );
    const waited = await run("lock", "held", "--wait", "50ms", "--", "echo", "never");
    expect(waited).toMatchObject({ code: 120, err: expect.stringMatching(/; you were 1st$/m) });
    expect((await run("lock", "held", "--try", "-E", "9", "--", "echo", "never")).code).toBe(9);
    expect((await line("held")).waiters).toEqual([]);
    await release();
  });

  test("tells how many hold, where several may, and that nobody does, where it is shut", async () => {
    const [node] = cluster.nodes;
    for (const owner of ["p1", "p2"])
      await node?.post("/v1/lock/acquire", { name: "wait/2", permits: 2, ttlMs: 60_000, owner });
    const third = start("lock", "wait/2", "--permits", "2", "--", "true");
    await third.said(/^holdfast: wait\/2: held by p1 and 1 more since \d+ m?s; you are 1st$/m);
    const name = "wait/shut";
    await node?.post("/v1/lock/configure", { name, lockDelayMs: 60_000 });
    await node?.post("/v1/lock/acquire", { name, ttlMs: 1_000, owner: "backup@db1" });
    await until("the line to be shut", async () => (await run("who", name)).code === 1);
    const shut = start("lock", name, "--", "true");
    const told = "shut for \\d+ s after backup@db1's lease ran out; you";
    await shut.said(new RegExp(`^holdfast: wait/shut: ${told} are 1st$`, "m"));
    for (const one of [third, shut]) {
      one.signal("SIGTERM");
      expect((await one.ended).code).toBe(143);
    }
    const tried = await run("lock", name, "--try", "--", "true");
    expect(tried.err).toMatch(
      new RegExp(`not acquired: ${told} would have been 1st in line$`, "m"),
    );
    expect((await run("locks", name)).out).toMatch(/ nobody, shut for \d+ s +0 +backup@db1\n$/);
  });

  test("goes on when no node answers, and says so after a while", async () => {
    const own = await Cluster.start(1);
    try {
      const [node] = own.nodes;
      const body = { name: "gone", ttlMs: 60_000, owner: "cron@web2" };
      const taken = await node?.post("/v1/lock/acquire", body);
      const endpoints = own.endpoints.join(",");
      const lock = new Holdfast(["lock", "gone", "--", "echo", "ran"], { endpoints });
      await lock.said(/you are 1st/);
      await node?.kill();
      await lock.said(/^holdfast: gone: no node answers \(http:.*\); still waiting$/m);
      node?.start();
      await lock.said(/still waiting\n(.*\n)*holdfast: gone: held by cron@web2 since/);
      await node?.post("/v1/lock/release", { name: "gone", token: taken?.body.token });
      const { code, out, err } = await lock.ended;
      expect({ code, out }).toEqual({ code: 0, out: "ran\n" });
      expect(err.match(/still waiting/g)).toHaveLength(1);
    } finally {
      await own.close();
    }
  }, 60_000);

  test("is given up on a signal, and so is the place in line", async () => {
    const { release } = await hold("given-up");
    const lock = start(...shell("given-up", "echo never"));
    await lock.said(/you are 1st/);
    lock.signal("SIGTERM");
    expect(await lock.ended).toMatchObject({ code: 143, out: "" });
    expect((await line("given-up")).waiters).toEqual([]);
    await release();
  });
});

test("a signal that comes between the grant and CMD's start gives the lock back", async () => {
  const lock = start("lock", "early", "--json", "--", "sleep", "100");
  await lock.said(/"event":"granted"/);
  lock.signal("SIGTERM");
  expect(await lock.ended).toMatchObject({ code: 143 });
  expect(await line("early")).toMatchObject({ holders: [], recent: [{ reason: "released" }] });
});

test("elect runs CMD while it leads, with its proclamation for all to read", async () => {
  const script = "echo token $HOLDFAST_FENCING_TOKEN; sleep 100";
  const elect = start("elect", "boss", "--value", "10.0.0.1:80", "--", "sh", "-c", script);
  const token = Number(await elect.printed(/token (\d+)/));
  const led = await cluster.nodes[0]?.post("/v1/election/leader", { name: "boss" });
  expect(led?.body).toMatchObject({ leader: { value: "10.0.0.1:80", token } });
  elect.signal("SIGTERM");
  expect((await elect.ended).code).toBe(143);
  expect(await line("boss")).toMatchObject({ holders: [], recent: [{ token }] });
});

describe("without a cluster", () => {
  const never = ["--timeout", "800ms", "--", "echo", "never"];

  test("nobody can be reached: 123, and CMD is not started", async () => {
    const ended = await holdfast(["lock", "x", ...never], { endpoints: "127.0.0.1:1" });
    expect(ended).toMatchObject({ code: 123, out: "" });
  });

  test("the answer never came: 122, and CMD is not started", async () => {
    // Of its lease it hears: without one it asks for no lock.
    const mute = await MuteNode.before(endpoint(), 1);
    try {
      const ended = await holdfast(["lock", "x", "--try", ...never], { endpoints: mute.endpoint });
      expect(ended).toMatchObject({ code: 122, out: "" });
    } finally {
      mute.close();
    }
  });
});

test("own failures are 125, with a hint", async () => {
  const wrong = [
    ["lock"],
    ["lock", "x"],
    ["lock", "x", "x", "--", "true"],
    ["lock", "x", "y", "--shared", "--", "true"],
    ["lock", "x", "y", "--permits", "2", "--", "true"],
    ["lock", "x", "--shared", "--permits", "2", "--", "true"],
    ["lock", "x", "--permits", "0", "--", "true"],
    ["lock", "x", "--yield-signal", "SIGKILL", "--", "true"],
    ["lock", "x", "--wait", "1s", "--try", "--", "true"],
    ["lock", "x", "-E", "300", "--", "true"],
    ["lock", "x", "--ttl", "1ms", "--", "true"],
    ["lock", "x", "--ttl", "10000", "--", "true"],
    ["lock", "x", "--wait", "30", "--", "true"],
    ["lock", "x", "--endpoints", "http://host:port", "--", "true"],
    ["lock", "x", "--endpoints", "", "--", "true"],
    ["elect", "x", "--"],
  ];
  const all = await Promise.all(wrong.map(args => run(...args)));
  for (const [at, { code, out, err }] of all.entries()) {
    expect({ args: wrong[at], code, out }).toEqual({ args: wrong[at], code: 125, out: "" });
    expect(err).not.toMatch(/^ +at /m); // no stack trace
    expect(err.length).toBeGreaterThan(10);
  }
});

test("with --json each failure is one JSON line on stderr, in HTTP's form too", async () => {
  const end = ["--json", "--", "echo", "never"];
  await holdfast(["lock", "json/permits", "--permits", "2", "--", "true"], {
    endpoints: endpoint(),
  });
  const holder = start(
    "lock",
    "json/permits",
    "--permits",
    "2",
    ...["--", "sh", "-c"],
    "echo in; sleep 100",
  );
  await holder.printed(/(in)/);
  const calls: readonly (readonly [args: string[], code: number, error: string])[] = [
    [["lock", "json/permits", ...end], 125, "RULE_MISMATCH"],
    [["lock", "x", "--permits", "0", ...end], 125, "INVALID_PARAMETER"],
    [["lock", "x", "--json"], 125, "INVALID_PARAMETER"],
    [["lock", "x", "--ttl", "10ms", ...end], 125, "INVALID_PARAMETER"],
    [["elect", ...end], 125, "INVALID_PARAMETER"],
    [["once", "x", ...end], 125, "INVALID_PARAMETER"],
    [["lock", "x", "--endpoints", "http://host:port", ...end], 125, "INVALID_PARAMETER"],
    [
      ["elect", "x", "--endpoints", "127.0.0.1:1", "--timeout", "300ms", ...end],
      123,
      "UNAVAILABLE",
    ],
  ];
  const ends = await Promise.all(calls.map(([args]) => run(...args)));
  for (const [at, { code, out, err }] of ends.entries()) {
    const [args, expected, error] = calls[at] ?? [];
    expect({ args, code, out }).toEqual({ args, code: expected, out: "" });
    expect(JSON.parse(err)).toMatchObject({ event: "failed", error: { code: error } });
  }
  expect(ends[0]?.err).toContain("ask with --permits 2");
  expect(ends[3]?.err).toMatch(/--ttl .* it must be between 1s and 24h/);
  holder.signal("SIGTERM");
  await holder.ended;
});

test("with a terminal CMD stays in the terminal's job, reads from it, and Ctrl-C reaches it", async () => {
  const script = 'echo reads; read line < /dev/tty; echo "read $line"; exec sleep 100';
  const quoted = shell("tty", script).map(word => `'${word}'`);
  const command = `'${process.execPath}' '${PROGRAM}' ${quoted.join(" ")}`;
  const terminal = spawn("script", ["-qefc", command, "/dev/null"], {
    env: { ...process.env, HOLDFAST_ENDPOINTS: endpoint() },
  });
  let shown = "";
  terminal.stdout.on("data", (piece: Buffer) => {
    shown += piece.toString();
  });
  let code: number | null | undefined;
  terminal.once("exit", exitCode => {
    code = exitCode;
  });
  await until("CMD to read", () => shown.includes("reads"));
  terminal.stdin.write("typed\n");
  await until("CMD to have read", () => shown.includes("read typed"));
  terminal.stdin.write("\u0003");
  try {
    await until("all of it to end", () => code !== undefined);
  } catch (error) {
    const { stdout } = spawnSync("ps", ["-eo", "pid,ppid,pgid,tpgid,stat,args"]);
    throw new Error(`${shown}\n${stdout}`, { cause: error });
  } finally {
    terminal.kill("SIGKILL");
  }
  expect(code).toBe(130);
  expect(shown).not.toContain("holdfast: ");
  expect(await line("tty")).toMatchObject({ holders: [], recent: [{ reason: "released" }] });
}, 90_000);

test("nobody who reads stderr is no reason to end CMD", async () => {
  const { release } = await hold("unread");
  const lock = spawn(process.execPath, [PROGRAM, ...shell("unread", "exit 7")], {
    env: { ...process.env, HOLDFAST_ENDPOINTS: endpoint() },
    stdio: ["ignore", "ignore", "pipe"],
  });
  lock.stderr.destroy();
  const ended = new Promise<number | null>(resolve => lock.once("exit", resolve));
  await until("it to wait", async () => (await line("unread")).waiters.length === 1);
  await release();
  expect(await ended).toBe(7);
});

test("a failed release keeps CMD's exit code, and says so", async () => {
  const own = await Cluster.start(1);
  try {
    const script = `kill -9 ${own.nodes[0]?.pid}; exit 6`;
    const args = ["lock", "x", "--timeout", "500ms", "--", "sh", "-c", script];
    const { code, err } = await holdfast(args, { endpoints: own.endpoints[0] ?? "" });
    expect(code).toBe(6);
    expect(err).toMatch(/^holdfast: x: the release failed \(.*\); it ends with its lease$/m);
  } finally {
    await own.close();
  }
});

test("the command itself can be executed", () => {
  expect(spawnSync(PROGRAM, ["--version"], { encoding: "utf8" }).status).toBe(0);
});
