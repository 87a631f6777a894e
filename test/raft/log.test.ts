import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LogIndex, logIndex, term } from "../../src/base/ids.js";
import { MemoryLog } from "../../src/raft/log/memory-log.js";
import type { Entry } from "../../src/raft/message/index.js";

const entry = (index: number, at: number, size = 8): Entry => ({
  term: term(at),
  index: logIndex(index),
  kind: 0,
  payload: new Uint8Array(size),
});

type Step =
  | { do: "append"; terms: number; size: number }
  | { do: "cut" | "commit" | "apply" | "drop" | "trim"; to: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("append" as const), terms: fc.nat(1), size: fc.nat(200) }),
  fc.record({
    do: fc.constantFrom("cut" as const, "commit" as const, "apply" as const, "drop" as const),
    to: fc.nat(40),
  }),
  fc.record({ do: fc.constant("trim" as const), to: fc.nat(1500) }),
);

/** The same log as plain arrays. */
class Twin {
  readonly all: Entry[] = [];
  base = 0;
}

function apply(log: MemoryLog, twin: Twin, one: Step): void {
  switch (one.do) {
    case "append": {
      const added = entry(log.lastIndex + 1, log.lastTerm + one.terms, one.size);
      log.append(added);
      twin.all.push(added);
      log.takeForStorage();
      return;
    }
    case "cut":
      if (one.to <= log.committed || one.to > log.lastIndex) return;
      log.cutFrom(logIndex(one.to));
      twin.all.length = one.to - 1;
      return;
    case "commit":
      if (one.to > log.committed && one.to <= log.lastIndex) log.commitTo(logIndex(one.to));
      return;
    case "apply": {
      const handed = log.takeCommitted(one.to * 20);
      const last = handed[handed.length - 1];
      if (last !== undefined) log.appliedTo(last.index);
      return;
    }
    case "drop":
      log.dropTo(logIndex(one.to));
      return;
    case "trim":
      log.trim(one.to, logIndex(log.lastIndex + 1), one.to);
  }
}

function agrees(log: MemoryLog, twin: Twin): void {
  expect(log.lastIndex).toBe(twin.all.length);
  for (let i = 1; i <= twin.all.length; i++) {
    const expected = i < log.baseIndex ? null : (twin.all[i - 1]?.term ?? null);
    expect(log.termAt(i)).toBe(expected);
  }
  if (log.lastIndex > log.baseIndex) {
    const slice = log.slice(log.baseIndex + 1, log.lastIndex, 1e9);
    expect(slice).toEqual(twin.all.slice(log.baseIndex));
    const bytes = slice.reduce((sum, one) => sum + one.payload.length + 64, 0);
    expect(log.bytesBetween(log.baseIndex, log.lastIndex)).toBe(bytes);
  }
}

describe("the log in memory", () => {
  test("it answers like a plain array through appends, cuts and drops", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const log = new MemoryLog(logIndex(0), term(0), []);
        const twin = new Twin();
        for (const one of steps) apply(log, twin, one);
        agrees(log, twin);
      }),
      { numRuns: 300 },
    );
  });

  test("a slice keeps to its bytes but always gives one entry", () => {
    const log = new MemoryLog(
      logIndex(0),
      term(0),
      [1, 2, 3].map(i => entry(i, 1, 36)),
    );
    const sizes = [1, 100, 199, 200, 300, 1000].map(bytes => log.slice(1, 3, bytes).length);
    expect(sizes).toEqual([1, 1, 1, 2, 3, 3]);
  });

  test("what is not applied is never dropped, however small the limit", () => {
    const log = new MemoryLog(
      logIndex(0),
      term(0),
      [1, 2, 3, 4].map(i => entry(i, 1)),
    );
    log.commitTo(logIndex(3));
    log.takeCommitted(1e9);
    log.appliedTo(logIndex(2));
    log.trim(0, logIndex(log.lastIndex + 1), 0);
    expect(log.baseIndex).toBe(2);
  });

  test("committed entries cannot be cut", () => {
    const log = new MemoryLog(logIndex(0), term(0), [entry(1, 1), entry(2, 1)]);
    log.commitTo(logIndex(2));
    expect(() => log.cutFrom(2 as LogIndex)).toThrow("never cut");
  });
});
