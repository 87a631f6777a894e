/** Which product the simulator runs: a hash of its sources, as they are on disk. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDERS = ["src", "clients/typescript"];
const NOT_SOURCE = new Set(["dist", "node_modules"]);

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap(entry => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : sources(path);
    return entry.name.endsWith(".ts") || entry.name === "package.json" ? [path] : [];
  });
}

export function productHash(): string {
  const hash = createHash("sha256");
  for (const path of FOLDERS.flatMap(sources).sort())
    hash
      .update(`${path}\n`)
      .update(readFileSync(join(ROOT, path)))
      .update("\n");
  return hash.digest("hex").slice(0, 16);
}

/** For people; the hash is what counts. "" where there is no git. */
export function commitName(): string {
  try {
    const args = ["rev-parse", "--short=10", "HEAD"];
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return "";
  }
}
