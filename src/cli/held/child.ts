/** CMD: started with the hold in its environment; signals pass to it; its end as an exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { HELD_EXIT } from "../output/exit-codes.js";
import { CannotStart } from "./cannot-start.js";
import { ProcessTree, type Target } from "./process-tree.js";

/** How CMD ended. */
export interface End {
  /** As a shell tells it: 128 + signal if killed by one. */
  readonly code: number;
  /** A signal killed it. */
  readonly killed: boolean;
}

export interface Child {
  /** null: it could not be started. */
  readonly target: Target | null;
  /** Rejects with CannotStart. */
  readonly ended: Promise<End>;
}

const PASSED_ON = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const;
/** With a terminal the kernel sends these to the whole group, CMD included. */
const FROM_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

function cannotStart(command: string, error: NodeJS.ErrnoException): CannotStart {
  if (error.code === "ENOENT") {
    return new CannotStart(`${command}: command not found`, HELD_EXIT.notFound);
  }
  if (error.code === "EACCES") {
    return new CannotStart(`${command}: not executable`, HELD_EXIT.notExecutable);
  }
  return new CannotStart(`${command}: ${error.message}`, HELD_EXIT.notExecutable);
}

/**
 * Catches signals for CMD: from before it is started, since it may be heard of, and signalled,
 * before `spawn` returns. They are events, which come when it is known to whom they go.
 */
class Passing {
  readonly #removals: readonly (() => void)[];
  #to: { readonly tree: ProcessTree; readonly ownGroup: boolean } | null = null;

  constructor() {
    this.#removals = PASSED_ON.map(signal => {
      const handler = () => this.#pass(signal);
      process.on(signal, handler);
      return () => process.off(signal, handler);
    });
  }

  to(target: Target): void {
    this.#to = { tree: new ProcessTree(target), ownGroup: target.ownGroup };
  }

  #pass(signal: (typeof PASSED_ON)[number]): void {
    if (this.#to === null) return;
    const { tree, ownGroup } = this.#to;
    if (ownGroup || !FROM_TERMINAL.has(signal)) tree.signal(signal);
  }

  stop(): void {
    for (const remove of this.#removals) remove();
  }
}

function endOf(child: ChildProcess, command: string, passing: Passing): Promise<End> {
  return new Promise((resolve, reject) => {
    child.once("error", error => {
      passing.stop();
      reject(cannotStart(command, error));
    });
    child.once("exit", (code, signal) => {
      passing.stop();
      if (signal === null) resolve({ code: code ?? 0, killed: false });
      else resolve({ code: 128 + constants.signals[signal], killed: true });
    });
  });
}

/** Some of what keeps a command from being started is an event, and some is thrown. */
function spawned(
  command: string,
  args: readonly string[],
  detached: boolean,
  env: NodeJS.ProcessEnv,
  passing: Passing,
): ChildProcess {
  try {
    return spawn(command, args, { stdio: "inherit", detached, env });
  } catch (error) {
    passing.stop();
    throw error instanceof Error ? cannotStart(command, error) : error;
  }
}

/**
 * Starts CMD; throws CannotStart. With a terminal it stays in our process group, so that it may
 * read from it; without one it leads a group of its own.
 */
export function startChild(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Child {
  const terminal = [0, 1, 2].some(fd => isatty(fd));
  const passing = new Passing();
  const env = { ...process.env, ...environment };
  const child = spawned(command, args, !terminal, env, passing);
  const ended = endOf(child, command, passing);
  if (child.pid === undefined) return { target: null, ended };
  const target = { pid: child.pid, ownGroup: !terminal };
  passing.to(target);
  return { target, ended };
}
