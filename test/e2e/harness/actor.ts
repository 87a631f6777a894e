/** A client in a process of its own: started, told what to do, stopped, woken and killed by tests. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("actor-program.js", import.meta.url));

/** The machine's monotonic clock: the same in every process of it. */
export const machineMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

export interface Told {
  readonly name?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** What came of something, and when by the machine's clock. */
export interface Done {
  readonly atMs: number;
  readonly ok?: unknown;
  readonly error?: Told;
}

export interface Asserted {
  readonly held: boolean;
  readonly remainingMs: number;
  readonly error?: Told;
  readonly signalled?: Told & { readonly atMs: number };
}

export class Actor {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (done: Done) => void>();
  #next = 1;
  /** When and why the signal of its grant fired. */
  signalled: (Told & { readonly atMs: number }) | undefined;

  private constructor() {
    this.#child = fork(PROGRAM, { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", message => this.#heard(message as Record<string, unknown>));
  }

  /** A process with a client that knows `endpoints` and is connected, to the node `at` if given. */
  static async start(
    endpoints: readonly string[],
    options: object = {},
    at?: string,
  ): Promise<Actor> {
    const actor = new Actor();
    await actor.do("connect", { endpoints, options, at });
    return actor;
  }

  #heard(message: Record<string, unknown>): void {
    if (message.signalled !== undefined) {
      this.signalled = message.signalled as Told & { atMs: number };
      return;
    }
    const done = this.#waiting.get(message.id as number);
    this.#waiting.delete(message.id as number);
    done?.(message as unknown as Done);
  }

  /** Does it and says how it went, without throwing. */
  try(what: string, params: object = {}): Promise<Done> {
    const id = this.#next++;
    return new Promise(resolve => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, what, params });
    });
  }

  async do<T = unknown>(what: string, params: object = {}): Promise<T> {
    const done = await this.try(what, params);
    if (done.error !== undefined) throw new Error(`${what}: ${JSON.stringify(done.error)}`);
    return done.ok as T;
  }

  assert(): Promise<Asserted> {
    return this.do<Asserted>("assert");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise(resolve => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
