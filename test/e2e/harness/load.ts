/**
 * A recorded load: processes of clients (load-program.js) on few registers, locks and elections,
 * that can be stopped, woken and killed, and whose history is judged at the end.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Forked } from "./forked.js";
import { type History, readHistory } from "./history.js";
import { judged } from "./judged.js";
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

class LoadProcess extends Forked {
  turns = 0;

  constructor(name: string, argument: object) {
    super(PROGRAM, name, argument, said => {
      this.turns = (said as { turns: number }).turns;
    });
  }
}

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
    const contradictions = judged(history, this.#run);
    this.#remove();
    return { history, contradictions };
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
