/** Bounds: past each there is a named error at once, and nothing is half done. */
import { ERRORS, type ErrorCode } from "holdfast-protocol";
import { expect, test } from "vitest";
import type { Command, CommandResult, TxnStep } from "../../src/state/index.js";
import { Driver, restored } from "./driver.js";

const put = (key: string, value: string, lease?: string): Command => ({
  kind: "kv.put",
  key,
  value,
  ...(lease === undefined ? {} : { lease }),
});
const own = (name: string, id: string, wait = true): Command => ({
  kind: "lock.acquire",
  name,
  lease: { id, ttlMs: 5_000 },
  wait,
});
const code = (result: CommandResult) => (result.kind === "refused" ? result.code : result.kind);

test("a full state refuses what grows, while deletes, releases and ends of leases work", () => {
  const driver = new Driver({ maxStateBytes: 4_000 });
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  expect(code(driver.do(own("m", "b1")))).toBe("granted");
  expect(code(driver.do(own("m", "b2")))).toBe("waiting");
  let i = 0;
  while (code(driver.do(put(`k${i}`, "x".repeat(100), "a"))) === "put") i++;
  const grows: Command[] = [
    put("new", "x".repeat(100)),
    put("k0", "x".repeat(300), "a"),
    { kind: "kv.append", prefix: "p", value: "x".repeat(100) },
    own("m", "b3"),
    own("other", "b3"),
    { kind: "lease.grant", lease: "c", ttlMs: 5_000, owner: "x".repeat(200) },
    {
      kind: "kv.txn",
      compare: [],
      success: [{ op: "put", key: "t", value: "x".repeat(100) }],
      failure: [],
    },
    { kind: "election.proclaim", grant: { name: "m", lease: "b1" }, value: "x".repeat(300) },
  ];
  const hash = driver.machine.revision;
  for (const each of grows) expect(code(driver.do(each)), JSON.stringify(each)).toBe("STATE_FULL");
  expect(driver.machine.revision).toBe(hash);
  expect(code(driver.do(put("k0", "less", "a")))).toBe("put");
  expect(code(driver.do({ kind: "lock.release", grant: { name: "m", token: 2 } }))).toBe(
    "released",
  );
  expect(code(driver.do({ kind: "lock.cancel", key: "m/00000000000000000003" }))).toBe("granted");
  expect(code(driver.do({ kind: "kv.delete", span: { key: "k1" } }))).toBe("delete");
  expect(code(driver.do({ kind: "lease.revoke", lease: "a" }))).toBe("leaseRevoked");
  expect(code(driver.do(put("new", "x".repeat(100))))).toBe("put");
});

test("what was refused for want of room stays refused under its id, also once there is room", () => {
  for (const identity of [
    { client: "00000000000000aa", number: 1, low: 1 },
    { key: "idem", fingerprint: "f" },
  ]) {
    const driver = new Driver({ maxStateBytes: 900 });
    driver.do(put("a", "x".repeat(200)));
    expect(code(driver.do(put("b", "x".repeat(500)), identity))).toBe("STATE_FULL");
    driver.do({ kind: "kv.delete", span: { key: "a" } });
    driver.do({ kind: "system.configure", maxStateBytes: 100_000 });
    // A second copy, which went through another node and was slow.
    expect(code(driver.do(put("b", "x".repeat(500)), identity))).toBe("STATE_FULL");
    expect(code(driver.do(put("b", "x".repeat(500))))).toBe("put");
  }
});

test("the count of bytes comes back to zero when everything is gone", () => {
  const driver = new Driver();
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000, owner: "me", labels: { x: "y" } });
  driver.do(put("k", "value", "a"));
  driver.do(put("k", "longer value", "a"));
  driver.do(own("m", "b1"));
  driver.do(own("m", "b2"), { client: "00000000000000aa", number: 1, low: 1 });
  driver.do(own("n", "b3"), { key: "idem", fingerprint: "f" });
  driver.do({ kind: "lease.expire", leases: ["a", "b1", "b2", "b3"], asOfIndex: 100 });
  expect(driver.machine.counters()).toMatchObject({ keys: 0, leases: 0, entries: 0 });
  driver.nowMs = 600_001;
  driver.apply();
  expect(driver.machine.counters()).toMatchObject({
    stateBytes: 0,
    requestClients: 0,
    idempotencyKeys: 0,
    lines: 0,
  });
});

test("what a waiter gets with its grant counts, so that a restored node counts the same", () => {
  const driver = new Driver();
  const reader = (id: string): Command => ({ ...own("m", id), mode: "shared" }) as Command;
  driver.do({ kind: "lock.configure", name: "bounded", maxHoldMs: 1_000 });
  for (const id of ["b1", "b2"]) driver.do(own("bounded", id));
  driver.do(own("m", "c1"));
  for (const id of ["c2", "c3"]) driver.do(reader(id));
  for (const lease of ["b1", "c1"]) driver.do({ kind: "lease.revoke", lease });
  expect(restored(driver.machine, 1_000).counters()).toEqual(driver.machine.counters());
});

test("labels of entries count in the state's bytes, and all that an entry shows in history's", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 16 }, (_, i) => [`label-${i}`.padEnd(64, "."), "v".repeat(256)]),
  );
  const grown = (shown: { labels?: typeof labels; owner?: string; actor?: string }) => {
    const driver = new Driver();
    driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
    const before = driver.machine.counters();
    driver.do({ kind: "lock.acquire", name: "m", lease: "a", wait: true, ...shown });
    const after = driver.machine.counters();
    expect(restored(driver.machine, 1_000).counters()).toEqual(after);
    return [after.stateBytes - before.stateBytes, after.historyBytes - before.historyBytes];
  };
  const [state = 0, history = 0] = grown({});
  expect(grown({ labels })).toEqual([state + 16 * 320, history + 16 * 320]);
  const shown = { owner: "o".repeat(256), actor: "a".repeat(200) };
  expect(grown(shown)).toEqual([state + 456, history + 456]);
});

test("an entry that says nothing of itself shows what its lease says, and counts it", () => {
  const driver = new Driver();
  const labels = { version: "2" };
  driver.do({ kind: "lease.grant", lease: "a1", ttlMs: 5_000, owner: "me", labels });
  const acquire = { kind: "lock.acquire", lease: "a1", wait: true } as const;
  driver.do({ ...acquire, name: "m" });
  driver.do({ ...acquire, name: "own", owner: "you", labels: { version: "3" } });
  driver.do({ kind: "slot.claim", job: "j", slot: 5, lease: "a1", onAbandon: "reclaim" });
  driver.do(put("etcd/a1", "", "a1"));
  const shown = (name: string) => driver.machine.inspect(name, 10).holders[0];
  const slot = `j/${"5".padStart(20, "0")}`;
  for (const name of ["m", slot, "etcd"])
    expect(shown(name)).toMatchObject({ owner: "me", labels });
  expect(shown("own")).toMatchObject({ owner: "you", labels: { version: "3" } });
  const again = restored(driver.machine, 1_000);
  expect(again.counters()).toEqual(driver.machine.counters());
  expect(again.inspect("m", 10).holders[0]).toMatchObject({ owner: "me", labels });
});

test("one command changes at most so many keys, and a lease carries at most so many", () => {
  const driver = new Driver({ maxKeysPerCommand: 5, maxKeysPerLease: 4 });
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  for (let i = 0; i < 4; i++) expect(code(driver.do(put(`l${i}`, "", "a")))).toBe("put");
  expect(code(driver.do(put("l4", "", "a")))).toBe("LEASE_FULL");
  expect(code(driver.do(put("l3", "again", "a")))).toBe("put");
  for (let i = 0; i < 6; i++) driver.do(put(`k${i}`, ""));
  const all = { from: "k", to: "l" };
  expect(code(driver.do({ kind: "kv.delete", span: all }))).toBe("TOO_MANY_KEYS");
  expect(driver.machine.counters().keys).toBe(10);
  driver.do({ kind: "kv.delete", span: { key: "k0" } });
  expect(code(driver.do({ kind: "kv.delete", span: all }))).toBe("delete");
  // The keys of leases that would end count as well.
  driver.do(own("m", "b"));
  for (let i = 0; i < 3; i++) driver.do(put(`x${i}`, "", "b"));
  driver.do(put("m/y", ""));
  driver.do(put("m/z", ""));
  expect(code(driver.do({ kind: "kv.delete", span: { from: "m/", to: "m0" } }))).toBe(
    "TOO_MANY_KEYS",
  );
});

test("a transaction may put a key on a full lease in the place of one that it takes off", () => {
  const driver = new Driver({ maxKeysPerLease: 3 });
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  for (let i = 0; i < 3; i++) driver.do(put(`l${i}`, "", "a"));
  const txn = (...success: TxnStep[]) =>
    code(driver.do({ kind: "kv.txn", compare: [], success, failure: [] }));
  const more = (key: string) => ({ op: "put", key, value: "", lease: "a" }) as const;
  const off = (key: string) => ({ op: "put", key, value: "" }) as const;
  const gone = (key: string) => ({ op: "delete", span: { key } }) as const;
  expect(txn(more("n0"))).toBe("LEASE_FULL");
  expect(txn(gone("l0"), more("n0"))).toBe("txn");
  expect(txn(off("l1"), more("n1"))).toBe("txn");
  expect(txn(gone("l2"), more("n2"), more("n3"))).toBe("LEASE_FULL");
  expect(driver.machine.leaseKeys("a", 10)).toEqual(["l2", "n0", "n1"]);
});

test("lines are counted while someone stands in them, not while they are remembered", () => {
  const driver = new Driver();
  driver.do(own("m", "b1"));
  driver.do(own("m", "b2"));
  driver.do(own("n", "b3"));
  expect(restored(driver.machine, 100).counters()).toMatchObject({ lines: 2, entries: 3 });
  driver.do({ kind: "lease.expire", leases: ["b1", "b3"], asOfIndex: 100 });
  for (const machine of [driver.machine, restored(driver.machine, 100)]) {
    expect(machine.counters()).toMatchObject({ lines: 1, entries: 1 });
    expect(machine.lines("", "", 10).lines).toMatchObject([{ name: "m" }]);
  }
});

test("expiring leases stops before the command changes too many keys, but ends at least one", () => {
  const driver = new Driver({ maxKeysPerCommand: 5, maxKeysPerLease: 10 });
  for (const lease of ["a", "b", "c"]) {
    driver.do({ kind: "lease.grant", lease, ttlMs: 5_000 });
    for (let i = 0; i < 3; i++) driver.do(put(`${lease}${i}`, "", lease));
  }
  const expire = { kind: "lease.expire", leases: ["a", "b", "c"], asOfIndex: 100 } as const;
  expect(driver.do(expire)).toMatchObject({ count: 1 });
  expect(driver.do(expire)).toMatchObject({ count: 1 });
  expect(driver.do(expire)).toMatchObject({ count: 1 });
  expect(driver.do(expire)).toMatchObject({ count: 0 });
});

test("too long a key, value, name, owner or transaction is refused by name", () => {
  const driver = new Driver();
  const long = "k".repeat(5_000);
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  expect(code(driver.do(put(long, "")))).toBe("KEY_TOO_LARGE");
  expect(code(driver.do(put("k", "v".repeat(1_048_577))))).toBe("VALUE_TOO_LARGE");
  expect(code(driver.do(own(long, "b")))).toBe("KEY_TOO_LARGE");
  expect(
    code(driver.do({ kind: "lock.acquire", name: "m", lease: "a", wait: true, owner: long })),
  ).toBe("INVALID_PARAMETER");
  const steps = Array.from(
    { length: 129 },
    (_, i) => ({ op: "put", key: `t${i}`, value: "" }) as const,
  );
  expect(code(driver.do({ kind: "kv.txn", compare: [], success: steps, failure: [] }))).toBe(
    "INVALID_PARAMETER",
  );
  expect(
    code(driver.do({ kind: "kv.txn", compare: [], success: steps.slice(1), failure: [] })),
  ).toBe("txn");
});

test("a client's window drops its oldest answers, but never those of entries that stand in line", () => {
  const driver = new Driver({ requestWindowPerClient: 8 });
  const from = (number: number) => ({ client: "00000000000000aa", number, low: 1 });
  driver.do(own("m", "b1"));
  expect(code(driver.do(own("m", "b2"), from(1)))).toBe("waiting");
  for (let i = 2; i <= 12; i++) driver.do(put("k", String(i)), from(i));
  expect(code(driver.do(put("k", "2"), from(2)))).toBe("REQUEST_EXPIRED");
  expect(code(driver.do(own("m", "b3"), from(1)))).toBe("waiting");
  expect(code(driver.do(put("k", "12"), from(12)))).toBe("put");
  driver.do({ kind: "lock.release", grant: { name: "m", token: 2 } });
  expect(code(driver.do(own("m", "b3"), from(1)))).toBe("granted");
});

test("full tables of requests refuse new ones and drop none early", () => {
  const driver = new Driver({ maxIdempotencyKeys: 2, maxRequestClients: 2 });
  const key = (name: string) => ({ key: name, fingerprint: "f" });
  const client = (name: string) => ({ client: name.padStart(16, "0"), number: 1, low: 1 });
  driver.do(put("a", ""), key("1"));
  driver.do(put("a", ""), key("2"));
  expect(code(driver.do(put("a", ""), key("3")))).toBe("IDEMPOTENCY_FULL");
  expect(code(driver.do(put("a", ""), key("1")))).toBe("put");
  driver.do(put("a", ""), client("1"));
  driver.do(put("a", ""), client("2"));
  expect(code(driver.do(put("a", ""), client("3")))).toBe("REQUESTS_FULL");
  driver.nowMs = 700_000;
  expect(code(driver.do(put("a", ""), key("3")))).toBe("put");
  expect(code(driver.do(put("a", ""), client("3")))).toBe("put");
});

test("a copy that found the tables full is not the last word: a slower one may find room", () => {
  const driver = new Driver({ maxIdempotencyKeys: 1, maxRequestClients: 1 });
  const ids = [
    (name: string) => ({ key: name, fingerprint: "f" }),
    (name: string) => ({ client: name.padStart(16, "0"), number: 1, low: 1 }),
  ];
  for (const id of ids) {
    driver.do(put("k", ""), id("a"));
    const full = code(driver.do(put("k", "late"), id("b")));
    driver.nowMs += 700_000;
    expect(code(driver.do(put("k", "late"), id("b")))).toBe("put");
    expect(ERRORS[full as ErrorCode]).toMatchObject({ retryable: true, outcome: "unknown" });
  }
});

test("what is forgotten is told as forgotten, what never was as never", () => {
  const driver = new Driver({ endedEntriesKept: 2, endedLeasesKept: 2 });
  for (let i = 0; i < 5; i++) {
    driver.do(own("m", `b${i}`));
    driver.do({ kind: "lock.release", grant: { name: "m", token: driver.machine.revision } });
  }
  const release = (token: number): Command => ({
    kind: "lock.release",
    grant: { name: "m", token },
  });
  expect(driver.do(release(2))).toMatchObject({ released: false, ended: { reason: "forgotten" } });
  expect(driver.do(release(10))).toMatchObject({ released: false, ended: { reason: "released" } });
  expect(code(driver.do(release(11)))).toBe("NO_SUCH_GRANT");
  expect(driver.machine.endedLease("b0")).toBe(undefined);
  expect(driver.machine.endedLease("b4")).toBe("released");
});

test("a key that no entry can have never was a grant, whatever was forgotten and whoever holds", () => {
  const driver = new Driver({ endedEntriesKept: 1 });
  for (let i = 0; i < 3; i++) {
    driver.do(own("jobs", `b${i}`));
    driver.do({ kind: "lock.release", grant: { name: "jobs", token: driver.machine.revision } });
  }
  driver.do(own("jobs", "c"));
  const token = driver.machine.revision;
  const zeros = "0".repeat(20);
  for (const key of [
    "jobsX",
    "jobs",
    "/c0de",
    "",
    "jobs/C0DE",
    "jobs/0c",
    "jobs/x",
    `jobs/${zeros}`,
  ]) {
    const standing = driver.machine.check({ key });
    expect([key, standing]).toMatchObject([key, { held: false, reason: "never" }]);
    expect(code(driver.do({ kind: "lock.release", grant: { key } }))).toBe("NO_SUCH_GRANT");
    expect(code(driver.do({ kind: "lock.cancel", key }))).toBe("NO_SUCH_GRANT");
    const isOfLine = key.startsWith("jobs/");
    expect([key, "currentToken" in standing && standing.currentToken]).toEqual([
      key,
      isOfLine ? token : false,
    ]);
  }
  for (const key of ["jobs/c0de", `jobs/${"2".padStart(20, "0")}`]) {
    expect(driver.machine.check({ key })).toMatchObject({ held: false, reason: "forgotten" });
  }
});

test("pages of a range, in both orders, give every key once and always the same count", () => {
  const driver = new Driver();
  for (let i = 0; i < 25; i++) driver.do(put(`p/${String(i).padStart(2, "0")}`, String(i % 3)));
  const { revision } = driver.machine;
  for (let i = 0; i < 25; i += 2)
    driver.do({ kind: "kv.delete", span: { key: `p/${String(i).padStart(2, "0")}` } });
  driver.do(put("p/new", ""));
  const pages = (descending: boolean, at?: number) => {
    const seen: string[] = [];
    let more = true;
    while (more) {
      const last = seen.at(-1);
      const page = driver.machine.range({
        span: { from: "p/", to: "p0" },
        limit: 4,
        descending,
        ...(last === undefined ? {} : { after: last }),
        ...(at === undefined ? {} : { revision: at }),
      });
      if (page.kind !== "range") throw new Error(page.code);
      expect(page.count).toBe(at === undefined ? 13 : 25);
      seen.push(...page.records.map(r => r.key));
      more = page.more;
    }
    return seen;
  };
  expect(pages(false).length).toBe(13);
  expect(pages(true)).toEqual(pages(false).reverse());
  expect(pages(false, revision).length).toBe(25);
  expect(pages(true, revision)).toEqual(pages(false, revision).reverse());
  const odd = { span: { from: "p/", to: "p0" }, minModRevision: 25 };
  expect(driver.machine.range({ ...odd, limit: 1 })).toMatchObject({ count: 2, more: true });
  expect(driver.machine.range({ ...odd, countOnly: true })).toMatchObject({
    count: 2,
    records: [],
  });
  const sorted = driver.machine.range({
    span: { from: "p/", to: "p0" },
    sortBy: "modRevision",
    descending: true,
    limit: 1,
  });
  expect(sorted).toMatchObject({ records: [{ key: "p/new" }], count: 13, more: true });
});
