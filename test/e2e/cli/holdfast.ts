/** The `holdfast` command as tests run it: the built program, as a process without a terminal. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "../harness/until.js";

export const PROGRAM = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

export interface Ended {
  /** The exit code, or the signal that killed it. */
  readonly code: number | NodeJS.Signals;
  readonly out: string;
  readonly outBytes: Buffer;
  readonly err: string;
}

export interface RunOptions {
  readonly endpoints?: string;
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its output goes, in place of `out`. */
  readonly outTo?: string;
}

const running = new Set<Holdfast>();

/** For `afterEach`: ends what a failed test left behind. */
export function endAll(): void {
  for (const one of running) one.signal("SIGKILL");
}

export class Holdfast {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #out: Buffer[] = [];
  #err = "";
  readonly ended: Promise<Ended>;

  constructor(args: readonly string[], options: RunOptions = {}) {
    const { HOLDFAST_ENDPOINTS: _, ...environment } = process.env;
    const { endpoints } = options;
    const command = [process.execPath, PROGRAM, ...args];
    const redirected = ["sh", "-c", 'to=$0; exec "$@" > "$to"', options.outTo ?? "", ...command];
    const [program = "", ...rest] = options.outTo === undefined ? command : redirected;
    this.#child = spawn(program, rest, {
      env: {
        ...environment,
        ...(endpoints === undefined ? {} : { HOLDFAST_ENDPOINTS: endpoints }),
        ...options.environment,
      },
    });
    running.add(this);
    this.#child.stdout.on("data", (piece: Buffer) => this.#out.push(piece));
    this.#child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      this.#err += piece;
    });
    this.#child.stdin.on("error", () => {}); // not everyone reads what it is given
    this.#child.stdin.end(options.input ?? "");
    // "exit", not "close": what CMD left behind may hold the pipes open.
    this.ended = new Promise(resolve => {
      this.#child.once("exit", (code, signal) => {
        running.delete(this);
        setImmediate(() => {
          const outBytes = Buffer.concat(this.#out);
          resolve({ code: signal ?? code ?? -1, out: this.out, outBytes, err: this.#err });
        });
      });
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("it was never started");
    return pid;
  }

  get out(): string {
    return Buffer.concat(this.#out).toString("utf8");
  }

  get err(): string {
    return this.#err;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until stdout holds a match; its first group. */
  printed(pattern: RegExp): Promise<string> {
    return until(`${pattern} on stdout`, () => pattern.exec(this.out)?.[1]);
  }

  said(pattern: RegExp): Promise<boolean> {
    return until(`${pattern} on stderr`, () => pattern.test(this.#err));
  }
}

/** Runs it to its end. */
export const holdfast = (args: readonly string[], options?: RunOptions): Promise<Ended> =>
  new Holdfast(args, options).ended;
