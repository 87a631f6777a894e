/** The parts of `holdfast-client/redlock` over a client that is made up: what no real node shows at will. */
import { HoldfastError, OutcomeUnknownError, type Session } from "holdfast-client";
import { ExecutionError, type HoldfastClient, Redlock } from "holdfast-client/redlock";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

interface Grant {
  readonly names: string | readonly string[];
  readonly waitMs: number | undefined;
  readonly lost: AbortController;
  released: boolean;
}

/** Grants everything at once, unless `refuse` says otherwise; its clocks never doubt. */
class MadeUpClient {
  readonly sessions: { ttlMs: number; marginMs: number; lost: AbortController; closed: boolean }[] =
    [];
  readonly grants: Grant[] = [];
  refuse: Error | null = null;
  refuseRelease: Error | null = null;

  get client(): HoldfastClient {
    const made: unknown = { session: this.#session, close: async () => {} };
    return made as HoldfastClient;
  }

  readonly #session = ({ ttlMs = 0, marginMs = 0 } = {}): Session => {
    const session = { ttlMs, marginMs, lost: new AbortController(), closed: false };
    this.sessions.push(session);
    const made: unknown = {
      signal: session.lost.signal,
      lock: (names: string | readonly string[]) => ({
        acquire: async ({ waitMs }: { waitMs?: number }) => this.#grant(names, waitMs),
      }),
      close: async () => {
        session.closed = true;
      },
    };
    return made as Session;
  };

  #grant(names: string | readonly string[], waitMs: number | undefined): unknown {
    if (this.refuse !== null) throw this.refuse;
    const grant = { names, waitMs, lost: new AbortController(), released: false };
    this.grants.push(grant);
    return {
      key: `${String(names)}/${this.grants.length}`,
      token: this.grants.length,
      remainingMs: 1e9,
      signal: grant.lost.signal,
      confirm: async () => {},
      release: async () => {
        if (this.refuseRelease !== null) throw this.refuseRelease;
        grant.released = true;
        return { heldToTheEnd: true };
      },
    };
  }
}

const unknown = new OutcomeUnknownError({ code: "OUTCOME_UNKNOWN", message: "nobody answered" });

async function errorOf(promise: Promise<unknown>): Promise<ExecutionError> {
  const error = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ExecutionError);
  return error as ExecutionError;
}

describe("what is asked of the client", () => {
  test("the resources' names, all at once, each once", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    await redlock.acquire(["a"], 5000);
    await redlock.acquire(["a", "a"], 5000);
    await redlock.acquire(["b", "a", "b"], 5000);
    expect(made.grants.map(({ names }) => names)).toEqual([["a"], ["a"], ["b", "a"]]);
  });

  test.each([
    [{ retryCount: 0, retryDelay: Number.POSITIVE_INFINITY }, 0],
    [{ retryCount: 10, retryDelay: 200, retryJitter: 100 }, 3000],
    [{ retryCount: -1 }, undefined],
    [{ retryCount: Number.POSITIVE_INFINITY }, undefined],
    [{ retryCount: 1, retryDelay: 2_147_483_647, retryJitter: 0 }, 2_147_483_647],
    [{ retryCount: 1, retryDelay: 2_147_483_647, retryJitter: 1 }, undefined],
  ])("to wait in line as long as the retries would take: %j", async (settings, waitMs) => {
    const made = new MadeUpClient();
    await new Redlock([made.client]).acquire(["a"], 5000, settings);
    expect(made.grants[0]?.waitMs).toBe(waitMs);
  });

  test("a lease of the duration, with the drift or the threshold off its end", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client], { driftFactor: 0.02 });
    await redlock.acquire(["a"], 5000);
    await redlock.using(["a"], 5000, () => {});
    await redlock.using(["a"], 1000, () => {});
    const times = made.sessions.map(({ ttlMs, marginMs }) => [ttlMs, marginMs]);
    expect(times).toEqual([
      [5000, 102],
      [5000, 500],
      [1000, 200],
    ]);
  });
});

describe("an outcome that nobody knows", () => {
  test("of an acquire is told as such", async () => {
    const made = new MadeUpClient();
    made.refuse = unknown;
    const error = await errorOf(new Redlock([made.client]).acquire(["a"], 5000));
    expect([error.outcome, error.cause]).toEqual(["unknown", unknown]);
  });

  test("of a release is told as such; of a using it is told by the event", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    const told: Error[] = [];
    redlock.on("error", error => told.push(error));
    made.refuseRelease = unknown;
    const error = await errorOf((await redlock.acquire(["a"], 5000)).release());
    expect([error.outcome, error.cause]).toEqual(["unknown", unknown]);
    expect(await redlock.using(["a"], 5000, () => "done")).toBe("done");
    expect(told).toEqual([unknown, unknown]);
  });

  test("a refusal of the arguments is not dressed up as one of the lock", async () => {
    const made = new MadeUpClient();
    made.refuse = new HoldfastError({ code: "INVALID_PARAMETER", message: "too many names" });
    const acquiring = new Redlock([made.client]).acquire(["a"], 5000);
    await expect(acquiring).rejects.toBe(made.refuse);
  });
});

describe("leases", () => {
  test("locks of one duration share one, and the next finds it standing", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    const [a, b] = [await redlock.acquire(["a"], 5000), await redlock.acquire(["b"], 5000)];
    await a.release();
    await b.release();
    await redlock.acquire(["c"], 5000);
    expect(made.sessions).toHaveLength(1);
    expect(made.sessions[0]?.closed).toBe(false);
  });

  test("one that is lost is not lent again, and goes with its last lock", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    const old = await redlock.acquire(["a"], 5000);
    made.sessions[0]?.lost.abort();
    await redlock.acquire(["b"], 5000);
    expect(made.sessions.map(({ closed }) => closed)).toEqual([false, false]);
    await old.release();
    expect(made.sessions.map(({ closed }) => closed)).toEqual([true, false]);
  });

  test("of many durations only the last few are kept for the next", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    for (let i = 0; i < 20; i++) await (await redlock.acquire(["a"], 5000 + i)).release();
    expect(made.sessions.filter(({ closed }) => !closed).map(({ ttlMs }) => ttlMs)).toEqual([
      5016, 5017, 5018, 5019,
    ]);
    await redlock.quit();
    expect(made.sessions.filter(({ closed }) => !closed)).toEqual([]);
  });

  test("a refused acquire leaves none behind in use", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    made.refuse = unknown;
    for (let i = 0; i < 20; i++) await errorOf(redlock.acquire(["a"], 5000 + i));
    expect(made.sessions.filter(({ closed }) => !closed)).toHaveLength(4);
  });
});

describe("the end of a duration", () => {
  let nowMs = 0;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  const pass = (clockMs: number, timersMs: number): Promise<unknown> => {
    nowMs += clockMs;
    return vi.advanceTimersByTimeAsync(timersMs);
  };

  test("comes also when the timer fired a little too soon", async () => {
    const made = new MadeUpClient();
    const lock = await new Redlock([made.client]).acquire(["a"], 5000);
    // Whoever looks at the lock itself makes it look at the clock.
    const { signal } = lock;
    await pass(4999.5, 5000);
    expect([signal.aborted, made.grants[0]?.released]).toEqual([false, false]);
    await pass(0.5, 1);
    expect([signal.aborted, made.grants[0]?.released]).toEqual([true, true]);
  });

  test("is seen by whoever looks, when no timer fires", async () => {
    const made = new MadeUpClient();
    const lock = await new Redlock([made.client]).acquire(["a"], 5000);
    await pass(5000, 0);
    expect(lock.expiration).toBe(0);
    expect(lock.signal.aborted).toBe(true);
    await errorOf(lock.extend(5000));
  });

  test("frees what was lost before, and was never released", async () => {
    const made = new MadeUpClient();
    const lock = await new Redlock([made.client]).acquire(["a"], 5000);
    made.grants[0]?.lost.abort(new Error("broken"));
    const { error } = lock.signal;
    await pass(4999, 4999);
    expect(made.grants[0]?.released).toBe(false);
    await pass(1, 1);
    expect(made.grants[0]?.released).toBe(true);
    expect(lock.signal.error).toBe(error);
  });

  test("counts from the grant, and anew from each extension", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    const lock = await redlock.acquire(["a"], 5000);
    await pass(4000, 4000);
    const extended = await redlock.extend(lock, 2000);
    await pass(1999, 1999);
    expect(extended.signal.aborted).toBe(false);
    await pass(1, 1);
    expect(extended.signal.aborted).toBe(true);
  });

  test("does not come for what using keeps, nor for what was released", async () => {
    const made = new MadeUpClient();
    const redlock = new Redlock([made.client]);
    await redlock.using(["a"], 5000, async (signal, { lock }) => {
      const extended = await lock.extend(1000);
      await pass(60_000, 60_000);
      expect([signal.aborted, extended.expiration > 0]).toEqual([false, true]);
    });
    const lock = await redlock.acquire(["a"], 5000);
    await lock.release();
    await pass(60_000, 60_000);
    expect(lock.signal.aborted).toBe(false);
  });
});
