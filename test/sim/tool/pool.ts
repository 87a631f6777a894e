/**
 * Worker processes that share out seeds. A worker that dies or stands still is replaced, and the
 * seed it was at is told as a violation. Knows nothing of what a seed is.
 */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Verdict } from "../verdict.js";
import type { Change } from "./hooks.js";
import type { Task } from "./worker.js";

export interface PoolOptions {
  readonly jobs?: number;
  readonly change?: Change | null;
  /** A seed that takes longer of real time than this will never end. */
  readonly hangMs?: number;
}

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));
const HANG_MS = 120_000;

export class Pool {
  readonly #jobs: number;
  readonly #change: Change | null;
  readonly #hangMs: number;
  #idle: Worker[] = [];

  constructor({ jobs = availableParallelism(), change = null, hangMs = HANG_MS }: PoolOptions) {
    this.#jobs = jobs;
    this.#change = change;
    this.#hangMs = hangMs;
  }

  /** Runs all of `tasks`, or until `told` answers false; what is under way then is not told. */
  async run(tasks: Iterable<Task>, told: (verdict: Verdict) => boolean): Promise<void> {
    const iterator = tasks[Symbol.iterator]();
    let over = false;
    const one = async (): Promise<void> => {
      for (;;) {
        if (over) return;
        const next = iterator.next();
        if (next.done === true) return;
        const verdict = await this.runOne(next.value);
        if (!over && !told(verdict)) over = true;
      }
    };
    await Promise.all(Array.from({ length: this.#jobs }, one));
  }

  async runOne(task: Task): Promise<Verdict> {
    const worker = this.#idle.pop() ?? new Worker(this.#change);
    const verdict = await worker.run(task, this.#hangMs);
    if (worker.isAlive) this.#idle.push(worker);
    return verdict;
  }

  close(): void {
    for (const worker of this.#idle) worker.end();
    this.#idle = [];
  }
}

class Worker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<boolean>;
  #said = "";
  isAlive = true;

  constructor(change: Change | null) {
    const child = fork(WORKER, [JSON.stringify(change)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-4_000);
    });
    this.#ready = new Promise(resolve => {
      child.once("message", () => resolve(true));
      child.once("exit", () => resolve(false));
    });
    child.once("exit", () => {
      this.isAlive = false;
    });
    this.#child = child;
  }

  /** Throws when the worker cannot even begin; whatever ends it later is the seed's violation. */
  async run(task: Task, hangMs: number): Promise<Verdict> {
    if (!(await this.#ready)) throw new Error(`a worker did not start: ${this.#said}`);
    return new Promise(resolve => {
      const child = this.#child;
      const finish = (verdict: Verdict): void => {
        clearTimeout(timer);
        child.off("message", finish);
        child.off("exit", died);
        resolve(verdict);
      };
      const died = (): void => finish(lost(task, "the process ended", this.#said));
      const timer = setTimeout(() => {
        this.end();
        finish(lost(task, "stood still in real time", `no end within ${hangMs} ms`));
      }, hangMs);
      child.on("message", finish);
      child.once("exit", died);
      child.send(task);
    });
  }

  end(): void {
    this.isAlive = false;
    this.#child.kill("SIGKILL");
  }
}

function lost({ seed }: Task, kind: string, details: string): Verdict {
  return {
    seed,
    digest: "",
    events: 0,
    simulatedMs: 0,
    cpuMs: 0,
    counts: {},
    sometimes: {},
    violation: { kind, what: kind, details },
  };
}
