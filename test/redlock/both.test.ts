/**
 * Both locks as one, over a real node and Redis, mocked always and real where it is installed. The
 * contract holds for it too; then what becomes of one lock when something happens to the other.
 */
import { type Client, connect, LockLostError } from "holdfast-client";
import {
  both,
  ExecutionError,
  type Locker,
  type RedisLock,
  type RedisRedlock,
  Redlock,
  ResourceLockedError,
} from "holdfast-client/redlock";
import type { Redis } from "ioredis";
import NpmRedlock, { type Lock as NpmLock } from "redlock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../e2e/harness/until.js";
import { describeContract, fresh } from "./contract.js";
import { type OneNode, oneNode } from "./node.js";
import { mockRedis, noRealRedis, type RedisUnderTest, realRedis } from "./redis.js";

describeContract("both over a mock of Redis", async () => {
  const [node, redis] = [await oneNode(), await mockRedis()];
  const thief = redis.client();
  return {
    make: settings => {
      const ours = new Redlock([connect(node.url)], settings);
      return both(new NpmRedlock([redis.client()], settings), ours);
    },
    makeBare: () => both(new NpmRedlock([redis.client()]), new Redlock([])),
    ExecutionError,
    // Whichever refused: most often it is the line.
    ResourceLockedError,
    steal: async resource => {
      await thief.set(resource, "stolen", "PX", 60_000);
    },
    close: async () => {
      await redis.stop();
      await node.stop();
    },
  };
});

/** npm's redlock, with a hand on what it does. */
class Handled implements RedisRedlock<NpmLock> {
  readonly npm: NpmRedlock;
  readonly done: string[] = [];
  /** Called after an extension, before anybody hears of it. */
  extended: () => void = () => {};
  /** Called before each; may throw in its place. */
  before: (what: "acquire" | "extend" | "release") => void | Promise<void> = () => {};
  constructor(client: Redis) {
    this.npm = new NpmRedlock([client], { retryCount: 0 });
  }
  async acquire(...of: Parameters<NpmRedlock["acquire"]>): Promise<NpmLock> {
    await this.#begin("acquire");
    return this.npm.acquire(...of);
  }
  async extend(...of: Parameters<NpmRedlock["extend"]>): Promise<NpmLock> {
    await this.#begin("extend");
    const lock = await this.npm.extend(...of);
    this.extended();
    return lock;
  }
  async release(...of: Parameters<NpmRedlock["release"]>): ReturnType<NpmRedlock["release"]> {
    await this.#begin("release");
    return this.npm.release(...of);
  }
  on(event: "error", listener: (error: Error) => void): unknown {
    return this.npm.on(event, listener);
  }
  quit(): Promise<void> {
    return this.npm.quit();
  }
  async #begin(what: "acquire" | "extend" | "release"): Promise<void> {
    this.done.push(what);
    await this.before(what);
  }
}

const errorOf = async (promise: Promise<unknown>): Promise<ExecutionError> => {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ExecutionError)) throw new Error(`no ExecutionError: ${String(error)}`);
  return error;
};

function describeLosses(title: string, start: () => Promise<RedisUnderTest>): void {
  describe.concurrent(title, () => {
    let node: OneNode;
    let server: RedisUnderTest;
    let redis: Redis;
    let client: Client;
    const lockers: Locker[] = [];

    beforeAll(async () => {
      node = await oneNode();
      server = await start();
      redis = server.client();
      client = connect(node.url);
    });
    afterAll(async () => {
      await Promise.all(lockers.map(locker => locker.quit()));
      await client.close();
      await server.stop();
      await node.stop();
    });

    const make = (): { locker: Locker; handled: Handled } => {
      const handled = new Handled(server.client());
      const ours = new Redlock([connect(node.url)], { retryDelay: 50, retryJitter: 10 });
      const locker = both(handled, ours);
      lockers.push(locker);
      return { locker, handled };
    };
    const inRedis = async (resource: string): Promise<boolean> =>
      (await redis.exists(resource)) === 1;
    const inLine = async (resource: string): Promise<[holders: number, waiters: number]> => {
      const { holders, waiterCount } = await client.lock(resource).inspect();
      return [holders.length, waiterCount];
    };
    test("it is held in both, and given back in both", async () => {
      const resource = fresh();
      const lock = await make().locker.acquire([resource], 5000);
      expect(await redis.get(resource)).toBe(lock.value);
      const [holder] = (await client.lock(resource).inspect()).holders;
      expect(holder?.token).toBe(lock.token);
      expect(await lock.attempts.at(-1)).toMatchObject({ membershipSize: 1 });
      expect(lock.attempts).toHaveLength(2);
      await lock.release();
      expect([await inRedis(resource), await inLine(resource)]).toEqual([false, [0, 0]]);
    });

    test("who waits in line has nothing in Redis yet, which would run out", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      const held = await client.lock(resource).acquire();
      const waiting = locker.acquire([resource], 10_000, { retryCount: -1 });
      await until("its place in line", async () => (await inLine(resource))[1] === 1);
      expect([await inRedis(resource), handled.done]).toEqual([false, []]);
      await held.release();
      expect((await waiting).expiration).toBeGreaterThan(Date.now());
      expect(await inRedis(resource)).toBe(true);
    });

    test("Redis is given back first, so that the next in line finds it free", async () => {
      const [resource, first, second] = [fresh(), make(), make()];
      const lock = await first.locker.acquire([resource], 60_000);
      const waiting = second.locker.acquire([resource], 60_000, { retryCount: -1 });
      await until("its place in line", async () => (await inLine(resource))[1] === 1);
      first.handled.before = async what => {
        expect([what, await inLine(resource)]).toEqual(["release", [1, 1]]);
      };
      await lock.release();
      await (await waiting).release();
      expect(second.handled.done).toEqual(["acquire", "release"]);
    });

    test("refused by Redis, it leaves the line", async () => {
      const resource = fresh();
      await redis.set(resource, "somebody's", "PX", 60_000);
      const told: Error[] = [];
      const { locker, handled } = make();
      locker.on("error", error => told.push(error));
      const few = { retryCount: 2, retryDelay: 500, retryJitter: 0 };
      const error = await errorOf(locker.acquire([resource], 5000, few));
      expect(handled.done).toContain("acquire");
      expect(error.attempts.length).toBeGreaterThan(1);
      expect(told.map(({ name }) => name)).toContain("ResourceLockedError");
      expect(await inLine(resource)).toEqual([0, 0]);
      expect(await redis.get(resource)).toBe("somebody's");
    });

    test("refused in line, it never asked Redis", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      await client.lock(resource).acquire();
      const error = await errorOf(locker.acquire([resource], 5000, { retryCount: 0 }));
      expect(error.cause).toBeInstanceOf(ResourceLockedError);
      expect(handled.done).toEqual([]);
    });

    test("the time in line counts against the tries at Redis", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      await redis.set(resource, "somebody's", "PX", 60_000);
      const held = await client.lock(resource).acquire();
      const some = { retryCount: 20, retryDelay: 25, retryJitter: 0 };
      const beganMs = Date.now();
      const refused = errorOf(locker.acquire([resource], 5000, some));
      await until("most of it to be over", () => Date.now() > beganMs + 400);
      await held.release();
      await refused;
      const tries = handled.done.filter(what => what === "acquire").length;
      expect(tries).toBeGreaterThan(0);
      expect(tries).toBeLessThan(8);
    });

    test("a lock that was long in coming at Redis has its full duration", async () => {
      const resource = fresh();
      await redis.set(resource, "somebody's", "PX", 2000);
      const lock = await make().locker.acquire([resource], 3000, { retryCount: -1 });
      expect(lock.expiration - Date.now()).toBeGreaterThan(1500);
    });

    test("using keeps both for longer than the duration", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      await locker.using([resource], 2000, async signal => {
        await until("three extensions", () => {
          return handled.done.filter(what => what === "extend").length >= 3;
        });
        expect([await inRedis(resource), await inLine(resource)]).toEqual([true, [1, 0]]);
        expect(signal.aborted).toBe(false);
      });
    });

    test("lost in Redis it is lost, and kept at Holdfast until the work has stopped", async () => {
      const [resource, { locker }] = [fresh(), make()];
      const error = await errorOf(
        locker.using([resource], 2000, async signal => {
          await redis.set(resource, "somebody else's", "PX", 60_000);
          await until("the signal", () => signal.aborted);
          const abortedMs = Date.now();
          await until("more than its duration", () => Date.now() > abortedMs + 2500);
          expect(await inLine(resource)).toEqual([1, 0]);
        }),
      );
      expect(error.message).toMatch(/Redis does not have it any more/);
      expect(await inLine(resource)).toEqual([0, 0]);
      expect(await redis.get(resource)).toBe("somebody else's");
    });

    test("lost at Holdfast it is lost, and kept in Redis until the work has stopped", async () => {
      const [resource, { locker }] = [fresh(), make()];
      const error = await errorOf(
        locker.using([resource], 2000, async signal => {
          await node.steal(resource);
          await until("the signal", () => signal.aborted);
          const abortedMs = Date.now();
          await until("more than its duration", () => Date.now() > abortedMs + 2500);
          expect(await inRedis(resource)).toBe(true);
        }),
      );
      const lost = (error.cause as Error).cause;
      expect(lost).toBeInstanceOf(LockLostError);
      expect(lost).toMatchObject({ reason: "revoked" });
      expect(await inRedis(resource)).toBe(false);
    });

    test("an extension that fails now and then costs nothing", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      let failures = 0;
      let fails = true;
      handled.before = what => {
        if (what !== "extend") return;
        fails = !fails;
        if (fails) return;
        failures += 1;
        throw new Error("no route to Redis");
      };
      await locker.using([resource], 2000, async signal => {
        await until("three failures", () => failures >= 3);
        expect(signal.aborted).toBe(false);
      });
    });

    test("Redis that cannot be reached is lost when its time is up, and not later", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      const beganMs = Date.now();
      handled.before = what => {
        // The extension hangs, as one that was sent into a broken connection does.
        return what === "extend" ? new Promise<void>(() => {}) : undefined;
      };
      const error = await errorOf(
        locker.using([resource], 2000, async signal => {
          await until("the signal", () => signal.aborted);
          expect(Date.now() - beganMs).toBeGreaterThan(1900);
          handled.before = () => {};
        }),
      );
      expect(error.message).toMatch(/ran out in Redis/);
      await until("the end in Redis", async () => !(await inRedis(resource)));
    });

    test("an extension is no moment without the lock", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      const lock = await locker.acquire([resource], 10_000);
      let seen = 0;
      handled.extended = () => {
        seen = lock.expiration;
      };
      const extended = await lock.extend(10_000);
      expect(seen).toBeGreaterThan(Date.now());
      expect(extended.signal.aborted).toBe(false);
      await extended.release();
    });

    test("by hand it lapses in both, and says so", async () => {
      const resource = fresh();
      const lock = await make().locker.acquire([resource], 1000);
      await until("the signal", () => lock.signal.aborted);
      expect(lock.expiration).toBe(0);
      await until("both to be free", async () => {
        return !(await inRedis(resource)) && (await inLine(resource))[0] === 0;
      });
      expect((await errorOf(lock.extend(1000))).cause).toBe(lock.signal.error);
      await errorOf(lock.release());
    });

    test("by hand it is extended in both, without the retries that Redis does not need", async () => {
      const [resource, { locker, handled }] = [fresh(), make()];
      const lock = await locker.acquire([resource], 3000);
      const extended = await lock.extend(60_000);
      expect(await redis.pttl(resource)).toBeGreaterThan(30_000);
      expect(extended.value).toBe(lock.value);
      const afterMs = Date.now() + 3500;
      await until("the first duration to be over", () => Date.now() > afterMs);
      expect([await inRedis(resource), await inLine(resource)]).toEqual([true, [1, 0]]);
      await extended.release();
      expect(handled.done).toEqual(["acquire", "extend", "release"]);
    });
  });
}

describeLosses("both over a mock of Redis:", mockRedis);
if (noRealRedis === null) describeLosses("both over Redis:", realRedis);
else
  test("both over Redis", ({ skip }) => {
    skip(noRealRedis ?? "");
  });

test("what npm's redlock is meets the port", () => {
  const port: RedisRedlock<RedisLock> = {} as NpmRedlock;
  expect(port).toBeDefined();
});
