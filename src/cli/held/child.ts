/** CMD: started with the hold in its environment; signals pass to it; its end as an exit code. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { HELD_EXIT } from "../output/exit-codes.js";
import { signalTree, type Target } from "./process-tree.js";

export interface Child extends Target {
  /** The exit code as a shell tells it: 128 + signal if killed by one. */
  readonly ended: Promise<number>;
  signal(signal: NodeJS.Signals): void;
}

export class CannotStart extends Error {
  override readonly name = "CannotStart";
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
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

function passSignals(target: Target, terminal: boolean): () => void {
  const handlers = PASSED_ON.map(signal => {
    const handler = () => {
      if (!(terminal && FROM_TERMINAL.has(signal))) signalTree(target, signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => {
    for (const remove of handlers) remove();
  };
}

/** Rejects with {@link CannotStart}. */
export async function startChild(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Child> {
  const terminal = process.stdin.isTTY === true;
  const child = spawn(command, args, {
    stdio: "inherit",
    detached: !terminal,
    env: { ...process.env, ...environment },
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", error => reject(cannotStart(command, error)));
  });
  const pid = child.pid;
  if (pid === undefined) throw new CannotStart(`${command}: has no pid`, HELD_EXIT.ownFailure);
  const target: Target = { pid, ownGroup: !terminal };
  const stopPassing = passSignals(target, terminal);
  const ended = new Promise<number>(resolve => {
    child.once("exit", (code, signal) => {
      stopPassing();
      resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]);
    });
  });
  return { ...target, ended, signal: signal => signalTree(target, signal) };
}
