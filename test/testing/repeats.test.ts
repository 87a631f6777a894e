/** A test cluster gives the same run for the same seed, serves a crowd, and leaves nothing. */
import type { Held } from "holdfast-client";
import { describe, expect, test } from "vitest";
import { startTestCluster, type TestCluster } from "../../src/testing/index.js";
import { begin, fateOf, realTurns } from "./begin.js";

/** Five workers who race for two locks, one of whom stands still, over a change of leader. */
async function script(t: TestCluster): Promise<readonly string[]> {
  const trace: string[] = [];
  const clients = Array.from({ length: 5 }, (_, i) => t.connect({ owner: `w${i}` }));
  const work = async (i: number): Promise<void> => {
    for (let round = 0; round < 3; round += 1) {
      const name = `lock/${(i + round) % 2}`;
      const held = await clients[i]?.lock(name).acquire();
      trace.push(`${t.nowMs} w${i} has ${held?.key} on ${(await lockOf(held))?.lease}`);
      await held?.release();
    }
  };
  const lockOf = async (held: Held | undefined) =>
    (await clients[4]?.lock(held?.name ?? "").inspect())?.holders[0];
  const [first, ...others] = [0, 1, 2, 3, 4].map(work);
  t.pause(clients[0] ?? t.connect());
  await t.advance(1_000);
  await t.dropLeader();
  await t.until(Promise.all(others));
  t.resume(clients[0] ?? t.connect());
  await t.until(first ?? Promise.resolve());
  trace.push(`the end at ${t.nowMs}`);
  return trace;
}

describe("the same seed", () => {
  test("and the same script are the same run: order, times, tokens and leases", async () => {
    const traces: (readonly string[])[] = [];
    for (const seed of [7, 7, 8]) {
      const t = await begin({ seed });
      const running = script(t);
      // What the program's own loop does beside it changes nothing.
      if (traces.length === 1) await realTurns(50);
      traces.push(await running);
    }
    const [one, again, other] = traces;
    expect(one).toHaveLength(16);
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });
});

describe("two hundred clients", () => {
  test("who wait for one lock get it one after the other, in the order of their waits", async () => {
    const t = await begin();
    const count = 200;
    const order: number[] = [];
    const tokens: number[] = [];
    const all: Promise<void>[] = [];
    for (let i = 0; i < count; i += 1) {
      const work = async (): Promise<void> => {
        const held = await t.connect().lock("hot").acquire();
        order.push(i);
        tokens.push(held.token);
        await held.release();
      };
      all.push(work());
      await t.advance(0);
    }
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(new Set(tokens).size).toBe(count);
    expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
    expect(t.nowMs).toBe(0);
  });
});

describe("a cluster that is closed", () => {
  test("has ended its clients, paused ones too, and nothing moves any more", async () => {
    const t = await startTestCluster();
    const [a, b, c] = [t.connect(), t.connect(), t.connect()];
    await a.lock("x").acquire();
    const waiting = fateOf(b.lock("x").acquire());
    t.connect(); // never used
    await t.advance(100);
    t.pause(a);
    const late = fateOf(a.kv.put("k", "v"));
    t.loseKeepAlives(c, true);
    await t.close();
    expect(waiting.error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(late.value ?? late.error).toBeDefined();
    const { nowMs } = t;
    await expect(b.kv.put("k", "v")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await realTurns();
    expect(t.nowMs).toBe(nowMs);
  });

  test("is closed once, and says so to whoever comes later or still waits", async () => {
    const t = await startTestCluster({ nodes: 1 });
    const advancing = fateOf(t.advance(1e9));
    await t[Symbol.asyncDispose]();
    await t.close();
    expect(advancing.error).toMatchObject({ message: expect.stringContaining("is closed") });
    await expect(t.advance(1)).rejects.toThrow(/is closed/);
    await expect(t.dropLeader()).rejects.toThrow(/is closed/);
    await expect(t.until(Promise.resolve())).rejects.toThrow(/is closed/);
    expect(() => t.connect()).toThrow(/is closed/);
  });

  test("has told its clients' locks to pass on; a second cluster knows nothing of it", async () => {
    const [t, other] = [await begin(), await begin()];
    const a = t.connect();
    const b = t.connect();
    await a.lock("x").acquire();
    const waiting = b.lock("x").acquire();
    await other.connect().lock("x").acquire();
    await t.advance(0);
    await a.close();
    expect((await waiting).token).toBeGreaterThan(0);
    expect([t.nowMs, other.nowMs]).toEqual([0, 0]);
  });
});
