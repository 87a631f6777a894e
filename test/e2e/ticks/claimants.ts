/**
 * Replicas that claim the runs of jobs, in a few processes (claimant-program.js): told what comes
 * due and what is over, and killed as they hold.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Forked, untilWith } from "../harness/forked.js";
import type { Claim, Unclear } from "./claims.js";

const PROGRAM = fileURLToPath(new URL("claimant-program.js", import.meta.url));

export interface Run {
  readonly job: string;
  readonly slot: number;
}

export interface ClaimantsOptions {
  readonly endpoints: readonly string[];
  readonly processes: number;
  /** In each process. */
  readonly replicas: number;
  readonly onAbandonOf: Readonly<Record<string, "reclaim" | "close">>;
  /** A run takes up to so long. */
  readonly workMs: number;
  readonly ttlMs: number;
}

/** What a process says of itself, ever again. */
interface Said {
  /** By job, when it was told to hold. */
  readonly holding: Readonly<Record<string, number>>;
  readonly isHolding: boolean;
  /** Replicas that will end what they have. */
  readonly ending: number;
  readonly refusedAfterOver: number;
}

/** Of one run, as it comes. */
interface News {
  readonly run: Run;
  readonly became: "over" | "granted again";
}

class ClaimantProcess extends Forked {
  said: Said = { holding: {}, isHolding: false, ending: 0, refusedAfterOver: 0 };

  constructor(name: string, argument: object, hear: (news: News) => void) {
    super(PROGRAM, name, argument, heard => {
      const said = heard as Said | News;
      if ("run" in said) hear(said);
      else this.said = said;
    });
  }

  /** Nothing of it will end any more, and it has claims of so many jobs. */
  holds(jobs: number): boolean {
    const { isHolding, ending, holding } = this.said;
    return isHolding && ending === 0 && Object.keys(holding).length === jobs;
  }
}

export const idOf = ({ job, slot }: Run): string => `${job} ${slot}`;

export class Claimants {
  readonly #options: ClaimantsOptions;
  readonly #directory = mkdtempSync(join(tmpdir(), "holdfast-ticks-"));
  readonly #files: string[] = [];
  #running: ClaimantProcess[] = [];
  readonly #due: Run[] = [];
  /** By id. */
  readonly #over = new Map<string, Run>();
  /** A run that was granted after it was over. */
  #again: Run | null = null;

  constructor(options: ClaimantsOptions) {
    this.#options = options;
    for (let i = 0; i < options.processes; i++) this.start();
  }

  /** One more process, which learns what came due and is over. */
  start(): void {
    const at = this.#files.length;
    const name = `p${at}`;
    const file = join(this.#directory, `${name}.jsonl`);
    this.#files.push(file);
    const { endpoints, ttlMs, ...rest } = this.#options;
    const options = { ttlMs, timeoutMs: 120_000 };
    const argument = { ...rest, endpoints, file, name, options };
    const made = new ClaimantProcess(name, argument, ({ run, became }) => {
      if (became === "over") this.isOver(run);
      else this.#again ??= run;
    });
    made.tell({ due: this.#due, over: [...this.#over.values()] });
    this.#running.push(made);
  }

  get overCount(): number {
    return this.#over.size;
  }

  /** How often a run was refused to those who knew that it was over. */
  get refusedAfterOver(): number {
    return this.#running.reduce((sum, { said }) => sum + said.refusedAfterOver, 0);
  }

  comeDue(runs: readonly Run[]): void {
    this.#due.push(...runs);
    for (const one of this.#running) one.tell({ due: runs });
  }

  isOver(run: Run): void {
    if (this.#over.has(idOf(run))) return;
    this.#over.set(idOf(run), run);
    for (const one of this.#running) one.tell({ over: [run] });
  }

  /**
   * Kills `count` processes as each holds claims of every job: of `runs`, which the others hear of
   * when they are dead.
   */
  async killHolders(count: number, runs: readonly Run[]): Promise<void> {
    const victims = this.#running.slice(0, count);
    for (const one of victims) one.tell({ hold: true, due: runs });
    const jobs = Object.keys(this.#options.onAbandonOf).length;
    const hold = () => victims.every(one => one.holds(jobs));
    await this.until("processes that hold claims of all jobs", hold).catch(error => {
      throw new Error(JSON.stringify(victims.map(({ said }) => said)), { cause: error });
    });
    this.#running = this.#running.slice(count);
    await Promise.all(victims.map(one => one.kill()));
    this.comeDue(runs);
  }

  async finish(): Promise<{ claims: Claim[]; unclear: Unclear[] }> {
    await Promise.all(this.#running.map(one => one.stop()));
    const claims = new Map<string, Claim>();
    const unclear: Unclear[] = [];
    for (const line of this.#files.flatMap(linesOf)) {
      if ("unclear" in line) unclear.push(line);
      else claims.set(line.id, added(claims.get(line.id), line));
    }
    return { claims: [...claims.values()], unclear };
  }

  /** Ends whatever still runs, as it is. */
  async close(): Promise<void> {
    await Promise.all(this.#running.map(one => one.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Fails at once when a run is granted to somebody who has been told that it is over. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    await untilWith(this.#running, what, () => this.#again !== null || isSo(), 120_000);
    if (this.#again !== null) throw new Error(`${idOf(this.#again)} was granted when it was over`);
  }
}

/** The later line has more of the claim; of what was proven, the furthest counts. */
function added(known: Claim | undefined, line: Claim): Claim {
  const heldUntilMs = Math.max(known?.heldUntilMs ?? 0, line.heldUntilMs ?? 0);
  return { ...known, ...line, heldUntilMs };
}

/** Whole lines only: the last one of a killed process may be a part. */
function linesOf(file: string): (Claim | Unclear)[] {
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter(line => line !== "")
    .map(line => JSON.parse(line) as Claim | Unclear);
}
