/**
 * A crowd: many sessions in a few processes (crowd-program.js) that contend for the same locks, and
 * what they were told.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Forked, untilWith } from "../harness/forked.js";
import type { Turn } from "./turns.js";

const PROGRAM = fileURLToPath(new URL("crowd-program.js", import.meta.url));

/** On a machine that is busy with other work; two cores of its own need a tenth. */
const PATIENCE_MS = 120_000;

/** Locks of one kind, as many as names. */
export interface Place {
  readonly kind: "exclusive" | "shared" | "permit" | "leader" | "several";
  readonly names: readonly string[];
  /** How many may hold a semaphore at once. */
  readonly permits?: number;
}

export interface CrowdOptions {
  readonly endpoints: readonly string[];
  readonly processes: number;
  /** In each process. */
  readonly sessions: number;
  /** One for each session, again from the first when they are used up. */
  readonly places: readonly Place[];
  /** A turn holds for up to so long. */
  readonly holdMs: number;
  readonly ttlMs: number;
}

class CrowdProcess extends Forked {
  /** Of each session, how many turns it has had. */
  turns: readonly number[];

  constructor(name: string, argument: object, sessions: number) {
    super(PROGRAM, name, argument, said => {
      this.turns = (said as { turns: number[] }).turns;
    });
    this.turns = Array(sessions).fill(0);
  }
}

export class Crowd {
  readonly #processes: readonly CrowdProcess[];
  readonly #directory = mkdtempSync(join(tmpdir(), "holdfast-crowd-"));
  readonly #files: string[] = [];

  constructor({ endpoints, processes, ttlMs, ...rest }: CrowdOptions) {
    const { sessions } = rest;
    this.#processes = Array.from({ length: processes }, (_, at) => {
      const name = `p${at}`;
      const file = join(this.#directory, `${name}.jsonl`);
      this.#files.push(file);
      const turned = endpoints.map((_, i) => endpoints[(i + at) % endpoints.length]);
      const options = { ttlMs, timeoutMs: PATIENCE_MS };
      const argument = { ...rest, endpoints: turned, file, name, options };
      return new CrowdProcess(name, argument, sessions);
    });
  }

  /** Of each session of all processes. */
  get turns(): number[] {
    return this.#processes.flatMap(one => one.turns);
  }

  get count(): number {
    return this.turns.reduce((sum, turns) => sum + turns, 0);
  }

  /** `count` more turns than now, whoever has them. */
  async more(count: number): Promise<void> {
    const goal = this.count + count;
    await this.#until(`${count} more turns`, () => this.count >= goal);
  }

  /** `count` more turns of every single session than now. */
  async moreOfEach(count: number): Promise<void> {
    const goals = this.turns.map(turns => turns + count);
    const late = () => goals.flatMap((goal, i) => ((this.turns[i] ?? 0) < goal ? [i] : []));
    await this.#until(`${count} more turns of each`, () => late().length === 0).catch(error => {
      const { length } = late();
      throw new Error(`${length} sessions wait on: ${late().slice(0, 20)}`, { cause: error });
    });
  }

  /** Lets everyone finish the turn they are in. */
  async finish(): Promise<{ turns: Turn[]; failures: string[] }> {
    let isOver = false;
    const stopped = Promise.all(this.#processes.map(one => one.stop())).then(() => {
      isOver = true;
    });
    await this.#until("all who stand in line to be granted", () => isOver);
    await stopped;
    const turns: Turn[] = [];
    const failures: string[] = [];
    for (const file of this.#files)
      for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
        const one = JSON.parse(line) as Turn | { readonly failed: string };
        if ("failed" in one) failures.push(one.failed);
        else turns.push(one);
      }
    return { turns, failures };
  }

  /** Ends whatever still runs, as it is. */
  async close(): Promise<void> {
    await Promise.all(this.#processes.map(one => one.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #until(what: string, isSo: () => boolean): Promise<void> {
    return untilWith(this.#processes, what, isSo, PATIENCE_MS);
  }
}
