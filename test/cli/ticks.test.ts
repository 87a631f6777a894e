import type { Client, LockInfo } from "holdfast-client";
import { describe, expect, test } from "vitest";
import { describeRuns, runsOf } from "../../src/cli/commands/runs.js";
import { runName, runOf, runPrefix, tickText } from "../../src/cli/output/ticks.js";

const NOON = Date.parse("2026-03-01T12:00:00Z");

describe("a run's name", () => {
  test.each([0, 1, NOON, Number.MAX_SAFE_INTEGER])(
    "of slot %i leads back to job and slot",
    slot => {
      const name = runName("jobs/report", slot);
      expect(runOf(name)).toEqual({ job: "jobs/report", slot });
      expect(name.startsWith(runPrefix("jobs/report"))).toBe(true);
    },
  );

  test.each(["report", "report/12", "/00000001772366700000", `report/${"9".repeat(20)}`, ""])(
    "%o is none",
    name => expect(runOf(name)).toBeNull(),
  );
});

describe("a tick", () => {
  test("is shown as a time in UTC, if it can be one", () => {
    expect(tickText(NOON)).toBe("2026-03-01T12:00:00Z");
    expect(tickText(NOON + 500)).toBe("2026-03-01T12:00:00.500Z");
    expect([0, 118, Number.MAX_SAFE_INTEGER].map(tickText)).toEqual([null, null, null]);
  });
});

test("all runs of a job are told, and nothing that only looks like one", async () => {
  const line = { rule: { kind: "lock" }, holders: [], holderCount: 0, waiterCount: 0 } as const;
  async function* locks() {
    yield { ...line, name: "report/0000x" };
    for (let slot = 0; slot < 2_500; slot += 1) yield { ...line, name: runName("report", slot) };
  }
  const client = { locks } as unknown as Client;
  const runs = await runsOf(client, { ...line, name: "report" } as unknown as LockInfo);
  expect(runs.map(({ slot }) => slot)).toEqual(Array.from({ length: 2_500 }, (_, slot) => slot));
});

test("a job's runs are shown by their ticks, with the names to ask on with", () => {
  const holder = { key: "k", token: 7, lease: "a", owner: "cron@web1", sinceMs: 12_000 };
  const base = { rule: { kind: "lock" }, holderCount: 1, waiterCount: 0 } as const;
  const run = (slot: number, tick: string | null) => ({
    ...{ ...base, name: runName("report", slot), holders: [holder], slot, tick },
  });
  const lines = describeRuns([run(118, null), run(NOON, tickText(NOON))]).split("\n");
  expect(lines.slice(2)).toEqual([
    "Runs of this job that somebody has:",
    "TICK                  TOKEN  SINCE  NAME                         OWNER",
    "118                   7      12 s   report/00000000000000000118  cron@web1",
    "2026-03-01T12:00:00Z  7      12 s   report/00000001772366400000  cron@web1",
  ]);
  const many = Array.from({ length: 12 }, (_, slot) => run(slot, null));
  expect(describeRuns(many).split("\n").at(-1)).toBe("… and 2 more runs");
  expect(describeRuns([])).toBe("");
});
