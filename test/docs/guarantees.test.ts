/** docs/GUARANTEES.md: every promise names the tests that prove it, and they are there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BUGS } from "../sim/plant/index.js";
import { ROOT, read } from "../tidy/repository.js";

const PROOF = /^- `(test\/[^`]+\.test\.ts)`: "(.+)"$/;
const PROMISES = 9;

interface Promised {
  readonly title: string;
  readonly proofs: readonly (readonly [file: string, title: string])[];
  /** Lines that begin like a proof and are none. */
  readonly strays: readonly string[];
  readonly planted: readonly string[];
}

/** The quoted names from "*Planted:*" to the paragraph's end, wherever their lines break. */
function plantedIn(section: string): string[] {
  const [, names = ""] = /\*Planted:\*([\s\S]*?)\n\n/.exec(section) ?? [];
  return [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name.replace(/\s+/g, " "));
}

function promisesOf(page: string): Promised[] {
  return page
    .split(/^## /m)
    .slice(1)
    .filter(section => /^\d/.test(section))
    .map(section => {
      const items = section.split("\n").filter(line => line.startsWith("- "));
      const proofs = items.flatMap(line => {
        const [, file, title] = PROOF.exec(line) ?? [];
        return file === undefined || title === undefined ? [] : [[file, title] as const];
      });
      return {
        title: section.split("\n")[0] ?? "",
        proofs,
        strays: items.filter(line => !PROOF.test(line)),
        planted: plantedIn(section),
      };
    });
}

/** Whether `source` has a test of this title: as the first thing that `test(` or `it(` is given. */
function hasTest(source: string, title: string): boolean {
  return source.split(/\b(?:test|it)\(\s*/).some(part => part.startsWith(JSON.stringify(title)));
}

describe("the promises", () => {
  const promises = promisesOf(read("docs/GUARANTEES.md"));

  test("are all there, each with at least two tests", () => {
    expect(promises.map(({ title }) => Number.parseInt(title, 10))).toEqual(
      Array.from({ length: PROMISES }, (_, i) => i + 1),
    );
    for (const { title, proofs, strays } of promises) {
      expect({ title, strays }).toEqual({ title, strays: [] });
      expect(proofs.length, title).toBeGreaterThanOrEqual(2);
    }
  });

  test("name tests that exist under exactly that title", () => {
    const missing = promises.flatMap(({ proofs }) =>
      proofs.filter(
        ([file, title]) => !existsSync(join(ROOT, file)) || !hasTest(read(file), title),
      ),
    );
    expect(missing).toEqual([]);

    expect(hasTest('test("a b", () => {})', "a b")).toBe(true);
    expect(hasTest('it(\n  "a b",\n', "a b")).toBe(true);
    expect(hasTest('test("a b c", () => {})', "a b")).toBe(false);
    expect(hasTest('// "a b"', "a b")).toBe(false);
  });

  test("name planted bugs that the simulator must find, all but the last one", () => {
    const names = new Set(BUGS.map(({ name }) => name));
    for (const { title, planted } of promises) {
      expect({ title, unknown: planted.filter(name => !names.has(name)) }).toEqual({
        title,
        unknown: [],
      });
      if (!title.startsWith("9.")) expect(planted.length, title).toBeGreaterThanOrEqual(2);
    }
  });

  test("are followed by what is not promised", () => {
    expect(read("docs/GUARANTEES.md")).toMatch(/^## What is not promised$/m);
  });
});
