/**
 * Ending a process with all that it started. One that leads a group of its own is ended with its
 * group. One that shares ours (a terminal's job) is ended with its descendants, which are looked
 * up in /proc and remembered: a child whose parent has ended belongs to init, and still to the
 * tree.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface Target {
  readonly pid: number;
  /** It leads a process group of its own. */
  readonly ownGroup: boolean;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** With the pid it names a process for good: pids come again. */
  readonly startedAt: string;
}

const PARENT = 1;
const GROUP = 2;
const STARTED_AT = 19;

/** null: gone, or a zombie, which has ended but for its parent's taking note. */
function processOf(pid: number): Process | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The name, in parentheses, may hold anything: the fields begin after the last ")".
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  const [parent, group] = [Number(fields[PARENT]), Number(fields[GROUP])];
  return { pid, parent, group, startedAt: fields[STARTED_AT] ?? "" };
}

/** null where there is no /proc. */
function allProcesses(): readonly Process[] | null {
  try {
    const pids = readdirSync("/proc").filter(name => /^\d+$/.test(name));
    return pids.flatMap(pid => processOf(Number(pid)) ?? []);
  } catch {
    return null;
  }
}

/** False: it is gone. */
export function trySignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // gone already
  }
}

export class ProcessTree {
  readonly #target: Target;
  readonly #remembered = new Map<number, string>();

  constructor(target: Target) {
    this.#target = target;
    const root = processOf(target.pid);
    if (root !== null) this.#remembered.set(root.pid, root.startedAt);
  }

  get isAlive(): boolean {
    const members = this.#members();
    if (members !== null) return members.length > 0;
    return trySignal(this.#target.ownGroup ? -this.#target.pid : this.#target.pid, 0);
  }

  /** A stopped process is woken by SIGTERM, so that it can end. */
  signal(signal: NodeJS.Signals): void {
    const { pid, ownGroup } = this.#target;
    const pids = ownGroup ? [-pid] : (this.#members() ?? [pid]);
    for (const one of pids) {
      trySignal(one, signal);
      if (signal === "SIGTERM") trySignal(one, "SIGCONT");
    }
  }

  /** Parents first. null where it cannot be told. */
  #members(): readonly number[] | null {
    const all = allProcesses();
    if (all === null) return null;
    const { pid, ownGroup } = this.#target;
    if (ownGroup) return all.filter(one => one.group === pid).map(one => one.pid);
    const found = all.filter(one => this.#remembered.get(one.pid) === one.startedAt);
    for (let at = 0; at < found.length; at += 1) {
      const parent = found[at]?.pid;
      found.push(...all.filter(one => one.parent === parent && !found.includes(one)));
    }
    for (const one of found) this.#remembered.set(one.pid, one.startedAt);
    return found.map(one => one.pid);
  }
}
