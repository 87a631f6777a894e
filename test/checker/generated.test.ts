/** Long histories of real objects, which must pass, and damaged ones, which must not. */
import { describe, expect, test } from "vitest";
import { unheard } from "./core/entries.js";
import { check, lock, type Model, type Operation, register } from "./index.js";
import {
  generate,
  type RegisterSetting,
  realLock,
  realRegister,
  type Setting,
  seeded,
} from "./trials/generated.js";

const SMALL: Setting = { operations: 300, processes: 8, unknownOneIn: 12 };
const SEEDS = Array.from({ length: 8 }, (_, seed) => seed);
const ALL_KINDS: RegisterSetting["mix"] = ["put", "get", "get", "cas", "delete"];

const verdict = (operations: readonly Operation[], model: Model): string =>
  check({ operations }, model).verdict;

const registerHistory = (seed: number, how: RegisterSetting, setting: Setting = SMALL) =>
  generate(realRegister(how), seeded(seed), setting).operations;

const lockHistory = (seed: number, setting: Setting = SMALL) =>
  generate(realLock(), seeded(seed), setting).operations;

const seenBy = ({ op, result }: Operation): { value: string; revision: number } | null => {
  if (op.kind !== "get" || typeof result !== "object" || !("value" in result)) return null;
  const { value } = result;
  if (typeof value !== "string" || !("revision" in result)) return null;
  return result.revision === undefined ? null : { value, revision: result.revision };
};

/** A read from the middle on is answered as one before, after a newer value had been read. */
function withStaleRead(operations: readonly Operation[]): Operation[] {
  const reads = operations.flatMap((one, at) => {
    const seen = seenBy(one);
    return seen === null ? [] : [{ one, at, ...seen }];
  });
  const [old] = reads.slice(Math.floor(reads.length / 2));
  const fresh = reads.find(read => read.revision > (old?.revision ?? 0));
  const late = reads.find(({ one }) => one.call > (fresh?.one.return ?? Number.NaN));
  if (old === undefined || late === undefined) throw new Error("nothing was read");
  return operations.with(late.at, { ...late.one, result: old.one.result });
}

const withoutRevision = (operation: Operation): Operation => {
  if (typeof operation.result !== "object" || !("revision" in operation.result)) return operation;
  const { revision: _, ...result } = operation.result;
  return { ...operation, result };
};

describe("a history of a real register passes", () => {
  test.each([
    { values: 0, tellsRevisions: true },
    { values: 0, tellsRevisions: false },
    { values: 3, tellsRevisions: true },
    { values: 3, tellsRevisions: false },
  ])("%o", how => {
    for (const seed of SEEDS) {
      expect(verdict(registerHistory(seed, { ...how, mix: ALL_KINDS }), register)).toBe(
        "linearizable",
      );
    }
  });
});

describe("a history of a real register does not pass with one stale read more", () => {
  test("by its revision, or by its value alone", () => {
    for (const seed of SEEDS) {
      const how = { values: 0, tellsRevisions: true, mix: ALL_KINDS } as const;
      const damaged = withStaleRead(registerHistory(seed, how));
      expect(verdict(damaged, register)).toBe("violation");
      expect(verdict(damaged.map(withoutRevision), register)).toBe("violation");
    }
  });
});

describe("a history of a real lock", () => {
  /** By their tokens, which rise in the order in which they were granted. */
  const grantsOf = (operations: readonly Operation[]) =>
    operations
      .flatMap((one, at) => {
        const { op, result } = one;
        const granted = op.kind === "acquire" && typeof result === "object" && "token" in result;
        return granted ? [{ one, op, at, token: result.token ?? 0, end: one.return ?? 0 }] : [];
      })
      .sort((a, b) => a.token - b.token);

  test("passes", () => {
    for (const seed of SEEDS) expect(verdict(lockHistory(seed), lock)).toBe("linearizable");
  });

  test("does not pass with two tokens exchanged", () => {
    for (const seed of SEEDS) {
      const operations = lockHistory(seed);
      const grants = grantsOf(operations);
      const first = grants[Math.floor(grants.length / 2)];
      const second = grants.find(({ one }) => one.call > (first?.one.return ?? Number.NaN));
      if (first === undefined || second === undefined) throw new Error("nothing was granted");
      const damaged = operations
        .with(first.at, { ...first.one, result: second.one.result })
        .with(second.at, { ...second.one, result: first.one.result });
      expect(verdict(damaged, lock)).toBe("violation");
    }
  });

  test("does not pass when a holder could prove its hold for longer than it had it", () => {
    for (const seed of SEEDS) {
      const operations = lockHistory(seed);
      const grants = grantsOf(operations);
      const isReleased = (token: number, byMs: number): boolean =>
        operations.some(
          ({ op, call }) => op.kind === "release" && op.token === token && call < byMs,
        );
      const expired = grants.findIndex(
        ({ token }, at) => at > 5 && !isReleased(token, grants[at + 1]?.end ?? 0),
      );
      const grant = grants[expired];
      const next = grants[expired + 1];
      if (grant === undefined || next === undefined) throw new Error("no lease ran out");
      const op = { ...grant.op, heldUntil: next.end + 1 };
      expect(verdict(operations.with(grant.at, { ...grant.one, op }), lock)).toBe("violation");
    }
  });
});

describe("ten thousand operations of thirty processes", () => {
  const LARGE: Setting = { operations: 10_000, processes: 30, unknownOneIn: 0 };
  const unique = { values: 0, tellsRevisions: true, mix: ALL_KINDS } as const;

  test("take hardly more than a step each", () => {
    const { verdict, keys } = check({ operations: registerHistory(1, unique, LARGE) }, register);
    expect(verdict).toBe("linearizable");
    expect(keys[0]?.steps).toBeLessThan(20_000);
  });

  test("of which every fifth has an unknown outcome take no more", () => {
    const setting = { ...LARGE, unknownOneIn: 5 };
    const operations = registerHistory(2, unique, setting);
    expect(operations.filter(({ result }) => result === "unknown").length).toBeGreaterThan(1_500);
    const { verdict, keys } = check({ operations }, register);
    expect(verdict).toBe("linearizable");
    expect(keys[0]?.steps).toBeLessThan(20_000);
  });

  test("are searched through for the few that contradict each other", () => {
    const operations = withStaleRead(registerHistory(3, unique, LARGE));
    const { verdict, keys } = check({ operations }, register);
    expect(verdict).toBe("violation");
    const { conflict } = keys[0] ?? {};
    expect(conflict?.smallest).toBe(true);
    expect(conflict?.operations.length).toBeLessThanOrEqual(3);
  });
});

describe("what contradicts itself", () => {
  const how = { values: 0, tellsRevisions: false, mix: ALL_KINDS } as const;
  const told = { ...how, tellsRevisions: true };

  test("is still a violation when nothing else was heard of, and is none without any one of it", () => {
    for (const seed of SEEDS) {
      const source = withStaleRead(registerHistory(seed, told));
      const operations = seed % 2 === 0 ? source : source.map(withoutRevision);
      const conflict = check({ operations }, register).keys[0]?.conflict;
      if (!conflict) throw new Error("no conflict");
      expect(conflict.smallest).toBe(true);
      const hearing = (heard: readonly Operation[]): string =>
        verdict(
          operations.map(one => (heard.includes(one) ? one : unheard(one))),
          register,
        );
      expect(hearing(conflict.operations)).toBe("violation");
      for (const at of conflict.operations.keys()) {
        expect(hearing(conflict.operations.toSpliced(at, 1))).toBe("linearizable");
      }
    }
  });

  test("comes with the order of all that was answered before", () => {
    for (const seed of SEEDS) {
      const operations = withStaleRead(registerHistory(seed, told));
      const { conflict } = check({ operations }, register).keys[0] ?? {};
      if (!conflict) throw new Error("no conflict");
      const endMs = conflict.breaking.return ?? Number.NaN;
      const before = operations.filter(
        ({ return: end, result }) => end !== null && end < endMs && typeof result === "object",
      );
      expect(before.filter(one => !conflict.order.includes(one))).toEqual([]);
      expect(conflict.order).not.toContain(conflict.breaking);
    }
  });
});

describe("a limit", () => {
  const operations = registerHistory(4, { values: 0, tellsRevisions: true, mix: ALL_KINDS });

  test("of steps is a verdict, and the same one every time", () => {
    const limited = () => check({ operations }, register, { limitSteps: 50 });
    expect(limited().verdict).toBe("unknown");
    expect(limited().keys[0]?.limit).toBe("steps");
    expect(limited()).toEqual(limited());
  });

  test("of time is one by the clock that was given", () => {
    const long = registerHistory(
      4,
      { values: 0, tellsRevisions: true, mix: ALL_KINDS },
      {
        ...SMALL,
        operations: 3_000,
      },
    );
    let nowMs = 0;
    const now = (): number => {
      nowMs += 10;
      return nowMs;
    };
    expect(check({ operations: long }, register, { limitMs: 20, now })).toMatchObject({
      verdict: "unknown",
      keys: [{ limit: "time" }],
    });
    expect(check({ operations: long }, register, { limitMs: 20_000, now }).verdict).toBe(
      "linearizable",
    );
    expect(() => check({ operations }, register, { limitMs: 5 })).toThrow(/needs a clock/);
  });
});
