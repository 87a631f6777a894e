/** A file system of a few MiB in memory at a directory, where this process may mount one. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";

const mounted = new Set<string>();

/** Null once it is there; else why not, and how to get it. */
export function mountSmallDisk(directory: string, bytes: number): string | null {
  mkdirSync(directory, { recursive: true });
  const options = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory];
  const { status, stderr, error } = spawnSync("mount", options, { encoding: "utf8" });
  if (status === 0) {
    mounted.add(directory);
    return null;
  }
  const why = error === undefined ? stderr.trim() : String(error);
  return `no small disk (${why}); run as root, or in "unshare --user --map-root-user --mount"`;
}

/** To be called before the directory is removed, and after whoever uses it has ended. */
export function unmountSmallDisks(): void {
  for (const directory of mounted) spawnSync("umount", [directory]);
  mounted.clear();
}
