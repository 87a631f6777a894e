/** docs/PERFORMANCE.md says what the files in bench/results say. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BEGIN, END, figures, withFigures } from "../../bench/performance-page.js";
import { ROOT, read } from "../tidy/repository.js";

describe("the page of figures", () => {
  test("is what the benches wrote down", () => {
    const page = read("docs/PERFORMANCE.md");
    expect(page, "npm run docs:performance writes it anew").toBe(
      withFigures(page, join(ROOT, "bench/results")),
    );
  });

  test("takes the newest load, tells ratios of one run alone, and says what was not measured", () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-figures-"));
    try {
      expect(figures(folder)).toContain("No load has been measured yet");
      const report = { operations: 1, seconds: 1, p50Ms: 1, p99Ms: 2, errors: 0 };
      const load = (perSecond: number) => ({
        at: "2026-01-01T00:00:00Z",
        command: "npm run bench",
        machine: { cores: 2, cpu: "abacus" },
        rounds: 3,
        measureMs: 3_000,
        lines: [
          {
            shape: { workload: "put", workers: 256, connections: 8 },
            reports: { holdfast: { ...report, perSecond }, etcd: { ...report, perSecond: 1_000 } },
          },
          {
            shape: { workload: "get", workers: 1, connections: 1 },
            reports: { holdfast: { ...report, perSecond } },
          },
        ],
      });
      writeFileSync(join(folder, "load-2026-01-02.json"), JSON.stringify(load(2_500)));
      writeFileSync(join(folder, "load-2026-01-01.json"), JSON.stringify(load(9_999)));
      const written = figures(folder);
      expect(written).toContain(
        "| `put` | 256 | 8 | 2,500/s, 1.00 / 2.00 ms | 1,000/s, 1.00 / 2.00 ms | 2.5 |",
      );
      expect(written).toContain("| `get` | 1 | 1 | 2,500/s, 1.00 / 2.00 ms | – | – |");
      expect(written).not.toContain("9,999");
      expect(written).toContain("No fail-over has been measured yet");
      expect(withFigures(`a ${BEGIN} old ${END} b`, folder)).toMatch(/^a [\s\S]* b$/);
      expect(() => withFigures("no markers", folder)).toThrow("markers");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
