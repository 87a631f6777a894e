/** docs/GUARANTEES.md: every promise names the tests that prove it, and they are there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BUGS } from "../sim/plant/index.js";
import { ROOT, read } from "../tidy/repository.js";

const PROOF = /^- `(test\/(?:[^`]+\.test\.ts|state\/testdata\/\w+\.txt))`: "(.+)"$/;
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

const numbered = (page: string): string[] =>
  page
    .split(/^## /m)
    .slice(1)
    .filter(section => /^\d/.test(section));

/** What is said of each kind of line. */
const ofKinds = (page: string): string[] => {
  const [, section = ""] = /^## For each way to take turns$([\s\S]*?)^## /m.exec(page) ?? [];
  return section.split(/^### /m).slice(1);
};

function promisesOf(sections: readonly string[]): Promised[] {
  return sections.map(section => {
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

/** Whether the file has such a test, or the script a passage of that heading. */
const proves = (file: string, title: string): boolean =>
  existsSync(join(ROOT, file)) &&
  (file.endsWith(".txt")
    ? read(file).split("\n").includes(`# ${title}`)
    : hasTest(read(file), title));

/** Whether `source` has a test of this title: as the first thing that `test(` or `it(` is given. */
function hasTest(source: string, title: string): boolean {
  return source.split(/\b(?:test|it)\(\s*/).some(part => part.startsWith(JSON.stringify(title)));
}

describe("the promises", () => {
  const page = read("docs/GUARANTEES.md");
  const promises = promisesOf(numbered(page));
  const kinds = promisesOf(ofKinds(page));

  test("are all there, each with at least two tests", () => {
    expect(promises.map(({ title }) => Number.parseInt(title, 10))).toEqual(
      Array.from({ length: PROMISES }, (_, i) => i + 1),
    );
    expect(kinds.length).toBe(6);
    for (const { title, proofs, strays } of [...promises, ...kinds]) {
      expect({ title, strays }).toEqual({ title, strays: [] });
      expect(proofs.length, title).toBeGreaterThanOrEqual(2);
    }
  });

  test("name tests that exist under exactly that title", () => {
    const missing = [...promises, ...kinds].flatMap(({ proofs }) =>
      proofs.filter(([file, title]) => !proves(file, title)),
    );
    expect(missing).toEqual([]);

    expect(hasTest('test("a b", () => {})', "a b")).toBe(true);
    expect(hasTest('it(\n  "a b",\n', "a b")).toBe(true);
    expect(hasTest('test("a b c", () => {})', "a b")).toBe(false);
    expect(hasTest('// "a b"', "a b")).toBe(false);
    expect(proves("test/state/testdata/line.txt", "No such passage.")).toBe(false);
  });

  test("name planted bugs that the simulator must find, all but the last one", () => {
    const names = new Set(BUGS.map(({ name }) => name));
    for (const { title, planted } of kinds) expect(planted.length, title).toBeGreaterThan(0);
    for (const { title, planted } of [...promises, ...kinds]) {
      expect({ title, unknown: planted.filter(name => !names.has(name)) }).toEqual({
        title,
        unknown: [],
      });
      if (/^[1-8]\./.test(title)) expect(planted.length, title).toBeGreaterThanOrEqual(2);
    }
  });

  test("are followed by what is not promised", () => {
    expect(page).toMatch(/^## What is not promised$/m);
  });
});
