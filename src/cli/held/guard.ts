/**
 * The watchdog as `holdfast` sees it: started before CMD, told the deadlines, started anew should
 * it die. Its standard input is a pipe that ends when this process does, however that comes
 * about.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Held } from "holdfast-client";
import { HELD_EXIT } from "../output/exit-codes.js";
import { CannotStart } from "./cannot-start.js";
import type { Target } from "./process-tree.js";
import { lostDeadlines, provenDeadlines, type WatchdogOrder } from "./watchdog-protocol.js";

/** Between two tries to start a watchdog anew where the machine has no room for it. */
const RESTART_MS = 20;

const PROGRAM = fileURLToPath(new URL("./watchdog.js", import.meta.url));

/** Rejects with CannotStart when it ends, or cannot be started, before it says that it listens. */
function ready(watchdog: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const cannot = (why: string): void =>
      reject(new CannotStart(`the watchdog cannot be started: ${why}`, HELD_EXIT.ownFailure));
    watchdog.stdout?.once("data", () => resolve());
    watchdog.once("error", error => cannot(error.message));
    watchdog.once("exit", code => cannot(`it ended at once (${code})`));
  });
}

export class Guard {
  readonly #marginMs: number;
  #watchdog: ChildProcess;
  #known: WatchdogOrder = {};
  #finished = false;

  private constructor(marginMs: number) {
    this.#marginMs = marginMs;
    this.#watchdog = this.#start();
  }

  /** `marginMs`: the client's. Resolves when the watchdog listens; rejects with CannotStart. */
  static async start(marginMs: number): Promise<Guard> {
    const guard = new Guard(marginMs);
    await ready(guard.#watchdog);
    return guard;
  }

  /** CMD runs from now on. */
  watch({ pid, ownGroup }: Target): void {
    this.#tell({ pid, ownGroup });
  }

  /**
   * Passes the client's proof on. The clock is read first: were this process stopped between the
   * two readings, the deadlines would be early, never late. What proves nothing moves nothing.
   */
  prove(held: Held): void {
    const nowNs = process.hrtime.bigint();
    const { remainingMs } = held;
    if (remainingMs > 0) this.#tell(provenDeadlines(nowNs, remainingMs, this.#marginMs));
  }

  /** The hold is lost. */
  lost(): void {
    this.#tell(lostDeadlines(process.hrtime.bigint(), this.#known.hardNs, this.#marginMs));
  }

  /** CMD has ended while it was held. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#tell({ finished: true });
    this.#watchdog.stdin?.end();
    this.#watchdog.unref();
  }

  /** CMD has ended after the hold was lost; resolves when nothing of what it started is left. */
  async finishOff(): Promise<void> {
    this.#finished = true;
    this.#watchdog.stdin?.end();
    if (this.#watchdog.exitCode === null) await once(this.#watchdog, "exit");
  }

  #tell(order: WatchdogOrder): void {
    this.#known = { ...this.#known, ...order };
    this.#watchdog.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #start(): ChildProcess {
    const watchdog = spawn(process.execPath, [PROGRAM], {
      stdio: ["pipe", "pipe", "ignore"],
      detached: true,
    });
    watchdog.stdin?.on("error", () => {}); // its end is seen below
    const again = (): void => {
      if (this.#finished || this.#known.pid === undefined) return;
      this.#watchdog = this.#start();
      this.#tell(this.#known);
    };
    watchdog.once("exit", again);
    watchdog.once("error", () => setTimeout(again, RESTART_MS)); // it was not even started
    return watchdog;
  }
}
