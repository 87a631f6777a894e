/** Who moves the clock of a test cluster, and who does not. */
import { connect } from "holdfast-client";
import { afterEach, describe, expect, test, vi } from "vitest";
import { startTestCluster } from "../../src/testing/index.js";
import { uncaughtErrors } from "../client/uncaught.js";
import { begin, fateOf, realTurns } from "./begin.js";

describe("a call that a healthy cluster answers at once", () => {
  test("is answered without anybody turning the clock, which stands", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect({ ttlMs: 5_000 });
    await a.ready();
    const held = await a.lock("x").acquire();
    expect(await b.lock("x").tryAcquire()).toBeNull();
    await a.kv.put("k", "v", { heldBy: held });
    const listed: string[] = [];
    for await (const { key, value } of b.kv.list({ prefix: "k" })) listed.push(`${key} ${value}`);
    expect(listed).toEqual(["k v"]);
    expect(await held.release()).toEqual({ heldToTheEnd: true });
    const led = await b.election("e").campaign("b");
    await led.proclaim("b2");
    expect((await a.election("e").leader())?.value).toBe("b2");
    await b.close();
    expect(await a.election("e").leader()).toBeNull();
    expect(t.nowMs).toBe(0);
  });

  test("is answered on one node as well, and ten thousand of them", async () => {
    const t = await begin({ nodes: 1 });
    const { kv } = t.connect();
    const value = "v".repeat(500);
    const all = Array.from({ length: 10_000 }, (_, i) => kv.put(`k/${i % 100}`, value));
    const revisions = (await Promise.all(all)).map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((x, y) => x - y));
    expect(t.nowMs).toBe(0);
  });

  test("tells a watcher at once, too", async () => {
    const t = await begin();
    const a = t.connect();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { value } of a.kv.watch({ prefix: "w/", from: 1 }))
        if (seen.push(value) === 3) return;
    })();
    for (const value of ["1", "2", "3"]) await t.connect().kv.put(`w/${value}`, value);
    await watching;
    expect(seen).toEqual(["1", "2", "3"]);
    expect(t.nowMs).toBe(0);
  });
});

describe("a wait in line", () => {
  test("does not move the clock, and ends by it alone", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    await a.lock("x").acquire();
    const waiting = fateOf(b.lock("x").acquire({ waitMs: 3_000 }));
    await realTurns();
    expect(t.nowMs).toBe(0);
    await t.advance(2_999);
    expect(waiting).toEqual({});
    await t.advance(1);
    expect(waiting.error).toMatchObject({ code: "WAIT_TIMEOUT", position: 1 });
  });

  test("is waited for with `until`, which goes no further than it takes", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    await a.lock("x").acquire();
    const { token } = await a.lock("y").acquire();
    t.pause(a);
    const next = await t.until(b.lock("y").acquire());
    expect(next.token).toBeGreaterThan(token);
    expect(t.nowMs).toBeGreaterThanOrEqual(15_000);
    expect(t.nowMs).toBeLessThan(15_100);
    await expect(t.until(new Promise(() => {}), 1_000)).rejects.toThrow(/not settled after 1000/);
    await expect(t.until(Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  });
});

describe("advance", () => {
  test("moves the clock by what it is told, for all who wait alike", async () => {
    const t = await begin();
    const ended: number[] = [];
    const note = () => ended.push(t.nowMs);
    await Promise.all([t.advance(1_000).then(note), t.advance(0.5).then(note)]);
    expect(ended).toEqual([0.5, 1_000]);
    await expect(t.advance(-1)).rejects.toThrow(RangeError);
    await expect(t.advance(Number.NaN)).rejects.toThrow(RangeError);
    const nested = async (): Promise<number> => {
      await t.advance(500);
      await t.until(t.advance(500));
      return t.nowMs;
    };
    expect(await t.until(nested(), 1_500)).toBe(2_000);
    expect(t.nowMs).toBe(2_000);
  });

  test("lets the program's own promises run to their end between two steps", async () => {
    const t = await begin();
    const first = t.connect();
    const lock = first.lock("x");
    const held = await lock.acquire();
    t.pause(first);
    const done: string[] = [];
    const work = async (name: string): Promise<void> => {
      const own = await t.connect({ owner: name }).lock("x").acquire();
      for (let i = 0; i < 1_000; i += 1) await null;
      await own.release();
      done.push(`${name} ${t.nowMs < 15_100}`);
    };
    const all: Promise<void>[] = [];
    for (const name of ["b", "c", "d"]) {
      all.push(work(name));
      await t.advance(0);
    }
    await t.advance(20_000);
    expect(done).toEqual(["b true", "c true", "d true"]);
    await Promise.all(all);
    expect(() => held.assertHeld()).toThrow();
  });

  test("goes on where the program's own callback throws: that is an uncaught error", async () => {
    const uncaught = uncaughtErrors();
    const t = await begin();
    const held = await t.connect().lock("x").acquire();
    const own = new Error("in a callback");
    const failing = () => {
      throw own;
    };
    const waiting = fateOf(t.connect().lock("x").acquire({ onWaiting: failing }));
    await t.advance(5_000);
    expect(new Set(uncaught)).toEqual(new Set([own]));
    expect(waiting).toEqual({});
    await held.release();
    await t.advance(1);
    expect(waiting.value?.name).toBe("x");
  });

  test("keeps an idle holder's lease alive for an hour", async () => {
    const t = await begin({ nodes: 1 });
    const held = await t.connect().lock("x").acquire();
    await t.advance(3_600_000);
    expect(held.remainingMs).toBeGreaterThan(0);
    await held.confirm();
  });
});

describe("a test that fakes its own timers", () => {
  afterEach(() => void vi.useRealTimers());

  test("does not stop the cluster, nor does the cluster turn them", async () => {
    vi.useFakeTimers();
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 1);
    const t = await begin();
    await t.connect().kv.put("k", "v");
    await t.advance(60_000);
    expect(fired).toBe(false);
  });
});

describe("what cannot be", () => {
  test("is refused by name", async () => {
    await expect(startTestCluster({ nodes: 0 })).rejects.toThrow(/nodes must be/);
    await expect(startTestCluster({ nodes: 1.5 })).rejects.toThrow(/nodes must be/);
    await expect(startTestCluster({ seed: -1 })).rejects.toThrow(/seed must be/);
    const t = await begin({ nodes: 1 });
    const stranger = connect();
    expect(() => t.pause(stranger)).toThrow(/none of this cluster's/);
    expect(() => t.loseKeepAlives(stranger, true)).toThrow(TypeError);
    expect(() => t.connect({ ttlMs: 1 })).toThrow(/ttlMs/);
  });
});
