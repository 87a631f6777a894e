/** The command line, by itself: the keyspace, leases, lists and the cluster; exit codes 0 to 6. */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { endAll, Holdfast, holdfast, type RunOptions } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import { Cluster } from "./harness/cluster.js";

let cluster: Cluster;
const run = (...args: string[]) => holdfast(args, { endpoints: cluster.endpoints.join(",") });
const runWith = (options: RunOptions, ...args: string[]) =>
  holdfast(args, { endpoints: cluster.endpoints.join(","), ...options });

beforeAll(async () => {
  cluster = await Cluster.start(1);
});
afterEach(endAll);
afterAll(() => cluster.close());

describe("keys", () => {
  test("are written, read, listed and deleted", async () => {
    expect(await run("put", "a/1", "one")).toMatchObject({ code: 0, out: /^created at/ });
    expect((await run("put", "a/1", "two")).out).toMatch(/^updated at revision \d+\n$/);
    await run("put", "a/2", "2");
    expect(await run("get", "a/1")).toMatchObject({ code: 0, out: "two" });
    const listed = await run("range", "a/");
    expect(listed.out).toMatch(/^KEY {2}REVISION {2}VALUE\na\/1 {2}\d+ +two\na\/2 {2}\d+ +2\n$/);
    expect((await run("range", "a/", "--keys-only")).out).toBe("a/1\na/2\n");
    expect(await run("del", "a/1")).toMatchObject({ code: 0, out: "deleted\n" });
    expect(await run("del", "a/", "--prefix", "--json")).toMatchObject({ out: '{"deleted":1}\n' });
  });

  test("come back as the bytes that went in", async () => {
    const bytes = Buffer.from([0x00, 0xff, 0x0a, 0x80, 0x0d]);
    expect((await runWith({ input: bytes }, "put", "bytes", "-")).code).toBe(0);
    expect((await run("get", "bytes")).outBytes.equals(bytes)).toBe(true);
    const { out } = await run("get", "bytes", "--json");
    expect(JSON.parse(out)).toMatchObject({ key: "bytes", valueBase64: bytes.toString("base64") });
  });

  test("may look like options", async () => {
    expect((await run("put", "--", "-k", "-v")).code).toBe(0);
    expect((await run("get", "--", "-k")).out).toBe("-v");
  });

  test("that are not there are a negative answer, told on stderr", async () => {
    const found = await run("get", "nowhere");
    expect(found).toMatchObject({ code: 1, out: "" });
    expect(found.err).toBe("holdfast: no such key: nowhere\n");
    expect(await run("get", "nowhere", "--json")).toMatchObject({ code: 1, out: "null\n" });
    expect(await run("del", "nowhere")).toMatchObject({ code: 1, out: "" });
  });

  test("are written on a condition, or not: 1", async () => {
    expect((await run("put", "c", "1", "--if-absent")).code).toBe(0);
    expect((await run("put", "c", "2", "--if-absent")).code).toBe(1);
    expect((await run("put", "c", "2", "--if-revision", "1")).code).toBe(1);
    expect((await run("put", "c", "2", "--if-exists")).code).toBe(0);
    expect((await run("put", "c", "3", "--held-by", "free", "--token", "1")).code).toBe(1);
    expect((await run("get", "c")).out).toBe("2");
  });

  test("are followed from a revision on, until Ctrl-C", async () => {
    const { revision } = JSON.parse((await run("put", "w/1", "x", "--json")).out);
    await run("del", "w/1");
    const args = ["watch", "w/", "--prefix", "--from", String(revision)];
    const endpoints = cluster.endpoints.join(",");
    const people = new Holdfast(args, { endpoints });
    const programs = new Holdfast([...args, "--json"], { endpoints });
    await people.printed(/(deleted)/);
    await programs.printed(/(delete)/);
    for (const one of [people, programs]) one.signal("SIGINT");
    const end = revision + 1;
    expect(await people.ended).toMatchObject({
      code: 0,
      out: `${revision} put w/1 x\n${end} deleted w/1\n`,
    });
    const changes = (await programs.ended).out
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(changes).toMatchObject([
      { kind: "put", revision, key: "w/1", value: "x" },
      { kind: "delete", revision: end, cause: "deleted", key: "w/1" },
    ]);
  });
});

describe("transactions", () => {
  const txn = (asked: unknown) => runWith({ input: JSON.stringify(asked) }, "txn");

  test("take one branch or the other, and the exit code tells which", async () => {
    const asked = {
      compare: [{ key: "t", target: "version", op: "=", to: 0 }],
      success: [{ put: { key: "t", valueBase64: "/wA=" } }],
      failure: [{ range: { key: "t" } }],
    };
    const first = await txn(asked);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.out)).toMatchObject({ succeeded: true });
    const second = await txn(asked);
    expect(second.code).toBe(1);
    expect(JSON.parse(second.out)).toMatchObject({
      succeeded: false,
      results: [{ range: { records: [{ key: "t", valueBase64: "/wA=" }] } }],
    });
  });

  test("that are no JSON are usage errors; those that make no sense are refused by name", async () => {
    expect((await runWith({ input: "{" }, "txn")).code).toBe(2);
    expect((await run("txn", "/nowhere")).code).toBe(2);
    const refused = await txn({ sucess: [] });
    expect(refused.code).toBe(4);
    expect(refused.err).toMatch(/sucess/);
  });
});

test("a lease is granted, shown, kept, and ends with its keys", async () => {
  const { code, out } = await run("lease", "grant", "60s", "--owner", "me");
  const lease = out.trim();
  expect({ code, lease }).toEqual({ code: 0, lease: expect.stringMatching(/^[0-9a-f]+$/) });
  expect((await run("put", "leased", "x", "--lease", lease)).code).toBe(0);
  expect((await run("lease", "get", lease)).out).toMatch(
    / has 5\d s of 60 s, of me\n {2}leased\n$/,
  );
  expect((await run("lease", "keepalive", lease)).out).toMatch(/ has \d+ s\n$/);
  expect((await run("lease", "list")).out).toMatch(/^LEASE .*\n.* 60 s +5\d s +1 +me\n$/);
  const listed = JSON.parse((await run("lease", "list", "--json")).out);
  expect(listed).toMatchObject([{ lease, ttlMs: 60_000, keyCount: 1, owner: "me" }]);
  expect(await run("lease", "revoke", lease)).toMatchObject({ code: 0, out: "revoked\n" });
  expect((await run("lease", "revoke", lease)).code).toBe(1);
  expect((await run("lease", "get", lease)).code).toBe(1);
  expect((await run("lease", "keepalive", lease)).code).toBe(1);
  expect((await run("get", "leased")).code).toBe(1);
});

test("the cluster's members are shown to people and to programs", async () => {
  const [node] = cluster.nodes;
  const status = await run("status");
  expect(status.code).toBe(0);
  expect(status.out).toMatch(/^NAME {2}ENDPOINT .*\nn1 .* leader /);
  expect(JSON.parse((await run("status", "--json")).out)).toMatchObject([
    { endpoint: node?.url, name: "n1", state: "ready" },
  ]);
  expect((await run("member", "list")).out).toMatch(/^NAME {2}ID .*\nn1 .* voter /);
  expect(JSON.parse((await run("member", "list", "--json")).out)).toMatchObject([
    { name: "n1", role: "voter" },
  ]);
});

test("every member that can be reached is shown when others cannot", async () => {
  const half = await Cluster.plan(3);
  try {
    half.nodes[0]?.start();
    const endpoints = half.endpoints.join(",");
    const shown = await holdfast(["status", "--timeout", "10s"], { endpoints });
    expect({ code: shown.code, out: shown.out }).toMatchObject({
      code: 3,
      out: expect.stringMatching(/\nn1 .* no-quorum .*\nn2 .* not seen yet\n.*\nn1 waits for /),
    });
    const put = await holdfast(["put", "a", "b", "--timeout", "500ms"], { endpoints });
    expect(put).toMatchObject({ code: 3, out: "" });
  } finally {
    await half.close();
  }
});

describe("exit codes", () => {
  test("2 for a usage error, with a hint", async () => {
    const wrong = [
      [],
      ["fly"],
      ["put"],
      ["put", "a", "b", "--if-absent", "--if-exists"],
      ["put", "a", "b", "--held-by", "x"],
      ["get", "a", "--bogus"],
      ["get", "a", "--timeout", "soon"],
      ["get", "a", "--endpoints", "http://host:port"],
      ["lease"],
      ["lease", "grant", "5x"],
      ["dev", "--port", "many"],
      ["serve", "--bogus"],
    ];
    const all = await Promise.all(wrong.map(args => run(...args)));
    for (const [at, { code, out, err }] of all.entries()) {
      expect({ args: wrong[at], code, out }).toEqual({ args: wrong[at], code: 2, out: "" });
      expect(err).not.toMatch(/^ +at /m); // no stack trace
      expect(err.length).toBeGreaterThan(10);
    }
  });

  test("0 when help or the version is asked for", async () => {
    const asked = [["--help"], ["lock", "--help"], ["serve", "--help"], ["--version"]];
    const all = await Promise.all(asked.map(args => run(...args)));
    expect(all.map(({ code, err }) => ({ code, err }))).toEqual(
      all.map(() => ({ code: 0, err: "" })),
    );
    const [help, lock, serve, version] = all.map(({ out }) => out);
    expect(help).toMatch(/^Usage: holdfast /);
    expect(lock).toMatch(/121 lost/);
    expect(serve).toMatch(/--initial-cluster-token/);
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("3 when nobody can be reached", async () => {
    const args = ["put", "a", "b", "--timeout", "300ms", "--json"];
    const { code, out, err } = await holdfast(args, { endpoints: "127.0.0.1:1" });
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "UNAVAILABLE" } });
    expect(err).toMatch(/ECONNREFUSED 127\.0\.0\.1:1/);
  });

  test("4 when it is refused", async () => {
    const { code, err } = await run("put", "", "x");
    expect({ code, err }).toEqual({ code: 4, err: expect.stringMatching(/key must not be empty/) });
    expect((await run("lease", "grant", "1ms")).code).toBe(4);
  });

  test("5 when the answer never came, and whether it happened is unknown", async () => {
    const mute = await MuteNode.before(cluster.endpoints[0] ?? "");
    try {
      const args = ["put", "doubtful", "x", "--timeout", "800ms", "--json"];
      const { code, out } = await holdfast(args, { endpoints: mute.endpoint });
      expect(code).toBe(5);
      expect(JSON.parse(out)).toMatchObject({ error: { outcome: "unknown" } });
    } finally {
      mute.close();
    }
    expect((await run("get", "doubtful")).out).toBe("x"); // it did happen
  });

  const full = "/dev/full";
  test.skipIf(!existsSync(full))("6 when the output cannot be written: no answer", async () => {
    await run("put", "there", "x");
    const asked = [
      ["get", "there"],
      ["get", "nowhere", "--json"],
      ["put", "there", "y"],
      ["range", "there", "--json"],
      ["status"],
    ];
    const all = await Promise.all(asked.map(args => runWith({ outTo: full }, ...args)));
    for (const { code, err } of all) {
      expect(code).toBe(6);
      expect(err).toMatch(/^holdfast: cannot write the output: ENOSPC: .*\n$/);
    }
    expect((await run("get", "there")).out).toBe("y"); // what was asked for was done
    // What CMD writes, and what becomes of it, is CMD's affair.
    const work = ["lock", "l", "--", "sh", "-c", "echo x 2>/dev/null; exit 7"];
    expect(await runWith({ outTo: full }, ...work)).toMatchObject({ code: 7, err: "" });
  });
});
