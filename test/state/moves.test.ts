/** Those who were passed, and have another key than the one with which they came. */
import { expect, test } from "vitest";
import { Driver, restored } from "./driver.js";

/** The key that an acquire of line "L" made. */
function join(driver: Driver, lease: string): string {
  const result = driver.do({ kind: "lock.acquire", name: "L", lease, wait: true });
  if (result.kind === "granted") return result.grant.key;
  if (result.kind === "waiting") return result.key;
  throw new Error(`expected a place in line, got ${JSON.stringify(result)}`);
}

/** Whoever holds hands over to who comes last, `times` in turn: the keys of the one passed. */
function pass(driver: Driver, times: number): string[] {
  let holder = join(driver, "b");
  const keys = [join(driver, "a")];
  for (let i = 0; i < times; i++) {
    const to = join(driver, "b");
    const events = driver.apply({ command: { kind: "lock.handOver", grant: { key: holder }, to } });
    for (const event of events) if (event.event === "moved") keys.push(event.move.newKey);
    holder = to;
  }
  return keys;
}

function twoSessions(): Driver {
  const driver = new Driver();
  for (const lease of ["a", "b"]) driver.do({ kind: "lease.grant", lease, ttlMs: 5_000 });
  return driver;
}

test("one who was passed 12,000 times is found by any of its keys, and so is its end", () => {
  const driver = twoSessions();
  const keys = pass(driver, 12_000);
  expect(keys).toHaveLength(12_001);
  const [first = "", second = ""] = keys;
  const last = keys.at(-1) ?? "";
  for (const key of [first, second, last])
    expect(driver.machine.entry(key)).toMatchObject({ kind: "waiting", key: last });
  expect(driver.do({ kind: "lock.cancel", key: second })).toMatchObject({ kind: "cancelled" });
  for (const key of [first, second, last])
    expect(driver.machine.entry(key)).toMatchObject({ kind: "entryEnded", reason: "cancelled" });
});

test("a node that was restored speaks alike of a passed entry whose end keeps the line shut", () => {
  const driver = twoSessions();
  driver.do({ kind: "lock.configure", name: "L", lockDelayMs: 1_000 });
  const [first = "", ...later] = pass(driver, 1);
  const [held = ""] = later;
  driver.do({ kind: "lease.revoke", lease: "b" });
  expect(driver.machine.entry(first)).toMatchObject({ kind: "granted", grant: { key: held } });
  driver.do({ kind: "lease.expire", leases: ["a"], asOfIndex: 1_000 });
  const other = new Driver();
  other.machine = restored(driver.machine, 100_000);
  const cancel = { kind: "lock.cancel", key: first } as const;
  const said = driver.do(cancel);
  expect(said).toMatchObject({ kind: "entryEnded", reason: "expired" });
  expect(other.do(cancel)).toEqual(said);
});
