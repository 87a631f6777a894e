/** A user's program in a process of its own, as it is started by hand: what it says, and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../../tidy/repository.js";
import { until } from "./until.js";

const PATIENCE_MS = 60_000;

export class Program {
  /** What it said so far, on stdout and stderr. */
  said = "";
  readonly exit: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  readonly #called: string;

  /** `path` is from the root of the repository. */
  constructor(path: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#called = [path, ...args].join(" ");
    const child = spawn(process.execPath, [join(ROOT, path), ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const hear = (text: string): void => {
      this.said += text;
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    this.exit = new Promise(resolve => {
      child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
    });
    this.#child = child;
  }

  /** The lines that match, each as what the first group caught. */
  lines(pattern: RegExp): string[] {
    return this.said.split("\n").flatMap(line => pattern.exec(line)?.[1] ?? []);
  }

  /** Waits until it says so; what the first group caught. */
  says(pattern: RegExp): Promise<string> {
    return until(`${pattern}`, () => pattern.exec(this.said)?.[1], PATIENCE_MS).catch(error => {
      throw new Error(`${error}\n${this.#called} said:\n${this.said}`);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** An orderly stop; the exit code. */
  stop(): Promise<number | NodeJS.Signals> {
    this.#child.kill("SIGTERM");
    return this.exit;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exit;
  }
}
