/**
 * Runs the chapters in testdata/: prose (`# …`), commands, `----`, and what happened.
 * `REWRITE=1 npx vitest run test/storage/scripts` records what happens now; the diff is the review.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Script } from "./script.js";
import { DISAGREEMENT } from "./script-words.js";

const directory = new URL("./testdata/", import.meta.url);

/** The chapter as it would be written today. */
function replay(chapter: string): string {
  const script = new Script();
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

for (const name of readdirSync(directory).sort()) {
  const file = new URL(name, directory);
  const chapter = readFileSync(file, "utf8");
  const title = /^# (.*)$/m.exec(chapter)?.[1] ?? name;
  test(`${name}: ${title}`, () => {
    const now = replay(chapter);
    // Two readers that disagree are never recorded.
    expect(now).not.toContain(DISAGREEMENT);
    if (process.env.REWRITE === "1") writeFileSync(file, now);
    else expect(now).toBe(chapter);
  });
}
