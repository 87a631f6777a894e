import { describe, expect, test } from "vitest";
import { slotAt } from "../../src/cli/commands/once.js";

const at = (text: string): number => Date.parse(text);

describe("the tick that a moment is in", () => {
  test.each([
    ["2026-03-01T12:00:00.000Z", 300_000, "2026-03-01T12:00:00.000Z"],
    ["2026-03-01T12:04:59.999Z", 300_000, "2026-03-01T12:00:00.000Z"],
    ["2026-03-01T12:05:00.000Z", 300_000, "2026-03-01T12:05:00.000Z"],
    ["2026-03-01T23:59:59.999Z", 86_400_000, "2026-03-01T00:00:00.000Z"],
    ["2026-03-01T12:00:00.750Z", 500, "2026-03-01T12:00:00.500Z"],
  ])("%s, every %i ms, began at %s", (now, everyMs, slot) =>
    expect(slotAt(at(now), everyMs)).toBe(at(slot)),
  );
});
