/** What is typed after an option: how it is understood, and what is said where it is not. */
import { LIMITS } from "holdfast-protocol";
import { describe, expect, test } from "vitest";
import { durationMs, graceMs, ttlMs, waitMs } from "../../src/cli/program.js";

describe("a duration that is typed", () => {
  test("needs its unit, so that nobody's milliseconds are taken for seconds", () => {
    expect(() => durationMs("10000")).toThrow('it needs a unit: "10000s" or "10000ms".');
    expect(() => durationMs("1.5")).toThrow('it needs a unit: "1.5s" or "1.5ms".');
    expect(() => durationMs("soon")).toThrow('write it like "500ms", "30s" or "5m".');
    expect(durationMs("0")).toBe(0);
  });

  test("is held against the cluster's limits, in units that people write", () => {
    for (const text of ["10ms", "999ms", "25h", "0"])
      expect(() => ttlMs(text)).toThrow("it must be between 1s and 24h.");
    expect([ttlMs("1s"), ttlMs("24h")]).toEqual([LIMITS.ttlMinMs, LIMITS.ttlMaxMs]);
    expect(() => graceMs("25h")).toThrow("it must be between 0 and 24h.");
    expect(graceMs("24h")).toBe(LIMITS.graceMaxMs);
    expect(() => waitMs("597h")).toThrow("it must be between 0 and 596h.");
    expect(LIMITS.waitMaxMs - waitMs("596h")).toBeGreaterThanOrEqual(0);
    expect(LIMITS.waitMaxMs - waitMs("596h")).toBeLessThan(3_600_000);
  });
});
