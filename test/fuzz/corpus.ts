/**
 * The corpus: `corpus/<target>/<name>.txt`, one input a file. Lines with `#` say why it is here,
 * `outcome:` what becomes of it, then follows the input (text.ts). A file without an outcome is a
 * finding that nobody has mended yet.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inputOf, textOf } from "./text.js";

const ROOT = fileURLToPath(new URL("corpus", import.meta.url));
const OUTCOME = "outcome: ";

export interface CorpusFile {
  readonly name: string;
  /** Why it is here, line by line. */
  readonly why: readonly string[];
  readonly outcome: string | null;
  readonly input: unknown;
}

export function readCorpus(target: string): CorpusFile[] {
  const folder = join(ROOT, target);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter(name => name.endsWith(".txt"));
  return names.sort().map(name => readCorpusFile(join(folder, name)));
}

export function readCorpusFile(path: string): CorpusFile {
  const lines = readFileSync(path, "utf8").split("\n");
  const start = lines.findIndex(line => !line.startsWith("#") && !line.startsWith(OUTCOME));
  const head = lines.slice(0, start);
  const outcome = head.find(line => line.startsWith(OUTCOME))?.slice(OUTCOME.length) ?? null;
  const why = head.filter(line => line.startsWith("#")).map(line => line.slice(1).trim());
  const name = path.replace(/^.*\//, "").replace(/\.txt$/, "");
  return { name, why, outcome, input: inputOf(lines.slice(start).join("\n")) };
}

/** Writes or overwrites; returns the path. */
export function writeCorpusFile(target: string, file: CorpusFile): string {
  const folder = join(ROOT, target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${file.name}.txt`);
  const head = file.why.map(line => `# ${line}`);
  if (file.outcome !== null) head.push(OUTCOME + file.outcome);
  writeFileSync(path, `${[...head, textOf(file.input)].join("\n")}\n`);
  return path;
}
