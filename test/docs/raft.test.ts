/** docs/RAFT.md: what it quotes stands so in the chapters, and its numbers are the code's. */
import { describe, expect, test } from "vitest";
import { DEFAULT_LOG_LIMITS } from "../../src/log/options.js";
import { DEFAULT_RAFT_OPTIONS } from "../../src/raft/options.js";
import { read } from "../tidy/repository.js";

const GAP = "…";
const EXCERPT = /^```text (\S+\.txt)\n([\s\S]*?)^```$/gm;

/** The first line of `excerpt` that does not follow in `chapter`, gaps apart; null if all do. */
function misquoted(excerpt: string, chapter: string): string | null {
  const lines = chapter.split("\n");
  let from = 0;
  for (const part of excerpt.trimEnd().split(`${GAP}\n`)) {
    const wanted = part.trimEnd().split("\n");
    const at = lines.findIndex(
      (_, start) => start >= from && wanted.every((line, n) => lines[start + n] === line),
    );
    if (at < 0) return wanted.find(line => !lines.includes(line)) ?? wanted[0] ?? "";
    from = at + wanted.length;
  }
  return null;
}

describe("the page on Raft", () => {
  const page = read("docs/RAFT.md");

  test("quotes its chapters line by line", () => {
    const excerpts = [...page.matchAll(EXCERPT)];
    expect(excerpts.length).toBeGreaterThan(12);
    const wrong = excerpts.flatMap(([, name = "", excerpt = ""]) => {
      const line = misquoted(excerpt, read(`test/raft/testdata/${name}`));
      return line === null ? [] : [`${name}: ${line}`];
    });
    expect(wrong).toEqual([]);
    // Every block says where it is from.
    expect(page.match(/^```\w+/gm)?.length).toBe(excerpts.length);
  });

  test("would be caught misquoting", () => {
    const chapter = "a\nb\nc\nd\n";
    expect(misquoted("a\nb\n", chapter)).toBeNull();
    expect(misquoted(`a\n${GAP}\nc\nd\n`, chapter)).toBeNull();
    expect(misquoted("a\nc\n", chapter)).toBe("a");
    expect(misquoted(`c\n${GAP}\na\n`, chapter)).toBe("a");
    expect(misquoted("a\nx\n", chapter)).toBe("x");
  });

  test("tells the numbers as they are", () => {
    const known: Readonly<Record<string, number>> = { ...DEFAULT_RAFT_OPTIONS };
    const told = [...page.matchAll(/^\| `(\w+Ticks\w*)` \| (\d+) \|/gm)];
    expect(told.length).toBe(4);
    for (const [, name = "", value] of told) {
      expect({ name, value: Number(value) }).toEqual({ name, value: known[name] });
    }
    expect(page).toContain(`| ticks of ${DEFAULT_LOG_LIMITS.tickMs} ms |`);
  });
});
