/**
 * A program of a test in a process of its own, given its work as one argument: told things, stopped
 * in order, signalled and killed. What it says is up to the program.
 */
import { type ChildProcess, fork } from "node:child_process";
import { until } from "./until.js";

export class Forked {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  #killed = false;

  constructor(program: string, name: string, argument: object, hear: (said: unknown) => void) {
    this.name = name;
    this.#child = fork(program, [JSON.stringify(argument)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#gone = new Promise(resolve => this.#child.once("exit", resolve));
    this.#child.on("message", hear);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** It ended otherwise than by `kill` or after its work. */
  get hasFailed(): boolean {
    const { exitCode, signalCode } = this.#child;
    return !this.#killed && ((exitCode !== null && exitCode !== 0) || signalCode !== null);
  }

  tell(what: object): void {
    if (this.#child.connected) this.#child.send(what);
  }

  /** Lets everyone in it finish what they are at. */
  async stop(): Promise<void> {
    this.tell({ stop: true });
    await this.#gone;
  }

  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill("SIGKILL");
    await this.#gone;
  }
}

/** As `until`, and fails at once when a process has ended before its time. */
export async function untilWith(
  processes: readonly Forked[],
  what: string,
  isSo: () => boolean,
  limitMs: number,
): Promise<void> {
  const failed = () => processes.find(one => one.hasFailed);
  await until(what, () => failed() !== undefined || isSo(), limitMs);
  const ended = failed();
  if (ended !== undefined) throw new Error(`${ended.name} ended before ${what}`);
}
