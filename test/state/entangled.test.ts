/** How many may stand in several lines: only those count of whom at least one entry waits. */
import { expect, test } from "vitest";
import { Driver, restored } from "./driver.js";

const LEASES = ["a", "b", "c", "d"];

function driverOf(maxEntangledEntries: number): Driver {
  const driver = new Driver({ maxEntangledEntries });
  for (const lease of LEASES) driver.do({ kind: "lease.grant", lease, ttlMs: 5_000 });
  return driver;
}

/** One thread of each lease asks. */
function ask(driver: Driver, lease: string, ...names: string[]): string {
  const [name = ""] = names;
  const several = names.length > 1 ? { names } : {};
  const command = {
    kind: "lock.acquire",
    name,
    lease,
    actor: "t",
    wait: true,
    ...several,
  } as const;
  const result = driver.do(command);
  return result.kind === "refused" ? result.code : result.kind;
}

/** It asks for `count` locks that nobody wants. */
const takeFree = (driver: Driver, lease: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => ask(driver, lease, `own/${lease}/${i}`));

function end(driver: Driver, kind: "lock.release" | "lock.cancel", name: string, lease: string) {
  const { holders, waiters } = driver.machine.inspect(name, 100);
  const key = [...holders, ...waiters].find(e => e.lease === lease)?.key ?? "";
  const by = kind === "lock.release" ? { kind, grant: { key } } : { kind, key };
  expect(driver.do(by)).toMatchObject({ kind: kind === "lock.release" ? "released" : "cancelled" });
}

test("threads that hold all they asked for do not keep others from waiting for several names", () => {
  const driver = driverOf(5);
  expect(takeFree(driver, "a", 4)).not.toContain("STATE_FULL");
  expect(takeFree(driver, "b", 4)).not.toContain("STATE_FULL");
  expect(ask(driver, "c", "x")).toBe("granted");
  expect(ask(driver, "d", "x", "y")).toBe("waiting");
});

test("a thread that holds many and waits for one more counts each entry once", () => {
  const driver = driverOf(8);
  takeFree(driver, "a", 6);
  ask(driver, "b", "x");
  expect(ask(driver, "a", "x")).toBe("waiting");
  ask(driver, "b", "y");
  expect(ask(driver, "a", "y")).toBe("waiting");
  ask(driver, "b", "z");
  expect(ask(driver, "a", "z")).toBe("STATE_FULL");
});

test("all that a thread holds counts from when it begins to wait until its last wait is over", () => {
  for (const isRestored of [false, true]) {
    const driver = driverOf(8);
    const restore = () => {
      if (isRestored) driver.machine = restored(driver.machine, 100_000);
    };
    for (const lease of ["a", "b"]) takeFree(driver, lease, 4);
    ask(driver, "c", "x");
    expect(ask(driver, "a", "x")).toBe("waiting");
    restore();
    // Five are entangled; five more would be.
    expect(ask(driver, "b", "x")).toBe("STATE_FULL");
    end(driver, "lock.cancel", "x", "a");
    restore();
    expect(ask(driver, "b", "x")).toBe("waiting");
    restore();
    expect(ask(driver, "a", "x")).toBe("STATE_FULL");
    end(driver, "lock.release", "x", "c");
    restore();
    expect(ask(driver, "a", "x")).toBe("waiting");
  }
});

test("one that waits is refused a free lock past the bound, one that waits for nothing is not", () => {
  const driver = driverOf(4);
  ask(driver, "c", "x");
  expect(ask(driver, "a", "x")).toBe("waiting");
  expect(takeFree(driver, "a", 4)).toEqual(["granted", "granted", "granted", "STATE_FULL"]);
  expect(takeFree(driver, "b", 5)).not.toContain("STATE_FULL");
});

test("a circle is told through threads that held all they asked for until now", () => {
  const driver = driverOf(100);
  for (const lease of ["a", "b"]) takeFree(driver, lease, 20);
  expect(ask(driver, "b", "own/a/7")).toBe("waiting");
  expect(ask(driver, "a", "own/b/3")).toBe("DEADLOCK");
  end(driver, "lock.cancel", "own/a/7", "b");
  expect(ask(driver, "a", "own/b/3")).toBe("waiting");
  driver.machine = restored(driver.machine, 100_000);
  expect(ask(driver, "b", "own/a/7")).toBe("DEADLOCK");
});

test("an entry that only keeps its line shut counts for nobody, also when its lease comes again", () => {
  const driver = driverOf(2);
  driver.do({ kind: "lock.configure", name: "slow", lockDelayMs: 10_000 });
  for (const name of ["slow", "own"]) expect(ask(driver, "a", name)).toBe("granted");
  for (const name of ["x", "y"]) ask(driver, "b", name);
  driver.do({ kind: "lease.expire", leases: ["a"], asOfIndex: 1_000 });
  driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 });
  expect(ask(driver, "a", "x")).toBe("waiting");
  expect(ask(driver, "a", "y")).toBe("waiting");
});

/** A chain of threads, each of which holds a lock and waits for the next one's. */
function chainOf(threads: number): Driver {
  const driver = new Driver();
  for (let i = 0; i < threads; i++) {
    const lease = (i + 1).toString(16);
    driver.do({ kind: "lease.grant", lease, ttlMs: 5_000 });
    expect(ask(driver, lease, `link/${i}`)).toBe("granted");
    if (i > 0) expect(ask(driver, lease, `link/${i - 1}`)).toBe("waiting");
  }
  return driver;
}

test("one entry of the log looks for so many circles only, in a large tangle; the next one goes on", () => {
  const threads = 250;
  const driver = chainOf(threads);
  const command = {
    kind: "lock.acquire",
    name: `link/${threads - 1}`,
    lease: "1",
    actor: "t",
    wait: true,
  } as const;
  const codes = (count: number) =>
    driver
      .apply(...Array.from({ length: count }, () => ({ command })))
      .map(told =>
        told.event === "answer" && told.result.kind === "refused" ? told.result.code : "",
      );
  const answers = codes(200);
  const found = answers.filter(code => code === "DEADLOCK").length;
  expect(found).toBeGreaterThan(20);
  expect(found).toBeLessThan(100);
  expect(answers.slice(found)).toEqual(Array(200 - found).fill("STATE_FULL"));
  expect(codes(1)).toEqual(["DEADLOCK"]);
});
