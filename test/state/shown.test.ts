/** What answers show of what callers made long: bounded in bytes, and told as cut. */
import { describe, expect, test } from "vitest";
import type { AcquireCommand, Labels } from "../../src/state/command/command.js";
import { Driver } from "./driver.js";

const SHORT = { maxRangeBytes: 5_000 };
/** About a thousand bytes of labels: four such entries fill an answer. */
const LONG = labelsOf(8, 56);

function labelsOf(name: number, value: number): Labels {
  const labels = Array.from({ length: 16 }, (_, i) => String(i).padStart(name, "l"));
  return Object.fromEntries(labels.map(label => [label, "x".repeat(value)]));
}

function permit(name: string, permits: number, id: string, wait = true): AcquireCommand {
  const lease = { id, ttlMs: 5_000 };
  return { kind: "lock.acquire", name, mode: "permit", permits, lease, labels: LONG, wait };
}

let nextLease = 0;
function crowd(driver: Driver, name: string, entries: number, permits: number): void {
  for (let i = 0; i < entries; i++) {
    nextLease += 1;
    const { kind } = driver.do(permit(name, permits, `a${nextLease.toString(16)}`));
    expect(kind).toMatch(/^(granted|waiting)$/);
  }
}

describe("a line", () => {
  test("shows its holders first, then who waits, as far as an answer's bytes go", () => {
    const driver = new Driver(SHORT);
    crowd(driver, "pool", 8, 2);
    const { holders, holderCount, waiters, waiterCount } = driver.machine.inspect("pool", 100);
    expect([holders.length, holderCount]).toEqual([2, 2]);
    expect([waiters.length, waiterCount]).toEqual([2, 6]);
  });

  test("whose holders alone are too many bytes shows the first of them, and nothing else", () => {
    const driver = new Driver(SHORT);
    crowd(driver, "pool", 8, 6);
    const { holders, holderCount, waiters, waiterCount } = driver.machine.inspect("pool", 100);
    expect([holders.length, holderCount]).toEqual([4, 6]);
    expect([waiters.length, waiterCount]).toEqual([0, 2]);
    expect(holders[0]?.token).toBe(2);
  });

  test("shows one of its holders, whatever the bytes", () => {
    const driver = new Driver({ maxRangeBytes: 10 });
    crowd(driver, "pool", 3, 2);
    const { holders, waiters } = driver.machine.inspect("pool", 100);
    expect([holders.length, waiters.length]).toEqual([1, 0]);
  });

  test("shows its last ends and then its stray keys behind all who stand in it", () => {
    const driver = new Driver(SHORT);
    for (let i = 0; i < 10; i++)
      driver.do({ kind: "kv.put", key: `pool/${i}${"k".repeat(500)}`, value: "" });
    for (const lease of ["b1", "b2", "b3"]) {
      driver.do(permit("pool", 1, lease));
      driver.do({ kind: "lease.revoke", lease });
    }
    const shown = () => {
      const { holders, waiters, recent, ignored } = driver.machine.inspect("pool", 100);
      return [holders, waiters, recent, ignored].map(list => list.length);
    };
    expect(shown()).toEqual([0, 0, 3, 9]);
    crowd(driver, "pool", 2, 1);
    expect(shown()).toEqual([1, 1, 3, 4]);
    crowd(driver, "pool", 3, 1);
    expect(shown()).toEqual([1, 3, 0, 0]);
  });
});

describe("lists stop when an answer's bytes are full, say so, and go on from there", () => {
  test("of lines", () => {
    const driver = new Driver(SHORT);
    for (const name of ["a", "b", "c", "d", "e"]) crowd(driver, name, 2, 2);
    const pages: string[] = [];
    for (let after: string | undefined = ""; after !== undefined; ) {
      const { lines, more, next } = driver.machine.lines("", after, 100);
      expect(more).toBe(next !== undefined);
      pages.push(lines.map(({ name }) => name).join(""));
      after = next;
    }
    expect(pages).toEqual(["ab", "cd", "e"]);
  });

  test("of lines that an owner holds", () => {
    const driver = new Driver({ maxRangeBytes: 10 });
    for (const [i, owner] of ["me", "you", "me", "you"].entries()) {
      const lease = { id: `a${i}`, ttlMs: 5_000 };
      driver.do({ kind: "lock.acquire", name: `l${i}`, lease, owner, wait: false });
    }
    const first = driver.machine.lines("", "", 100, "me");
    expect(first).toMatchObject({ lines: [{ name: "l0" }], more: true, next: "l1" });
    const second = driver.machine.lines("", "l1", 100, "me");
    expect(second).toMatchObject({ lines: [{ name: "l2" }], more: false });
  });

  test("of leases", () => {
    const driver = new Driver(SHORT);
    for (const lease of ["a", "b", "c", "d", "e", "f"])
      driver.do({ kind: "lease.grant", lease, ttlMs: 5_000, labels: LONG });
    const shown = (after: string) => {
      const { leases, more } = driver.machine.leases(after, 100);
      return [leases.map(({ lease }) => lease.id).join(""), more];
    };
    expect([shown(""), shown("d")]).toEqual([
      ["abcd", true],
      ["ef", false],
    ]);
    const narrow = new Driver({ maxRangeBytes: 10 });
    for (const lease of ["a", "b"]) narrow.do({ kind: "lease.grant", lease, ttlMs: 5_000 });
    expect(narrow.machine.leases("", 100)).toMatchObject({ leases: [{}], more: true });
  });
});

test("a lease with many long keys shows the first of them, and tells how many it carries", () => {
  const driver = new Driver(SHORT);
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  for (let i = 0; i < 9; i++)
    driver.do({ kind: "kv.put", key: `${i}${"k".repeat(1_000)}`, value: "", lease: "a" });
  const { keys, keyCount } = driver.machine.listLeaseKeys("a");
  expect([keys.map(key => key[0]).join(""), keyCount]).toEqual(["0123", 9]);
});

describe("whoever asked in vain is shown at most 32 KiB of those who hold", () => {
  /** Five such entries are less than that, ten are more. */
  const owned = { owner: "o".repeat(256), labels: labelsOf(64, 256) };
  const holdAll = (driver: Driver): AcquireCommand => {
    driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000, ...owned });
    const { labels: _own, ...acquire } = { ...permit("pool", 10, "a", false), lease: "a" };
    for (let i = 0; i < 10; i++) expect(driver.do(acquire).kind).toBe("granted");
    return acquire;
  };

  test("at once", () => {
    const driver = new Driver();
    const refused = driver.do(holdAll(driver));
    const details = { position: 1, holders: Array(5).fill(owned) };
    expect(refused).toMatchObject({ code: "LOCK_HELD", details });
  });

  test("or when the wait is over", () => {
    const driver = new Driver();
    driver.do({ ...holdAll(driver), wait: true });
    const key = driver.machine.inspect("pool", 1).waiters[0]?.key ?? "";
    const holders = Array(5).fill(owned);
    expect(driver.do({ kind: "lock.cancel", key })).toMatchObject({ kind: "cancelled", holders });
  });
});
