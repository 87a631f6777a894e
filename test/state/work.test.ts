/**
 * What one command or one read may cost a node: counted in records that are walked past, since a
 * clock would tell more of the machine that runs the test.
 */
import { afterEach, expect, test, vi } from "vitest";
import type { Command, CommandResult, TxnStep } from "../../src/state/index.js";
import { KeyMap } from "../../src/state/kv/key-map.js";
import { Driver } from "./driver.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const put = (key: string, value = ""): Command => ({ kind: "kv.put", key, value });
const code = (result: CommandResult) => (result.kind === "refused" ? result.code : result.kind);
const txn = (...success: TxnStep[]): Command => ({
  kind: "kv.txn",
  compare: [],
  success,
  failure: [],
});
const within = (prefix: string) => ({ span: { from: `${prefix}/`, to: `${prefix}0` } });

/** Counts what all scans of ordered maps visit while `run` runs. */
function visits(run: () => void): number {
  let seen = 0;
  for (const way of ["scan", "scanBackward"] as const) {
    const scan = KeyMap.prototype[way];
    vi.spyOn(KeyMap.prototype, way).mockImplementation(function (
      this: KeyMap<unknown>,
      from: string,
      to: string | null,
      visit: (key: string, value: unknown) => boolean,
    ) {
      scan.call(this, from, to, (key, value) => {
        seen++;
        return visit(key, value);
      });
    });
  }
  run();
  vi.restoreAllMocks();
  return seen;
}

function filled(driver: Driver, prefix: string, keys: number): void {
  const digits = (i: number) => String(i).padStart(6, "0");
  for (let done = 0; done < keys; done += 1_000) {
    const size = Math.min(1_000, keys - done);
    driver.apply(
      ...Array.from({ length: size }, (_, i) => ({
        command: put(`${prefix}/${digits(done + i)}`),
      })),
    );
  }
}

test("a transaction is refused at the step with which it changes too many keys, not at its end", () => {
  const driver = new Driver({ maxKeysPerCommand: 10 });
  for (let i = 0; i < 15; i++) filled(driver, `d${i}`, 10);
  const deletes = Array.from({ length: 15 }, (_, i) => ({ op: "delete", ...within(`d${i}`) }));
  const ranges = Array.from({ length: 113 }, () => ({
    op: "range",
    query: { span: { from: "d", to: "e" }, limit: 1 },
  }));
  const command = txn(...([...deletes, ...ranges] as TxnStep[]));
  const walked = visits(() => expect(code(driver.do(command))).toBe("TOO_MANY_KEYS"));
  expect(walked).toBeLessThan(30);
  expect(driver.machine.counters().keys).toBe(150);
});

test("a delete of entries stops at the first key too many that their leases carry", () => {
  const driver = new Driver({ maxKeysPerCommand: 10 });
  for (let i = 0; i < 9; i++) {
    const id = `b${i}`;
    driver.do({ kind: "lock.acquire", name: "m", lease: { id, ttlMs: 5_000 }, wait: true });
    for (let k = 0; k < 20; k++) {
      driver.do({ kind: "kv.put", key: `${id}/${k}`, value: "", lease: id });
    }
  }
  const get = vi.spyOn(KeyMap.prototype, "get");
  expect(code(driver.do({ kind: "kv.delete", ...within("m") }))).toBe("TOO_MANY_KEYS");
  expect(get.mock.calls.length).toBeLessThan(50);
  expect(driver.machine.counters()).toMatchObject({ keys: 9 * 21, leases: 9 });
});

test("steps that walk past what earlier steps deleted are counted, those elsewhere are not", () => {
  const driver = new Driver();
  filled(driver, "big", 9_000);
  filled(driver, "small", 100);
  const big = { op: "delete", ...within("big") } as const;
  const over = (prefix: string) =>
    ({ op: "range", query: { ...within(prefix), limit: 1 } }) as const;
  const many = (prefix: string) => Array.from({ length: 100 }, () => over(prefix));
  const hidden = txn(big, ...many("big"));
  const walked = visits(() => expect(code(driver.do(hidden))).toBe("TOO_MANY_KEYS"));
  expect(walked).toBeLessThan(500_000);
  const deletes = Array.from(
    { length: 20 },
    (_, i) => ({ op: "delete", span: { key: `small/0000${10 + i}` } }) as const,
  );
  expect(driver.do(txn(big, ...many("small"), ...deletes))).toMatchObject({ kind: "txn" });
  expect(driver.machine.counters().keys).toBe(80);
});

test("a read of one key in the past looks at nothing but the changes since, a range at its own keys", () => {
  const driver = new Driver();
  filled(driver, "a", 1_000);
  const { revision } = driver.machine;
  for (let i = 0; i < 2_000; i++) driver.do(put(`b/${i}`, "new"));
  driver.do(put("a/000001", "new"));
  const sets = vi.spyOn(KeyMap.prototype, "set");
  const had = vi.spyOn(Map.prototype, "set");
  expect(driver.machine.get("a/000001", revision)).toMatchObject({ record: { value: "" } });
  expect(driver.machine.get("b/1", revision)).toMatchObject({ record: null });
  expect(driver.machine.get("a/000002", revision)).toMatchObject({ record: { value: "" } });
  const one = { ...within("a/000001"), revision };
  const span = { key: "a/000001" };
  expect(driver.machine.range({ ...one, span })).toMatchObject({ count: 1 });
  expect(sets.mock.calls.length + had.mock.calls.length).toBeLessThan(10);
});

test("a range that must look at every record is refused when there are too many, now or in the past", () => {
  const driver = new Driver({ historyBytes: 1_000_000_000 });
  filled(driver, "k", 100_001);
  const all = { span: { from: "", to: null }, limit: 1 };
  expect(driver.machine.range(all)).toMatchObject({ count: 100_001 });
  const first = { span: { from: "", to: "k/100000" }, limit: 1 };
  for (const odd of [{ minModRevision: 5 }, { sortBy: "value" } as const]) {
    const refused = { code: "RESULT_TOO_LARGE", details: { limit: 100_000 } };
    const walked = visits(() =>
      expect(driver.machine.range({ ...all, ...odd })).toMatchObject(refused),
    );
    expect(walked).toBe(0);
    expect(driver.machine.range({ ...first, ...odd })).toMatchObject({ kind: "range" });
    expect(driver.machine.range({ ...first, ...odd, revision: 50_000 })).toMatchObject(refused);
  }
});

test("a range of the past over too many keys that changed since is refused, a part of it is not", () => {
  const driver = new Driver({ historyBytes: 1_000_000_000 });
  filled(driver, "k", 100_001);
  const { revision } = driver.machine;
  for (let i = 0; i <= 10; i++) {
    const from = `k/${String(i).padStart(2, "0")}`;
    const span = { from, to: `${from}:` };
    expect(driver.do({ kind: "kv.delete", span })).toMatchObject({ kind: "delete" });
  }
  const past = { limit: 1, revision };
  expect(driver.machine.range({ ...past, span: { from: "", to: null } })).toMatchObject({
    code: "RESULT_TOO_LARGE",
  });
  const part = { from: "", to: "k/100000" };
  expect(driver.machine.range({ ...past, span: part })).toMatchObject({ count: 100_000 });
});

test("who asks for a lock and keeps nobody waiting is not searched for among those who wait", () => {
  const driver = new Driver();
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  const ask = (name: string, actor: string) =>
    driver.do({ kind: "lock.acquire", name, lease: "a", actor, wait: true });
  ask("hot", "holder");
  for (let i = 0; i < 500; i++) {
    ask(`own-${i}`, `t${i}`);
    ask("hot", `t${i}`);
  }
  ask("mine", "asker");
  const get = vi.spyOn(KeyMap.prototype, "get");
  expect(ask("hot", "asker").kind).toBe("waiting");
  expect(get.mock.calls.length).toBeLessThan(20);
  ask("own-0", "late");
  expect(code(ask("own-0", "t1"))).toBe("waiting");
  expect(code(ask("own-1", "t0"))).toBe("DEADLOCK");
});

test("lines of one owner are looked for among so many holders at a time", () => {
  const driver = new Driver();
  const permits = 3_000;
  for (let line = 0; line < 8; line++) {
    const lease = `b${line}`;
    driver.do({ kind: "lease.grant", lease, ttlMs: 5_000, owner: line === 7 ? "me" : "other" });
    const name = `s/${line}`;
    const ask = { kind: "lock.acquire", name, lease, mode: "permit", permits, wait: true } as const;
    for (let i = 0; i < permits; i++) driver.do(ask);
  }
  const found: string[] = [];
  let reads = 0;
  for (let after: string | undefined = ""; after !== undefined; reads++) {
    const get = vi.spyOn(KeyMap.prototype, "get");
    const page = driver.machine.lines("s/", after, 100, "me");
    expect(get.mock.calls.length).toBeLessThan(20_000);
    vi.restoreAllMocks();
    found.push(...page.lines.map(({ name }) => name));
    after = page.next;
  }
  expect(found).toEqual(["s/7"]);
  expect(reads).toBeGreaterThan(1);
});
