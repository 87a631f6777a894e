/** Lines of many: each step costs about the same, however long the line. */
import { expect, test } from "vitest";
import { Driver, restored } from "./driver.js";

test("10,000 waiters of one line are granted in the order in which they came, cancels apart", () => {
  const driver = new Driver();
  const waiters = 10_000;
  const keys: string[] = [];
  driver.do({ kind: "lease.grant", lease: "f", ttlMs: 5_000 });
  for (let i = 0; i < waiters; i++) {
    const lease = i % 2 === 0 ? { id: (i + 4096).toString(16), ttlMs: 5_000 } : "f";
    const result = driver.do({ kind: "lock.acquire", name: "hot", lease, wait: true });
    if (result.kind === "waiting") expect(result.position).toBe(i);
    keys.push(
      result.kind === "waiting" ? result.key : result.kind === "granted" ? result.grant.key : "",
    );
  }
  const cancelled = new Set<string>();
  for (let i = 3; i < waiters; i += 7) {
    const key = keys[i] ?? "";
    expect(driver.do({ kind: "lock.cancel", key }).kind).toBe("cancelled");
    cancelled.add(key);
  }
  expect(driver.machine.inspect("hot", 3).waiterCount).toBe(waiters - 1 - cancelled.size);
  driver.machine = restored(driver.machine, 100_000);
  const order: string[] = [keys[0] ?? ""];
  for (let key = keys[0]; key !== undefined; ) {
    const events = driver.apply({ command: { kind: "lock.release", grant: { key } } });
    const granted = events.find(event => event.event === "granted");
    key = granted?.event === "granted" ? granted.grant.key : undefined;
    if (key !== undefined) order.push(key);
  }
  expect(order).toEqual(keys.filter(key => !cancelled.has(key)));
  expect(driver.machine.counters().entries).toBe(0);
});

test("a quiet watcher far behind is led through the window in pieces, missing nothing", () => {
  const driver = new Driver();
  for (let i = 0; i < 25_000; i++)
    driver.do({ kind: "kv.put", key: i % 5_000 === 0 ? "rare" : `k${i % 10}`, value: String(i) });
  const cursor = driver.machine.history(2, "rare", "rare\0");
  if ("kind" in cursor) throw new Error("the window must reach back");
  const seen: (string | undefined)[] = [];
  let calls = 0;
  while (!cursor.caughtUp) {
    const before = cursor.looks;
    const changes = cursor.next(10);
    if ("kind" in changes) throw new Error("the window must not slide");
    expect(cursor.looks - before).toBeLessThanOrEqual(10_000);
    seen.push(...changes.map(change => change.record?.value));
    calls++;
  }
  expect(seen).toEqual(["0", "5000", "10000", "15000", "20000"]);
  expect(calls).toBeGreaterThan(1);
  expect(cursor.looks).toBe(25_000);
});
