/**
 * A recorded load: processes of clients (load-program.js) on few registers, locks and elections,
 * that can be stopped, woken and killed, and whose history is judged at the end.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { History as Checked, checkAll } from "../../checker/index.js";
import { contradictions, type History, readHistory, toJsonl } from "./history.js";
import { until } from "./until.js";

const PROGRAM = fileURLToPath(new URL("load-program.js", import.meta.url));

export interface LoadOptions {
  readonly endpoints: readonly string[];
  /** Makes keys, locks and processes of two loads on one cluster different. */
  readonly run: string;
  readonly processes: number;
  readonly workers: number;
  /** Of each client. */
  readonly options?: { readonly ttlMs?: number; readonly timeoutMs?: number };
}

class LoadProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  turns = 0;

  constructor(name: string, argument: object) {
    this.name = name;
    this.#child = fork(PROGRAM, [JSON.stringify(argument)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#gone = new Promise(resolve => this.#child.once("exit", resolve));
    this.#child.on("message", message => {
      this.turns = (message as { turns: number }).turns;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Lets everyone finish the turn they are in. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.send({ stop: true });
    await this.#gone;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#gone;
  }
}

/** A history of some thousand calls takes a second. */
const CHECK_WITHIN_MS = 60_000;

export class Load {
  readonly processes: readonly LoadProcess[];
  readonly #directory = mkdtempSync(join(tmpdir(), "holdfast-load-"));
  readonly #run: string;
  readonly #files: string[] = [];

  constructor({ endpoints, run, processes, workers, options = {} }: LoadOptions) {
    this.#run = run;
    const names = (what: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${run}/${what}-${i}`);
    this.processes = Array.from({ length: processes }, (_, at) => {
      const name = `${run}-p${at}`;
      const file = join(this.#directory, `${name}.jsonl`);
      this.#files.push(file);
      const turned = endpoints.map((_, i) => endpoints[(i + at) % endpoints.length]);
      const keys = {
        registers: names("register", 4),
        locks: names("lock", 3),
        elections: names("election", 2),
      };
      const argument = { endpoints: turned, file, name, workers, options, ...keys };
      return new LoadProcess(name, argument);
    });
  }

  get turns(): number {
    return this.processes.reduce((sum, { turns }) => sum + turns, 0);
  }

  /** `count` more turns of `among` than now. */
  async more(count: number, among: readonly LoadProcess[] = this.processes): Promise<void> {
    const sum = () => among.reduce((turns, one) => turns + one.turns, 0);
    const goal = sum() + count;
    await until(`${count} more turns`, () => sum() >= goal, 60_000);
  }

  /** Stops, and gives what there is to hold against the cluster; a failing history is kept. */
  async finish(): Promise<{ history: History; contradictions: string[] }> {
    await Promise.all(this.processes.map(one => one.stop()));
    const history = readHistory(this.#files);
    const found = [...contradictions(history.calls), ...judged(toJsonl(history.calls))];
    if (found.length > 0) {
      const kept = join(tmpdir(), `holdfast-history-${this.#run}-${process.pid}.jsonl`);
      writeFileSync(kept, toJsonl(history.calls));
      found.push(
        `the history is in ${kept}; npm run check-history -- ${kept} --picture page.html`,
        ...history.notes.slice(0, 20),
      );
    }
    this.#remove();
    return { history, contradictions: found };
  }

  /** Ends whatever still runs, as it is. */
  async close(): Promise<void> {
    await Promise.all(this.processes.map(one => one.kill()));
    this.#remove();
  }

  #remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** As linearizable as the checker can tell within its limit; "unknown" is not good enough here. */
function judged(jsonl: string): string[] {
  const limits = { limitMs: CHECK_WITHIN_MS, now: () => performance.now() };
  return checkAll(Checked.fromJsonl(jsonl), limits).keys.flatMap(one =>
    one.verdict === "linearizable" ? [] : [`${one.model.name} ${one.key}: ${one.verdict}`],
  );
}
