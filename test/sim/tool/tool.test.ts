import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { formatScript, type Overrides, parseScript } from "../script.js";
import { neverHit, RARE, SEEDS_FOR_ALL } from "../sometimes.js";
import { kindOf, type Verdict } from "../verdict.js";
import { changed } from "./hooks.js";
import { addToLedger, nextSeed, readLedger } from "./ledger.js";
import { lineOf } from "./one.js";
import { parseOptions } from "./options.js";
import { shrink } from "./shrink.js";
import { Summary } from "./summary.js";

const folder = mkdtempSync(join(tmpdir(), "holdfast-sim-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const verdict = (seed: number, what: string | null): Verdict => ({
  seed,
  digest: "",
  events: 100,
  simulatedMs: 1_000,
  cpuMs: 10,
  counts: { written: 2 },
  sometimes: { "long line": 1 },
  violation: what === null ? null : { kind: kindOf(what), what, details: what },
});

describe("a shrunk draw", () => {
  test("keeps the client, the strike and the limit that the failure needs, and no other", async () => {
    const shows = async ({ calm, clients, skip = [], settings, workMs = 9_000 }: Overrides) =>
      calm === undefined &&
      (clients?.includes(3) ?? true) &&
      !skip.includes(7) &&
      settings?.messageBytes === undefined &&
      workMs >= 1_000;
    const { clients, skip, settings, workMs } = await shrink({ overrides: {} }, shows);
    expect(clients).toEqual([3]);
    expect(skip).not.toContain(7);
    expect(skip).toContain(1);
    expect(skip).toContain(128);
    expect(settings).not.toHaveProperty("messageBytes");
    expect(settings).toHaveProperty("syncMs");
    expect(workMs).toBe(1_500);
  });

  test("is read as it was written, and what nobody knows is refused", () => {
    const script = { seed: 7, overrides: { skip: [1, 2], plan: "none" }, shows: "…" } as const;
    expect(parseScript(formatScript(script))).toEqual(script);
    expect(() => parseScript('{"seed": 7, "overrides": {"skips": []}}')).toThrow(/skips/);
    expect(() => parseScript("{}")).toThrow(/seed/);
  });
});

describe("a planted change", () => {
  const change = { file: "dist/x.js", find: "a();", replace: "b();" };

  test("takes the one place that it names", () => {
    expect(changed("x(); a(); y();", change)).toBe("x(); b(); y();");
  });

  test.each(["x();", "a(); a();"])("is refused where its place is not there once: %s", source => {
    expect(() => changed(source, change)).toThrow(/not once/);
  });
});

test("two seeds that show the same are of one kind", () => {
  expect(kindOf("n1 applies another entry at 12: term 3, not 2")).toBe(
    kindOf("n3 applies another entry at 99: term 7, not 4"),
  );
  expect(kindOf("never came: all leases end (a1 b2)")).toBe("never came: all leases end");
});

describe("the ledger", () => {
  const path = join(folder, "ledger.json");
  const product = { product: "p1", commit: "c1" };
  const summaryOf = (...verdicts: readonly Verdict[]): Summary => {
    const summary = new Summary();
    for (const one of verdicts) summary.add(one);
    return summary;
  };

  test("goes on where it stands, and adds to what is there", () => {
    expect(nextSeed(readLedger(path))).toBe(1);
    addToLedger(path, product, [1, 2], summaryOf(verdict(1, null), verdict(2, "broken")));
    addToLedger(path, product, [3, 3], summaryOf(verdict(3, "broken")));
    const [record] = readLedger(path).products;
    expect(record).toMatchObject({ ranges: [[1, 3]], seeds: 3, events: 300 });
    expect(record?.violations).toEqual({ broken: [2, 3] });
    expect(record?.sometimes).toEqual({ "long line": 3 });
  });

  test("keeps products apart, and gives no seed twice", () => {
    const next = nextSeed(readLedger(path));
    expect(next).toBe(4);
    const other = { product: "p2", commit: "c2" };
    addToLedger(path, other, [next, next], summaryOf(verdict(next, null)));
    expect(readLedger(path).products.map(({ seeds }) => seeds)).toEqual([3, 1]);
  });
});

test("a campaign that never took a rare path is told which", () => {
  const all = Object.fromEntries(Object.keys(RARE).map(what => [what, 1]));
  expect(neverHit(SEEDS_FOR_ALL, all)).toEqual([]);
  expect(neverHit(SEEDS_FOR_ALL, { ...all, "long line": 0 })).toEqual(["long line"]);
  expect(neverHit(SEEDS_FOR_ALL - 1, {})).toEqual([]);
});

test("a line of the log says when, who and what", () => {
  expect(lineOf(12.34, "n1 sees term 2")).toBe("     12.3  n1          sees term 2");
  expect(lineOf(7, "granted lock/a 3")).toBe("      7.0  line        granted lock/a 3");
  expect(lineOf(7, "cut n1 n2 after 3")).toBe("      7.0  fault       cut n1 n2 after 3");
});

test.each([["fly"], ["--seeds", "x"], ["--plan", "x"], ["--nothing"]])(
  "a command line that means nothing is refused: %s",
  (...args) => {
    expect(() => parseOptions(args)).toThrow();
  },
);
