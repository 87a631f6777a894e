/**
 * Ending a process with all that it started. With a group of its own, the group is signalled; without
 * (a terminal's job), the descendants are looked up in /proc, since the group is ours as well.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface Target {
  readonly pid: number;
  /** It leads a process group of its own. */
  readonly ownGroup: boolean;
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in parentheses, may hold anything: the fields begin after the last ")".
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    return parent === undefined ? null : Number(parent);
  } catch {
    return null;
  }
}

/** `pid` and all its descendants, parents first; only `pid` where there is no /proc. */
export function descendants(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  try {
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const parent = parentOf(Number(name));
      if (parent === null) continue;
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [Number(name)]);
      else siblings.push(Number(name));
    }
  } catch {
    return [pid];
  }
  const found = [pid];
  for (let at = 0; at < found.length; at += 1) found.push(...(children.get(found[at] ?? 0) ?? []));
  return found;
}

function trySignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // gone already
  }
}

/** True if anything was there to be signalled. A stopped process is woken, so that it can end. */
export function signalTree(target: Target, signal: NodeJS.Signals): boolean {
  const pids = target.ownGroup ? [-target.pid] : descendants(target.pid);
  let any = false;
  for (const pid of pids) {
    if (trySignal(pid, signal)) any = true;
    if (signal === "SIGTERM") trySignal(pid, "SIGCONT");
  }
  return any;
}
