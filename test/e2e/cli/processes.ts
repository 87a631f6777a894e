/** Looking at processes that are not ours: do they live, who are their children. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

function statOf(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
}

/** A zombie does not live: it has ended, and waits for its parent to take note. */
export function lives(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

/** The child of `parent` whose command line has `text` in it. */
export function childOf(parent: number, text: string): number | undefined {
  const pids = readdirSync("/proc").filter(name => /^\d+$/.test(name));
  const found = pids.find(
    pid => statOf(Number(pid))?.parent === parent && commandLine(pid).includes(text),
  );
  return found === undefined ? undefined : Number(found);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
