/**
 * What npm's `redlock` 5 promises to its callers, as tests that are run against it (over a mock of
 * Redis) and against `holdfast-client/redlock` (over a real node). Durations are 1,000 ms and more,
 * which both take. What only one of the two does is in that one's own test file.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../e2e/harness/until.js";

export interface AnySettings {
  readonly driftFactor: number;
  readonly retryCount: number;
  readonly retryDelay: number;
  readonly retryJitter: number;
  readonly automaticExtensionThreshold: number;
}
export interface AnyStats {
  readonly membershipSize: number;
  readonly quorumSize: number;
  readonly votesFor: Set<unknown>;
  readonly votesAgainst: Map<unknown, Error>;
}
interface AnyResult {
  readonly attempts: readonly Promise<AnyStats>[];
}
export interface AnyLock extends AnyResult {
  readonly resources: readonly string[];
  readonly value: string;
  readonly expiration: number;
  release(): Promise<AnyResult>;
  extend(duration: number): Promise<AnyLock>;
}
type AnySignal = AbortSignal & { error?: Error };
type AnyRoutine<T> = (signal: AnySignal) => Promise<T>;

/** The surface in common. */
export interface AnyRedlock {
  readonly settings: AnySettings;
  acquire(resources: string[], duration: number, settings?: Partial<AnySettings>): Promise<AnyLock>;
  release(lock: AnyLock, settings?: Partial<AnySettings>): Promise<AnyResult>;
  extend(lock: AnyLock, duration: number, settings?: Partial<AnySettings>): Promise<AnyLock>;
  using<T>(resources: string[], duration: number, routine: AnyRoutine<T>): Promise<T>;
  using<T>(
    resources: string[],
    duration: number,
    settings: Partial<AnySettings>,
    routine: AnyRoutine<T>,
  ): Promise<T>;
  on(event: "error", listener: (error: Error) => void): unknown;
  quit(): Promise<void>;
}

export interface Subject {
  /** As a process of its own would have it, with a client of its own. */
  make(settings?: Partial<AnySettings>): AnyRedlock;
  /** Without any client. */
  makeBare(): unknown;
  readonly ExecutionError: abstract new (...args: never[]) => Error & AnyResult;
  readonly ResourceLockedError: abstract new (...args: never[]) => Error;
  /** Takes the lock of `resource` away from whoever has it, and keeps it. */
  steal(resource: string): Promise<void>;
  close(): Promise<void>;
}

const NOT_AT_ALL = { retryCount: 0 } as const;
const PATIENT = { retryCount: 200, retryDelay: 50, retryJitter: 10 } as const;
/** A busy machine is late; it is never early. */
const EARLY_MS = 30;

let names = 0;
export const fresh = (): string => `resource-${process.pid}-${++names}`;

const untilMs = (wallMs: number): Promise<unknown> =>
  until("that moment", () => Date.now() >= wallMs);

export function describeContract(name: string, start: () => Promise<Subject>): void {
  describe.concurrent(name, () => {
    let subject: Subject;
    let a: AnyRedlock;
    let b: AnyRedlock;
    beforeAll(async () => {
      subject = await start();
      a = subject.make();
      b = subject.make();
    });
    afterAll(async () => {
      await Promise.all([a.quit(), b.quit()]);
      await subject.close();
    });

    const refused = async (promise: Promise<unknown>): Promise<Error & AnyResult> => {
      const error = await promise.then(
        () => new Error("it was not refused"),
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(subject.ExecutionError);
      return error as Error & AnyResult;
    };
    const isFree = async (...resources: string[]): Promise<boolean> => {
      const lock = await b.acquire(resources, 10_000, NOT_AT_ALL).catch(() => null);
      await lock?.release();
      return lock !== null;
    };

    test("a lock says what it is of, until when, and how it was voted on", async () => {
      const [resource, beforeMs] = [fresh(), Date.now()];
      const lock = await a.acquire([resource], 5000);
      expect(lock.resources).toEqual([resource]);
      expect(lock.value).not.toBe("");
      expect(lock.expiration).toBeGreaterThan(Date.now());
      expect(lock.expiration).toBeLessThan(Date.now() + 5000);
      expect(beforeMs).toBeLessThan(lock.expiration);
      const stats = await lock.attempts.at(-1);
      expect(stats).toMatchObject({ membershipSize: 1, quorumSize: 1 });
      expect([stats?.votesFor.size, stats?.votesAgainst.size]).toEqual([1, 0]);
      const { attempts } = await lock.release();
      expect((await attempts.at(-1))?.votesFor.size).toBe(1);
      expect(lock.expiration).toBe(0);
    });

    test("what is held is refused to others, by name, and told by the event", async () => {
      const resource = fresh();
      const lock = await a.acquire([resource], 5000);
      const told: Error[] = [];
      const c = subject.make();
      c.on("error", error => told.push(error));
      const error = await refused(c.acquire([resource], 5000, NOT_AT_ALL));
      const stats = await error.attempts.at(-1);
      const why = [...(stats?.votesAgainst.values() ?? [])];
      expect(why[0]).toBeInstanceOf(subject.ResourceLockedError);
      expect(told).toContain(why[0]);
      await lock.release();
      await c.quit();
    });

    test("nobody needs to listen to the event", async () => {
      const resource = fresh();
      const lock = await a.acquire([resource], 5000);
      await refused(b.acquire([resource], 5000, NOT_AT_ALL));
      await lock.release();
    });

    test("who waits long enough gets it when it is released", async () => {
      const resource = fresh();
      const first = await a.acquire([resource], 10_000);
      let got: AnyLock | null = null;
      const waiting = b.acquire([resource], 10_000, PATIENT).then(lock => {
        got = lock;
        return lock;
      });
      await isFree(fresh());
      expect(got).toBeNull();
      await first.release();
      const second = await waiting;
      expect(second.value).not.toBe(first.value);
      await second.release();
    });

    test("who waits for its retries is refused when they are over, and not before", async () => {
      const resource = fresh();
      const lock = await a.acquire([resource], 60_000);
      const beganMs = Date.now();
      await refused(
        b.acquire([resource], 5000, { retryCount: 3, retryDelay: 100, retryJitter: 0 }),
      );
      expect(Date.now() - beganMs).toBeGreaterThan(300 - EARLY_MS);
      await lock.release();
    });

    test("with -1 retries one waits for as long as it takes", async () => {
      const resource = fresh();
      const lock = await a.acquire([resource], 60_000);
      const forEver = { retryCount: -1, retryDelay: 20, retryJitter: 0 };
      const waiting = b.acquire([resource], 5000, forEver);
      await refused(b.acquire([resource], 5000, { retryCount: 5, retryDelay: 20, retryJitter: 0 }));
      await lock.release();
      await (await waiting).release();
    });

    test("a lock that nobody extends ends with its duration, and says so", async () => {
      const resource = fresh();
      const beganMs = Date.now();
      const lock = await a.acquire([resource], 1500);
      const next = await b.acquire([resource], 5000, PATIENT);
      expect(Date.now() - beganMs).toBeGreaterThan(1500 - EARLY_MS);
      expect(lock.expiration).toBeLessThan(Date.now());
      await refused(lock.extend(5000));
      await refused(a.release(lock, NOT_AT_ALL));
      expect(await isFree(resource)).toBe(false);
      await next.release();
    });

    test("an extended lock stands for its new duration, in a new object", async () => {
      const resource = fresh();
      const beganMs = Date.now();
      const lock = await a.acquire([resource], 3000);
      const extended = await lock.extend(10_000);
      expect(extended.value).toBe(lock.value);
      expect(extended.expiration).toBeGreaterThan(Date.now());
      expect(lock.expiration).toBe(0);
      await refused(lock.extend(1000));
      await untilMs(beganMs + 3500);
      expect(extended.expiration).toBeGreaterThan(Date.now());
      expect(await isFree(resource)).toBe(false);
      // By any object of it.
      await lock.release();
      expect(await isFree(resource)).toBe(true);
    });

    test("an extension may be shorter than what was left", async () => {
      const resource = fresh();
      const lock = await a.acquire([resource], 60_000);
      const beganMs = Date.now();
      await lock.extend(1000);
      const next = await b.acquire([resource], 5000, PATIENT);
      expect(Date.now() - beganMs).toBeGreaterThan(1000 - EARLY_MS);
      await next.release();
    });

    test("what was released is neither extended nor released again", async () => {
      const lock = await a.acquire([fresh()], 5000);
      await lock.release();
      await refused(lock.extend(5000));
      await refused(a.release(lock, NOT_AT_ALL));
    });

    test("several resources are locked together or not at all", async () => {
      const [x, y, z] = [fresh(), fresh(), fresh()];
      const lock = await a.acquire([x, y], 60_000);
      expect(lock.resources).toEqual([x, y]);
      await refused(b.acquire([y, z], 5000, NOT_AT_ALL));
      expect(await isFree(z)).toBe(true);
      await lock.release();
      expect(await isFree(y, x)).toBe(true);
    });

    test("using keeps the lock for as long as its routine runs, and returns what that returns", async () => {
      const resource = fresh();
      const result = await a.using([resource], 2500, async signal => {
        const beganMs = Date.now();
        await untilMs(beganMs + 3500);
        expect(await isFree(resource)).toBe(false);
        return signal.aborted ? "lost" : "done";
      });
      expect(result).toBe("done");
      expect(await isFree(resource)).toBe(true);
    });

    test("using lets its routine's error out, and releases", async () => {
      const resource = fresh();
      const mine = new Error("mine");
      const failing = a.using([resource], 5000, NOT_AT_ALL, () => Promise.reject(mine));
      await expect(failing).rejects.toBe(mine);
      expect(await isFree(resource)).toBe(true);
    });

    test("using tells its routine when the lock is lost, and rejects though that returned", async () => {
      const resource = fresh();
      const c = subject.make({ retryCount: 0, automaticExtensionThreshold: 200 });
      let seen: Error | undefined;
      const running = c.using([resource], 2000, async signal => {
        expect(signal.aborted).toBe(false);
        await subject.steal(resource);
        await until("the signal", () => signal.aborted);
        seen = signal.error;
      });
      await refused(running);
      expect(seen).toBeInstanceOf(subject.ExecutionError);
      await c.quit();
    });

    test("using refuses a duration that leaves no time to extend", async () => {
      let ran = false;
      const run = async (): Promise<void> => {
        ran = true;
      };
      const tight = { automaticExtensionThreshold: 901 };
      await expect(a.using([fresh()], 1000, tight, run)).rejects.toThrow(/duration/);
      expect(ran).toBe(false);
    });

    test("a duration is a whole number of milliseconds", async () => {
      await expect(a.acquire([fresh()], 1500.5)).rejects.toThrow(/integer/);
      await expect(a.using([fresh()], 1500.5, async () => {})).rejects.toThrow(/integer/);
    });

    test("of many who want it, one has it at a time, and each has it once", async () => {
      const resource = fresh();
      let inside = 0;
      let most = 0;
      let turns = 0;
      const quick = { retryCount: -1, retryDelay: 10, retryJitter: 5 };
      const worker = (redlock: AnyRedlock): Promise<void> =>
        redlock.using([resource], 10_000, quick, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await isFree(resource);
          turns += 1;
          inside -= 1;
        });
      await Promise.all(Array.from({ length: 10 }, (_, i) => worker(i % 2 === 0 ? a : b)));
      expect([most, turns]).toEqual([1, 10]);
    });

    test("without a client there is none", () => {
      expect(() => subject.makeBare()).toThrow(/client/);
    });
  });
}
