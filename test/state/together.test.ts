/** Ways to take turns together: several names, readers, rules and runs, where they meet. */
import { expect, test } from "vitest";
import type { Command, CommandResult, RequestIdentity } from "../../src/state/index.js";
import { Driver, restored } from "./driver.js";

const code = (result: CommandResult) => (result.kind === "refused" ? result.code : result.kind);

function sessions(driver: Driver, ...leases: string[]): Driver {
  for (const lease of leases) driver.do({ kind: "lease.grant", lease, ttlMs: 60_000 });
  return driver;
}

function acquire(driver: Driver, name: string, lease: string, more: Partial<Command> = {}) {
  const command = { kind: "lock.acquire", name, lease, wait: true, ...more } as Command;
  return driver.do(command);
}

function keyOf(result: CommandResult): string {
  if (result.kind === "granted") return result.grant.key;
  if (result.kind === "waiting") return result.key;
  throw new Error(`expected a place in line, got ${JSON.stringify(result)}`);
}

function snapshotBytes(driver: Driver): number {
  const view = driver.machine.snapshot();
  let bytes = 0;
  for (let slice = view.next(65_536); slice !== null; slice = view.next(65_536))
    bytes += slice.length;
  return bytes;
}

const manyNames = (bytes: number): string[] =>
  Array.from({ length: 64 }, (_, at) => `${"n".repeat(bytes - 2)}${at + 10}`);

test("who stands first and waits for its other names leads nowhere", () => {
  const driver = sessions(new Driver(), "a", "b");
  acquire(driver, "x", "a");
  const both = acquire(driver, "elect", "b", { names: ["elect", "x"] });
  expect(both.kind).toBe("waiting");
  expect(driver.machine.head("elect")).toBeUndefined();
  driver.do({ kind: "lock.release", grant: { name: "x", token: 2 } });
  expect(driver.machine.head("elect")).toMatchObject({ key: keyOf(both), lease: "b" });
});

test("what so many names cost grows with their number, and not with its square", () => {
  for (const bytes of [40, 4_000]) {
    const driver = sessions(new Driver(), "a");
    const before = driver.machine.counters();
    const names = manyNames(bytes);
    acquire(driver, names[0] ?? "", "a", { names });
    const after = driver.machine.counters();
    // Its key in its record and in the list of all, the first one's key in each.
    const most = 64 * (4 * (bytes + 21) + 700);
    expect(after.stateBytes - before.stateBytes).toBeLessThan(most);
    expect(after.historyBytes - before.historyBytes).toBeLessThan(most);
    expect(snapshotBytes(driver)).toBeLessThan(2 * most);
    const copy = new Driver();
    copy.machine = restored(driver.machine, 10_000);
    expect(copy.machine.hash()).toBe(driver.machine.hash());
    // All of them go, whichever is named.
    const last = copy.machine.inspect(names[63] ?? "", 1).holders[0]?.key ?? "";
    expect(code(copy.do({ kind: "lock.release", grant: { key: last } }))).toBe("released");
    expect(copy.machine.counters().entries).toBe(0);
  }
});

test("kept answers that name many count for what they name", () => {
  const driver = sessions(new Driver(), "a");
  const names = manyNames(4_000);
  for (let number = 1; number <= 4; number++) {
    const request: RequestIdentity = { client: "00000000000000c1", number, low: 1 };
    const command = { kind: "lock.acquire", name: names[0] ?? "", names, lease: "a", wait: false };
    const grant = { key: keyOf(driver.do(command as Command, request)) };
    expect(code(driver.do({ kind: "lock.release", grant }))).toBe("released");
  }
  // Their names and their keys, four times; nothing else is left of them.
  expect(driver.machine.counters().stateBytes).toBeGreaterThan(4 * 64 * 2 * 4_000);
});

test("the keys of all who were asked count in the answer that is kept", () => {
  const driver = sessions(new Driver(), "a");
  const name = "s".repeat(400);
  for (let i = 0; i < 300; i++) acquire(driver, name, "a", { mode: "permit", permits: 400 });
  const yields: Command = { kind: "lock.yield", grant: { name }, graceMs: 0 };
  driver.do(yields);
  const before = driver.machine.counters().stateBytes;
  const answer = driver.do(yields, { client: "00000000000000c1", number: 1, low: 1 });
  const keys = answer.kind === "yieldAsked" ? answer.keys : [];
  expect(keys).toHaveLength(300);
  const kept = driver.machine.counters().stateBytes - before;
  // Or, being too large for that, it is not kept at all.
  const isKept = code(driver.do(yields, { client: "00000000000000c1", number: 1, low: 1 }));
  expect(isKept).toBe("REQUEST_EXPIRED");
  expect(kept).toBeLessThan(1_000);
});

test("more holders than can be asked by one command are refused, not half asked", () => {
  const driver = sessions(new Driver(), "a");
  const limit = driver.machine.limits.maxMovesPerCommand;
  const more = { mode: "permit", permits: limit + 2 } as const;
  for (let i = 0; i < limit; i++) acquire(driver, "s", "a", more);
  const yields: Command = { kind: "lock.yield", grant: { name: "s" }, graceMs: 0 };
  expect(driver.do(yields)).toMatchObject({ kind: "yieldAsked" });
  acquire(driver, "s", "a", more);
  expect(driver.do(yields)).toMatchObject({ code: "TOO_MANY_KEYS", details: { limit } });
});

test("a reader's token names no one reader, also while another one's end keeps the line shut", () => {
  const driver = sessions(new Driver(), "a", "b");
  driver.do({ kind: "lock.configure", name: "r", lockDelayMs: 10_000 });
  const first = acquire(driver, "r", "a", { mode: "shared" });
  const second = acquire(driver, "r", "b", { mode: "shared" });
  driver.do({ kind: "lease.expire", leases: ["a"], asOfIndex: 1_000 });
  const token = first.kind === "granted" ? first.grant.token : 0;
  const breaks: Command = { kind: "lock.break", grant: { name: "r", token } };
  expect(code(driver.do(breaks))).toBe("AMBIGUOUS_GRANT");
  expect(driver.machine.check({ key: keyOf(second) })).toMatchObject({ held: true });
  // When nobody else holds, it is clear what is meant.
  driver.do({ kind: "lock.release", grant: { key: keyOf(second) } });
  expect(driver.do(breaks)).toMatchObject({ kind: "broken", broken: true });
  expect(driver.machine.inspect("r", 1).holderCount).toBe(0);
});

test("a run is claimed by the rule of its line", () => {
  const driver = sessions(new Driver(), "a", "b");
  const claim = (slot: number): Command => ({
    kind: "slot.claim",
    job: "job",
    slot,
    lease: "a",
    onAbandon: "reclaim",
  });
  const line = (slot: number): string => `job/${String(slot).padStart(20, "0")}`;
  driver.do({ kind: "lock.configure", name: line(5), permits: 2 });
  expect(code(driver.do(claim(5)))).toBe("RULE_MISMATCH");
  driver.do({ kind: "lock.configure", name: line(6), maxHoldMs: 1_000 });
  const held = driver.do(claim(6));
  driver.nowMs += 1_000;
  driver.do({ kind: "kv.put", key: "k", value: "" });
  expect(driver.machine.check({ key: keyOf(held) })).toMatchObject({ reason: "overdue" });
});

test("finishing what readers share is refused by the name that all operations have for it", () => {
  const driver = sessions(new Driver(), "a");
  const reader = acquire(driver, "r", "a", { mode: "shared" });
  const token = reader.kind === "granted" ? reader.grant.token : 0;
  const grant = { name: "r", token };
  const finish: Command = { kind: "slot.finish", grant, outcome: "done" };
  expect(code(driver.do(finish))).toBe("AMBIGUOUS_GRANT");
});

test("who only waited is no news of a lock", () => {
  const driver = sessions(new Driver(), "a", "b");
  const held = keyOf(acquire(driver, "m", "a"));
  for (let i = 0; i < 20; i++)
    driver.do({ kind: "lock.cancel", key: keyOf(acquire(driver, "m", "b")) });
  driver.do({ kind: "lock.release", grant: { key: held } });
  expect(driver.machine.inspect("m", 1).recent.map(({ key }) => key)).toEqual([held]);
  expect(restored(driver.machine, 1_000).inspect("m", 1).recent).toHaveLength(1);
});

test("an entry of the first format closes circles, as those who wrote it did", () => {
  const driver = sessions(new Driver(), "a", "b");
  acquire(driver, "A", "a", { actor: "t" });
  acquire(driver, "B", "b", { actor: "t" });
  acquire(driver, "B", "a", { actor: "t" });
  const closing = { kind: "lock.acquire", name: "A", lease: "b", wait: true, actor: "t" } as const;
  expect(code(driver.do(closing))).toBe("DEADLOCK");
  const old = driver.entry([{ command: closing }]);
  old[0] = 1;
  driver.applyBytes(old);
  expect(driver.recorder.take().at(-1)).toMatchObject({ result: { kind: "waiting" } });
});

test("no clock of a leader puts an end beyond what can be counted", () => {
  const driver = sessions(new Driver(), "a");
  driver.do({ kind: "lock.configure", name: "m", maxHoldMs: 60_000 });
  driver.wallAheadMs = 0;
  driver.nowMs = Number.MAX_SAFE_INTEGER;
  expect(acquire(driver, "m", "a").kind).toBe("granted");
  expect(restored(driver.machine, 1_000).hash()).toBe(driver.machine.hash());
});
