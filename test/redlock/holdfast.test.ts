/** The contract, by `holdfast-client/redlock` over a real node; then what only it does. */
import { type Client, connect, LockLostError, UnavailableError } from "holdfast-client";
import { ExecutionError, Redlock, ResourceLockedError } from "holdfast-client/redlock";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../e2e/harness/ports.js";
import { until } from "../e2e/harness/until.js";
import { describeContract, fresh } from "./contract.js";
import { type OneNode, oneNode } from "./node.js";

describeContract("holdfast-client/redlock", async () => {
  const node = await oneNode();
  return {
    make: settings => new Redlock([connect(node.url)], settings),
    makeBare: () => new Redlock([]),
    ExecutionError,
    ResourceLockedError,
    steal: resource => node.steal(resource),
    close: () => node.stop(),
  };
});

const errorOf = async (promise: Promise<unknown>): Promise<ExecutionError> => {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ExecutionError)) throw new Error(`no ExecutionError: ${String(error)}`);
  return error;
};

describe("over Holdfast", () => {
  let node: OneNode;
  let client: Client;
  const lockers: Redlock[] = [];
  const make = (...settings: ConstructorParameters<typeof Redlock>[1][]): Redlock => {
    const locker = new Redlock([connect(node.url)], settings[0]);
    lockers.push(locker);
    return locker;
  };
  beforeAll(async () => {
    node = await oneNode();
    client = connect(node.url);
  });
  afterEach(async () => {
    await Promise.all(lockers.splice(0).map(locker => locker.quit()));
  });
  afterAll(async () => {
    await client.close();
    await node.stop();
  });

  test("every lock has a fencing token greater than all before", async () => {
    const [a, resource] = [make(), fresh()];
    const first = await a.acquire([resource], 5000);
    await first.release();
    const token = await a.using([resource], 5000, async (_signal, { lock }) => lock.token);
    const last = await make().acquire([resource], 5000);
    expect(first.token).toBeGreaterThan(0);
    expect(token).toBeGreaterThan(first.token);
    expect(last.token).toBeGreaterThan(token);
    const [holder] = (await client.lock(resource).inspect()).holders;
    expect(holder).toMatchObject({ token: last.token, key: last.value });
  });

  test("those who wait are served in the order in which they came", async () => {
    const resource = fresh();
    const first = await make().acquire([resource], 60_000);
    const order: number[] = [];
    const waiting: Promise<void>[] = [];
    for (let i = 0; i < 5; i++) {
      const forEver = { retryCount: -1 };
      waiting.push(
        make().using([resource], 60_000, forEver, async () => {
          order.push(i);
        }),
      );
      await until("its place in line", async () => {
        return (await client.lock(resource).inspect()).waiterCount === i + 1;
      });
    }
    await first.release();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test("who is refused is told who holds it", async () => {
    const resource = fresh();
    const lock = await make().acquire([resource], 60_000);
    const error = await errorOf(make().acquire([resource], 5000, { retryCount: 0 }));
    expect(error.outcome).toBe("not-applied");
    const { cause } = error;
    expect(cause).toBeInstanceOf(ResourceLockedError);
    const holders = ((cause as Error).cause as { holders: unknown[] }).holders;
    expect(holders).toMatchObject([{ token: lock.token }]);
    expect((await client.lock(resource).inspect()).waiterCount).toBe(0);
  });

  test.each([
    [["x"], 999, /duration .* from 1,000 to 86,400,000/],
    [["x"], 86_400_001, /duration .* from 1,000 to 86,400,000/],
    [[], 5000, /resources .* one or more/],
    [[""], 5000, /name/],
  ])("what cannot be is refused by name, and not made to fit: %j for %d ms", async (...of) => {
    const [resources, duration, message] = of;
    const refusal = { code: "INVALID_PARAMETER", message: expect.stringMatching(message) };
    await expect(make().acquire(resources, duration)).rejects.toMatchObject(refusal);
    await expect(make().using(resources, duration, () => {})).rejects.toMatchObject(refusal);
  });

  test.each([
    [{ retryCount: -2 }, /retryCount/],
    [{ retryDelay: Number.NaN }, /retryDelay/],
    [{ driftFactor: 0.5 }, /driftFactor/],
  ])("so are settings: %j", (settings, message) => {
    const refusal = { code: "INVALID_PARAMETER", message: expect.stringMatching(message) };
    expect(() => make(settings)).toThrow(expect.objectContaining(refusal));
  });

  test("one cluster, one client: two are refused", () => {
    expect(() => new Redlock([client, connect(node.url)])).toThrow(/clients must be one/);
  });

  test("a resource that is named twice is one", async () => {
    const resource = fresh();
    const lock = await make().acquire([resource, resource], 5000);
    expect(lock.resources).toEqual([resource, resource]);
    await lock.release();
    expect((await client.lock(resource).inspect()).holders).toEqual([]);
  });

  test("a lock that is taken away says so by its signal, and is not released in silence", async () => {
    const resource = fresh();
    const lock = await make().acquire([resource], 60_000);
    expect(lock.signal.aborted).toBe(false);
    await node.steal(resource);
    await until("the signal", () => lock.signal.aborted);
    expect(lock.expiration).toBe(0);
    const { error } = lock.signal;
    expect(error).toBeInstanceOf(ExecutionError);
    expect(lock.signal.reason).toBe(error);
    expect((error as Error).cause).toBeInstanceOf(LockLostError);
    expect((error as Error).cause).toMatchObject({ reason: "revoked" });
    expect((await errorOf(lock.extend(5000))).cause).toBe(error);
    expect((await errorOf(lock.release())).cause).toBe(error);
  });

  test("a lock that lapsed says so by its signal, with the reason expired", async () => {
    const resource = fresh();
    const lock = await make().acquire([resource], 2000);
    await until("the signal", () => lock.signal.aborted);
    const lost = (lock.signal.error as Error).cause;
    expect(lost).toBeInstanceOf(LockLostError);
    expect(lost).toMatchObject({ reason: "expired" });
    await until("it to be free", async () => {
      return (await client.lock(resource).inspect()).holders.length === 0;
    });
  });

  test("using rejects with the very error of its signal when its routine did not see it", async () => {
    const resource = fresh();
    let signal: AbortSignal | undefined;
    const error = await errorOf(
      make().using([resource], 60_000, async own => {
        signal = own;
        await node.steal(resource);
        await until("the signal", () => own.aborted);
      }),
    );
    expect(error).toBe(signal?.reason);
  });

  test("using returns what its routine returned although the release failed, and tells that", async () => {
    const [own, resource] = [await oneNode(), fresh()];
    const locker = new Redlock([connect(own.url, { timeoutMs: 200 })]);
    const told: Error[] = [];
    locker.on("error", error => told.push(error));
    const result = await locker.using([resource], 60_000, async () => {
      await own.stop();
      return "done";
    });
    expect(result).toBe("done");
    expect(told).toHaveLength(1);
    await locker.quit();
  });

  test("no node that answers: nothing was applied, and it says so", async () => {
    const [port] = await freePorts(1);
    const locker = new Redlock([connect(`http://127.0.0.1:${port}`, { timeoutMs: 200 })]);
    const told: Error[] = [];
    locker.on("error", error => told.push(error));
    const error = await errorOf(locker.acquire([fresh()], 5000, { retryCount: 0 }));
    expect(error.cause).toBeInstanceOf(UnavailableError);
    expect(error.outcome).toBe("not-applied");
    expect(told).toEqual([error.cause]);
    const stats = await error.attempts[0];
    expect([...(stats?.votesAgainst.values() ?? [])]).toEqual([error.cause]);
    await locker.quit();
  });

  test("quit lets what is held pass on at once", async () => {
    const [locker, resource] = [make(), fresh()];
    await locker.acquire([resource], 60_000);
    const next = make().acquire([resource], 5000, { retryCount: -1 });
    await until("its place in line", async () => {
      return (await client.lock(resource).inspect()).waiterCount === 1;
    });
    await locker.quit();
    expect((await next).expiration).toBeGreaterThan(Date.now());
  });
});
