/**
 * The files of this repository, as the tidy tests see them: what git tracks or would track, so that
 * build output and data do not count. Falls back to a walk where there is no git, as in an archive.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const NOT_OURS = new Set(["node_modules", "dist", ".git", "coverage"]);

function walk(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name) || entry.name.endsWith(".holdfast")) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...walk(path));
    else found.push(path);
  }
  return found;
}

function fromGit(): string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const list = execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" });
  return list.split("\0").filter(path => path !== "");
}

function listPaths(): readonly string[] {
  const paths = existsSync(join(ROOT, ".git")) ? fromGit() : walk("");
  const files = paths.filter(path =>
    statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile(),
  );
  return [...new Set(files)].sort();
}

/** Every file's path, sorted. */
export const PATHS = listPaths();

export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The files whose path matches, with their text. */
export const filesLike = (pattern: RegExp): SourceFile[] =>
  PATHS.filter(path => pattern.test(path)).map(path => ({ path, text: read(path) }));

export const readJson = (path: string): unknown => JSON.parse(read(path));
