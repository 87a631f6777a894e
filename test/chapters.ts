/**
 * Chapters: prose (`# …`), commands, `----`, and what happened, in blocks parted by empty lines.
 * They are read as documentation and compared as tests; `REWRITE=1` records what happens now, and
 * the diff is the review. What the commands mean is each room's own: raft's and storage's scripts.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Runs one block of commands; what happened, a line each. */
export interface Interpreter {
  run(commands: readonly string[]): readonly string[];
}

/** The chapter as it would be written today. */
function replay(chapter: string, script: Interpreter): string {
  const blocks = chapter.trim().split(/\n\n+/);
  const written = blocks.map(block => {
    const lines = block.split("\n");
    const end = lines.indexOf("----");
    const given = end < 0 ? lines : lines.slice(0, end);
    const commands = given.filter(line => line.trim() !== "" && !line.startsWith("#"));
    if (commands.length === 0) return block;
    return [...given, "----", ...script.run(commands)].join("\n");
  });
  return `${written.join("\n\n")}\n`;
}

/** One test for each chapter in `directory`, titled by its first line. */
export function testChapters(directory: URL, begin: () => Interpreter): void {
  for (const name of readdirSync(directory).sort()) {
    const file = new URL(name, directory);
    const chapter = readFileSync(file, "utf8");
    const title = /^# (.*)$/m.exec(chapter)?.[1] ?? name;
    test(`${name}: ${title}`, () => {
      const now = replay(chapter, begin());
      if (process.env.REWRITE === "1") writeFileSync(file, now);
      else expect(now).toBe(chapter);
    });
  }
}
