/**
 * One node process of `holdfast dev`: started with its flags, its log in a file, started again
 * when it dies, told to stop through the IPC channel (so that it also stops when this process is
 * killed). Knows nothing of the terminal; what happens is told through callbacks.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

const RESTART_DELAY_MS = 1_000;
const STOP_LIMIT_MS = 5_000;

export interface NodePlan {
  readonly name: string;
  /** The server's main file. */
  readonly program: string;
  readonly flags: readonly string[];
  readonly logFile: string;
}

export interface NodeEvents {
  /**
   * It ended without having been told to: by signal or with an exit code; `last` is from stderr.
   */
  died(name: string, how: string, last: string): void;
  restarted(name: string, pid: number): void;
  /** It is no member of its cluster any more, and is not started again. */
  removed(name: string): void;
}

export class NodeProcess {
  readonly #plan: NodePlan;
  readonly #events: NodeEvents;
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(plan: NodePlan, events: NodeEvents) {
    this.#plan = plan;
    this.#events = events;
  }

  get name(): string {
    return this.#plan.name;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    const { flags, logFile, program } = this.#plan;
    const log = openSync(logFile, "a");
    const child = spawn(process.execPath, [program, ...flags, "--supervised"], {
      stdio: ["ignore", log, "pipe", "ipc"],
    });
    closeSync(log);
    this.#child = child;
    let last = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      last = (last + text).slice(-2_000);
    });
    child.once("close", (code, signal) => {
      this.#child = null;
      if (this.#stopping) return;
      if (last.includes("MEMBER_REMOVED")) {
        this.#events.removed(this.name);
        return;
      }
      const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
      this.#events.died(this.name, how, last.trim().split("\n").at(-1) ?? "");
      this.#restart = setTimeout(() => {
        this.start();
        this.#events.restarted(this.name, this.#child?.pid ?? 0);
      }, RESTART_DELAY_MS);
    });
  }

  /** Resolves when the process is gone: it is told, and killed if that takes longer than 5 s. */
  stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    // Ended, and its stderr still open in other hands: no "exit" will come any more.
    const isOver = child === null || child.exitCode !== null || child.signalCode !== null;
    if (isOver) return Promise.resolve();
    return new Promise(resolve => {
      const limit = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      // Not "close": that does not come to who has let go of the channel.
      child.once("exit", () => {
        clearTimeout(limit);
        resolve();
      });
      if (child.connected) child.disconnect();
      else child.kill("SIGTERM");
    });
  }
}
