/**
 * Runs of jobs as they must be: one claim at a time, none once the run is over. A model of its own,
 * fed with what the log's entries did.
 */
import type { Change, Command, CommandResult } from "../../src/state/index.js";
import { sometimes } from "./sometimes.js";

interface Claimed {
  readonly run: string;
  readonly closes: boolean;
}

export class RunsOfJobs {
  readonly #fail: (what: string) => never;
  /** How each ended that is over. */
  readonly #over = new Map<string, string>();
  /** By key. */
  readonly #claims = new Map<string, Claimed>();
  /** By run, its claim's key. */
  readonly #claimed = new Map<string, string>();

  constructor(fail: (what: string) => never) {
    this.#fail = fail;
  }

  wrote({ key, record, prev }: Change): void {
    const claim = record?.entry?.extra.claim ?? null;
    if (claim !== null && prev === null) {
      const run = runOf(claim);
      const over = this.#over.get(run);
      if (over !== undefined) this.#fail(`${key} claims ${run}, which is over (${over})`);
      const other = this.#claimed.get(run);
      if (other !== undefined) this.#fail(`${key} claims ${run}, which ${other} has`);
      this.#claims.set(key, { run, closes: claim.onAbandon === "close" });
      this.#claimed.set(run, key);
    }
    if (record !== null) return;
    const claimed = this.#claims.get(key);
    if (claimed === undefined) return;
    this.#claims.delete(key);
    this.#claimed.delete(claimed.run);
    // With an outcome or without: it is over.
    if (claimed.closes) this.#over.set(claimed.run, "abandoned");
    sometimes(claimed.closes ? "a claim ended that may not be made again" : "a claim ended");
  }

  outcomeOf(run: string): string | undefined {
    return this.#over.get(run);
  }

  answered(command: Command | null, result: CommandResult, again: boolean): void {
    if (again) return;
    if (result.kind === "slotFinished") this.#over.set(runOf(result), result.outcome);
    if (command?.kind !== "slot.claim" || result.kind !== "refused") return;
    const run = runOf(command);
    if (result.code === "SLOT_CLOSED" && !this.#over.has(run))
      this.#fail(`${run} is said to be over, and is not`);
    if (result.code === "SLOT_TAKEN" && !this.#claimed.has(run))
      this.#fail(`${run} is said to be claimed, and is not`);
    if (result.code === "SLOT_CLOSED") sometimes("a run that is over was asked for");
  }
}

const runOf = ({ job, slot }: { readonly job: string; readonly slot: number }): string =>
  `${job} ${slot}`;
