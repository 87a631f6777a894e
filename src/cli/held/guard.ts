/**
 * The watchdog as `holdfast` sees it: started before CMD, told the deadlines, started anew should it
 * die. Its standard input is a pipe that ends when this process does, however that comes about.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { deadlines, type WatchdogOrder } from "./watchdog-protocol.js";

const PROGRAM = fileURLToPath(new URL("./watchdog.js", import.meta.url));

export class Guard {
  readonly #marginMs: number;
  #watchdog: ChildProcess;
  #known: WatchdogOrder = {};
  #finished = false;

  /** `marginMs`: how long after the proven end nobody else can hold it yet. */
  constructor(marginMs: number) {
    this.#marginMs = marginMs;
    this.#watchdog = this.#start();
  }

  /** CMD runs from now on as `pid`. */
  watch(pid: number, ownGroup: boolean): void {
    this.#tell({ pid, ownGroup });
  }

  /** The hold is proven for `remainingMs` from this moment. */
  proven(remainingMs: number): void {
    this.#tell(deadlines(process.hrtime.bigint(), remainingMs, this.#marginMs));
  }

  /** CMD has ended. */
  finish(): void {
    this.#finished = true;
    this.#tell({ finished: true });
    this.#watchdog.stdin?.end();
    this.#watchdog.unref();
  }

  #tell(order: WatchdogOrder): void {
    this.#known = { ...this.#known, ...order };
    this.#watchdog.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #start(): ChildProcess {
    const watchdog = spawn(process.execPath, [PROGRAM], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    watchdog.stdin?.on("error", () => {}); // its end is seen below
    watchdog.once("exit", () => {
      if (this.#finished) return;
      this.#watchdog = this.#start();
      this.#tell(this.#known);
    });
    return watchdog;
  }
}
