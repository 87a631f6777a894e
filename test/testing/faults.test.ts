/** Each fault of a test cluster does what happens in life, and no more. */
import { type Held, LockLostError } from "holdfast-client";
import { describe, expect, test } from "vitest";
import { startTestCluster } from "../../src/testing/index.js";
import { MemoryNetwork } from "../../src/testing/memory-network.js";
import { TestNode } from "../../src/testing/node.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { uncaughtErrors } from "../client/uncaught.js";
import { begin, fateOf, realTurns } from "./begin.js";

describe("a client that stands still", () => {
  test("past its time is fenced: the next holder's token is greater", async () => {
    const t = await startTestCluster(),
      a = t.connect(),
      b = t.connect();
    const one = await a.lock("x").acquire();
    t.pause(a);
    await t.advance(20_000);
    expect((await b.lock("x").acquire()).token).toBeGreaterThan(one.token);
    await t.close();
  });

  test("past its time finds out by itself when it wakes, and can write no more", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    const one = await a.lock("x").acquire();
    const { signal } = one;
    t.pause(a);
    await t.advance(20_000);
    const two = await b.lock("x").acquire();
    // Nothing has run in it, so nothing has told it.
    expect(signal.aborted).toBe(false);
    t.resume(a);
    await t.advance(0);
    expect(signal.reason).toBeInstanceOf(LockLostError);
    expect(() => one.assertHeld()).toThrow(LockLostError);
    await expect(a.kv.put("k", "late", { heldBy: one })).rejects.toMatchObject({
      code: "NOT_HELD",
    });
    expect(await a.kv.get("k")).toBeNull();
    expect(await one.release()).toEqual({ heldToTheEnd: false });
    expect(two.signal.aborted).toBe(false);
    expect(t.nowMs).toBe(20_000);
  });

  test("for less than its time holds on, and what it was asked meanwhile is done then", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    const one = await a.lock("x").acquire();
    t.pause(a);
    const put = fateOf(a.kv.put("k", "v"));
    const waiting = fateOf(b.lock("x").acquire());
    await t.advance(8_000);
    expect([put, waiting]).toEqual([{}, {}]);
    t.resume(a);
    await t.advance(10_000);
    expect(put.value).toMatchObject({ created: true });
    expect(waiting).toEqual({});
    one.assertHeld();
    await one.release();
    await t.advance(0);
    expect(waiting.value?.token).toBeGreaterThan(one.token);
  });

  test("sees the clock go on when it looks, though nothing runs in it", async () => {
    const t = await begin();
    const a = t.connect({ ttlMs: 10_000, marginMs: 1_000 });
    const one = await a.lock("x").acquire();
    t.pause(a);
    await t.advance(8_899);
    expect(one.remainingMs).toBe(1);
    await t.advance(1);
    expect(() => one.assertHeld()).toThrow(LockLostError);
  });

  test("for minutes, and over a change of leader, serves its program again when it wakes", async () => {
    const t = await begin();
    const a = t.connect();
    await a.lock("x").acquire();
    const leaderOf = async () => (await a.cluster.status()).leader;
    const before = await leaderOf();
    t.pause(a);
    await t.advance(300_000);
    await t.dropLeader();
    t.resume(a);
    expect(await leaderOf()).not.toBe(before);
    const again = await a.lock("x").acquire();
    await a.kv.put("k", "v", { heldBy: again });
  });

  test("keeps its place in line only as long as its lease lives", async () => {
    const t = await begin();
    const [a, b, c] = [t.connect(), t.connect(), t.connect()];
    const one = await a.lock("x").acquire();
    const second = fateOf(b.lock("x").acquire());
    await t.advance(0);
    const third = fateOf(c.lock("x").acquire());
    await t.advance(0);
    t.pause(b);
    await t.advance(20_000);
    await one.release();
    await t.advance(0);
    expect([second.value, third.value?.name]).toEqual([undefined, "x"]);
    t.resume(b);
    await third.value?.release();
    await t.advance(1_000);
    // The default session of a client stands in line anew.
    expect(second.value?.token).toBeGreaterThan(third.value?.token ?? Number.NaN);
  });
});

describe("the end of a lease", () => {
  test("needs the clock, and comes when it has its full time, not before", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect({ ttlMs: 60_000 });
    await a.lock("x").acquire();
    const waiting = fateOf(b.lock("x").acquire());
    t.pause(a);
    await realTurns(2_000);
    expect([t.nowMs, waiting]).toEqual([0, {}]);
    await t.advance(14_999);
    expect(waiting).toEqual({});
    // Nodes look at their clocks every 20 ms.
    await t.advance(60);
    expect(waiting.value?.name).toBe("x");
  });
});

describe("a leader that is dropped", () => {
  test("takes neither the lock from its holder nor the place from who waits", async () => {
    const t = await begin();
    const clients = [t.connect(), t.connect(), t.connect()] as const;
    const order: string[] = [];
    const one = await clients[0].lock("x").acquire();
    const waiting: Promise<Held>[] = [];
    for (const [i, client] of clients.slice(1).entries()) {
      waiting.push(client.lock("x").acquire());
      waiting.at(-1)?.then(() => order.push(`w${i + 1}`));
      await t.advance(0);
    }
    const { leader: before } = await clients[0].cluster.status();
    await t.dropLeader();
    const { leader: after } = await clients[0].cluster.status();
    expect(after).not.toBe(before);
    one.assertHeld();
    await one.confirm();
    expect(order).toEqual([]);
    await one.release();
    const two = await waiting[0];
    expect(two?.token).toBeGreaterThan(one.token);
    expect(order).toEqual(["w1"]);
    await two?.release();
    expect((await waiting[1])?.token).toBeGreaterThan(two?.token ?? Number.NaN);
  });

  test.each([1, 2, 3, 5])("of %i comes back, again and again, and nothing is lost", async nodes => {
    const t = await begin({ nodes });
    const a = t.connect();
    const held = await a.lock("x").acquire();
    for (let round = 0; round < 6; round += 1) {
      const before = t.nowMs;
      await a.kv.put(`k/${round}`, "v");
      await t.dropLeader();
      expect(t.nowMs - before).toBeLessThan(5_000);
      const still = t.nowMs;
      await a.kv.put(`l/${round}`, "v");
      expect(t.nowMs).toBe(still);
    }
    held.assertHeld();
    const keys: string[] = [];
    for await (const { key } of a.kv.list({ prefix: "" })) keys.push(key);
    expect(keys.filter(key => /^[kl]\//.test(key))).toHaveLength(12);
    expect((await a.cluster.members()).members).toHaveLength(nodes);
  });

  test("is gone: what ran in its process runs no more", () => {
    const loop = new TurnedLoop();
    const network = new MemoryNetwork(loop);
    const fail = (message: string): void => expect.fail(message);
    const node = new TestNode("n1", { loop, network, seed: 1, names: ["n1"], onFatal: fail });
    node.start();
    expect(loop.runUntil(() => node.serves)).toBe(true);
    node.kill();
    loop.advance(600_000);
    expect(loop.turn(Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  test("while another drop is under way waits for that one", async () => {
    const t = await begin();
    const a = t.connect();
    await a.kv.put("k", "v");
    await Promise.all([t.dropLeader(), t.dropLeader(), t.dropLeader()]);
    expect((await a.kv.get("k"))?.value).toBe("v");
  });

  test("with a call under way is answered all the same, once", async () => {
    const t = await begin();
    const a = t.connect();
    await a.ready();
    const puts = [1, 2, 3].map(i => a.kv.append("log", `${i}`));
    const dropped = t.dropLeader();
    await Promise.all([...puts, dropped]);
    const values: string[] = [];
    for await (const { value } of a.kv.list({ prefix: "log/" })) values.push(value);
    expect(values).toEqual(["1", "2", "3"]);
  });

  test("gives every lease its full time again, as a new leader does", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    await a.lock("x").acquire();
    const waiting = b.lock("x").acquire();
    t.pause(a);
    await t.advance(14_000);
    await t.dropLeader();
    const newLeaderMs = t.nowMs;
    await t.until(waiting);
    expect(t.nowMs).toBeGreaterThan(newLeaderMs + 12_000);
  });
});

describe("a client whose keep-alives get lost", () => {
  test("knows in time that it can prove nothing any more: before another is granted", async () => {
    const t = await begin();
    const a = t.connect();
    const b = t.connect();
    const one = await a.lock("x").acquire();
    const times: Record<string, number> = {};
    one.signal.addEventListener("abort", () => {
      times.lost = t.nowMs;
    });
    const waiting = b
      .lock("x")
      .acquire()
      .then(() => {
        times.granted = t.nowMs;
      });
    t.loseKeepAlives(a, true);
    await t.until(waiting);
    const { lost = Number.NaN, granted = Number.NaN } = times;
    // 99 % of its 15 s, and a margin of a fifth of them.
    expect(lost).toBe(11_850);
    expect(granted).toBeGreaterThanOrEqual(lost + 3_000);
    expect(one.signal.reason).toMatchObject({ reason: "unproven" });
    // All else goes through.
    await a.kv.put("k", "v");
  });

  test("keeps what it holds when they get through again in time", async () => {
    const t = await begin();
    const a = t.connect();
    const one = await a.lock("x").acquire();
    t.loseKeepAlives(a, true);
    // The first, at 5 s, gets lost; what follows its silence, at 8.75 s, does not.
    await t.advance(8_000);
    t.loseKeepAlives(a, false);
    await t.advance(60_000);
    one.assertHeld();
    await one.confirm();
  });
});

describe("a listener of the program that throws", () => {
  test("is the program's uncaught error: the clock and the client go on", async () => {
    const uncaught = uncaughtErrors();
    const t = await begin();
    const a = t.connect();
    const own = new Error("the listener's own");
    a.onState(() => {
      throw own;
    });
    expect(await a.kv.get("k")).toBeNull();
    await t.advance(10);
    expect(t.nowMs).toBe(10);
    await t.close();
    expect(uncaught).toEqual([own, own]);
  });
});
