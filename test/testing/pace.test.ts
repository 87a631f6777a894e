/** When the clock goes on by itself, and how far: decided by what passes between client and node. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { Hint } from "../../src/testing/hint.js";
import { Pace } from "../../src/testing/pace.js";
import { Traffic } from "../../src/testing/traffic.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { realTurns } from "./begin.js";

describe("the pace", () => {
  test("moves the clock to the next thing due while an answer is owed, and no further", async () => {
    const loop = new TurnedLoop();
    let isOwed = false;
    const pace = new Pace(loop, () => isOwed);
    loop.after(20, () => {});
    loop.after(45, () => {
      isOwed = false;
    });
    loop.after(60, () => {});
    pace.kick();
    await realTurns(10);
    expect(loop.monotonicMs()).toBe(0);
    isOwed = true;
    pace.kick();
    await realTurns(10);
    expect(loop.monotonicMs()).toBe(45);
  });

  test("stands where nothing is due, whatever is owed, until there is", async () => {
    const loop = new TurnedLoop();
    const pace = new Pace(loop, () => true);
    pace.kick();
    await realTurns(10);
    let hasRun = false;
    loop.after(7, () => {
      hasRun = true;
    });
    pace.kick();
    await realTurns(10);
    expect([hasRun, loop.monotonicMs()]).toEqual([true, 7]);
  });

  test("lets promises run after a turn in which a client ran, before time goes on", async () => {
    const loop = new TurnedLoop();
    const pace = new Pace(loop, () => false);
    const seen: number[] = [];
    for (const ms of [1, 2])
      loop.after(ms, () => {
        pace.ran();
        void Promise.resolve().then(() => seen.push(loop.monotonicMs()));
      });
    await pace.advance(10);
    expect(seen).toEqual([1, 2]);
  });

  test("goes on after what was thrown out of a turn", async () => {
    const loop = new TurnedLoop();
    const pace = new Pace(loop, () => false);
    loop.after(1, () => {
      throw new Error("thrown");
    });
    await expect(pace.advance(10)).rejects.toThrow("thrown");
    expect(await pace.advance(5)).toBe(false);
    expect(loop.monotonicMs()).toBe(6);
  });
});

describe("the hint", () => {
  test("says once that the clock stands, to whoever awaits what only the clock brings", async () => {
    const hint = new Hint(1);
    const warned = once(process, "warning");
    hint.arm(5);
    const [warning] = (await warned) as [Error & { code: string }];
    expect(warning.code).toBe("HOLDFAST_CLOCK_STANDS");
    expect(warning.message).toContain("stands at 5 ms");
    const later: unknown[] = [];
    const onWarning = (warning: unknown): void => void later.push(warning);
    process.on("warning", onWarning);
    hint.arm(6);
    const other = new Hint(1);
    other.arm(7);
    other.disarm();
    // One that is armed last, and only this one, is heard.
    const last = new Hint(2);
    const heard = once(process, "warning");
    last.arm(8);
    const [first] = (await heard) as [Error];
    process.off("warning", onWarning);
    expect(first.message).toContain("stands at 8 ms");
    expect(later).toEqual([first]);
  });
});

describe("the pace, at rest", () => {
  test("is told of, and when it goes on", async () => {
    const loop = new TurnedLoop();
    const rests: boolean[] = [];
    const pace = new Pace(
      loop,
      () => false,
      is => rests.push(is),
    );
    await pace.advance(1);
    await realTurns(3);
    expect(rests).toEqual([false, true]);
    pace.stop(new Error("over"));
    pace.kick();
    expect(rests).toEqual([false, true]);
  });
});

describe("an answer", () => {
  const PATIENCE_MS = 1_000;
  const opened = (): Traffic => {
    const traffic = new Traffic(PATIENCE_MS);
    traffic.dialled(0);
    traffic.came([{ welcome: {} }]);
    return traffic;
  };
  const put = { id: 1, op: "kv.put", params: {} };
  const acquire = { id: 1, op: "lock.acquire", params: { waitMs: -1 } };

  test("is owed to a call until it comes, or the caller's patience is over", () => {
    const traffic = opened();
    expect(traffic.isOwed(0)).toBe(false);
    traffic.sent([put, { ...put, id: 2 }], 10);
    expect([traffic.isOwed(1_009), traffic.isOwed(1_010)]).toEqual([true, false]);
    traffic.came([{ id: 2, ok: {} }]);
    expect(traffic.isOwed(10)).toBe(true);
    traffic.came([{ id: 1, error: { code: "CONDITION_FAILED" } }]);
    expect(traffic.isOwed(10)).toBe(false);
  });

  test("is not owed to waits, keep-alives and streams", () => {
    const traffic = opened();
    expect(traffic.waits).toBe(false);
    traffic.sent([acquire, { id: 2, op: "lease.keepalive", params: {} }], 0);
    expect(traffic.waits).toBe(true);
    traffic.sent([{ id: 3, op: "watch.start", params: {} }], 0);
    expect(traffic.isOwed(0)).toBe(false);
    traffic.sent([{ ...acquire, id: 4, params: { waitMs: 0 } }], 0);
    expect(traffic.isOwed(0)).toBe(true);
  });

  test("is owed to whoever was told to ask again, waits too, counted from the first time", () => {
    const traffic = opened();
    traffic.sent([acquire], 0);
    traffic.came([{ id: 1, error: { code: "NO_QUORUM" } }]);
    expect(traffic.isOwed(5)).toBe(true);
    traffic.sent([acquire], 200);
    expect(traffic.isOwed(200)).toBe(false);
    traffic.came([{ id: 1, error: { code: "NO_QUORUM" } }]);
    expect([traffic.isOwed(999), traffic.isOwed(1_000)]).toEqual([true, false]);
  });

  test("is not owed any more for what the client says it has given up", () => {
    const traffic = opened();
    traffic.sent([put], 0);
    traffic.sent([{ ...acquire, id: 2, low: 2 }], 0);
    expect(traffic.isOwed(0)).toBe(false);
  });

  test("is owed to a client that looks for a node, until it stops to look", () => {
    const traffic = new Traffic(10_000);
    expect(traffic.isOwed(0)).toBe(false);
    traffic.dialled(100);
    expect([traffic.isOwed(10_099), traffic.isOwed(10_100)]).toEqual([true, false]);
    traffic.lost(200);
    expect([traffic.isOwed(2_000), traffic.isOwed(2_300)]).toEqual([true, false]);
    traffic.dialled(2_100);
    traffic.came([{ welcome: {} }]);
    expect(traffic.isOwed(2_100)).toBe(false);
  });
});
