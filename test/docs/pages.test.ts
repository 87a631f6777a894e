/** What all pages have in common: their links lead somewhere, and the tests they name are there. */
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { filesLike, PATHS } from "../tidy/repository.js";

const pages = filesLike(/\.md$/);
/** Folders count as there when something lies in them. */
const exists = (path: string): boolean =>
  PATHS.some(known => known === path || known.startsWith(`${path.replace(/\/$/, "")}/`));

const anchorsOf = (text: string): Set<string> =>
  new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );

describe("the pages", () => {
  test("link to what is there, headings included", () => {
    const broken = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?![a-z]+:)([^)\s]*)\)/g)].flatMap(([, link = ""]) => {
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? path : normalize(join(dirname(path), file));
        if (!exists(target)) return [`${path}: ${link}`];
        if (anchor === undefined) return [];
        const page = pages.find(one => one.path === target);
        return page !== undefined && anchorsOf(page.text).has(anchor) ? [] : [`${path}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  test("that are maps of the code name files that are there", () => {
    const maps = filesLike(/^docs\/(ARCHITECTURE\.md|adr\/.*\.md|GUARANTEES\.md)$/);
    const named = maps.flatMap(({ path, text }) =>
      [...text.matchAll(/`((?:src|clients|test|bench|examples)\/[\w./-]+)`/g)].map(
        ([, file = ""]) => [path, file] as const,
      ),
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter(([, file]) => !exists(file))).toEqual([]);
  });

  test("name tests that are there, by file and title", () => {
    const text = filesLike(/^docs\/TESTING\.md$/)[0]?.text ?? "";
    const missing = [...text.matchAll(/`(test\/[\w/-]+)(\.test\.ts)?`(?:: "([^"]+)")?/g)].filter(
      ([, path = "", , title]) => {
        const file = filesLike(/\.test\.ts$/).find(one => one.path === `${path}.test.ts`);
        if (file === undefined) return title !== undefined || !exists(path);
        return title !== undefined && !file.text.includes(JSON.stringify(title));
      },
    );
    expect(missing.map(([all]) => all)).toEqual([]);
  });
});
