/**
 * A hold that is a grant of a Holdfast cluster, on a session's lease whose time to live is the
 * lock's duration. The session keeps the lease alive; that a lock lapses all the same when nobody
 * extends it is done here, by this process's own clock.
 */
import { performance } from "node:perf_hooks";
import { type Held, HoldfastError, LockLostError, WaitTimeoutError } from "../core/index.js";
import { asError, ExecutionError, ResourceLockedError } from "./errors.js";
import { attemptAt, type Hold, type Taken, type Taker, type Wanted } from "./hold.js";
import { Loss } from "./loss.js";
import { type Loan, Sessions } from "./sessions.js";
import { namesOf, waitMsOf } from "./settings.js";
import type { Attempts, HoldfastClient, RedlockAbortSignal } from "./surface.js";

export type Tell = (error: Error) => void;

/** Takes holds from the cluster that `client` knows. `tell` hears of every vote against. */
export class GrantTaker implements Taker {
  readonly #client: HoldfastClient;
  readonly #sessions: Sessions;
  readonly #tell: Tell;

  constructor(client: HoldfastClient, tell: Tell) {
    this.#client = client;
    this.#sessions = new Sessions(client);
    this.#tell = tell;
  }

  async take({ resources, durationMs, settings, marginMs }: Wanted): Promise<Taken> {
    const names = namesOf(resources);
    const waitMs = waitMsOf(settings);
    const loan = this.#sessions.lend(durationMs, marginMs);
    try {
      const line = loan.session.lock(names);
      const held = await line.acquire(waitMs === null ? {} : { waitMs });
      const votes = new Votes(this.#client, names, this.#tell);
      return { hold: new Grant(held, loan, votes), attempts: votes.for() };
    } catch (error) {
      loan.end();
      if (isWrongArgument(error)) throw error;
      const votes = new Votes(this.#client, names, this.#tell);
      throw votes.against(`${names.join(", ")}: not acquired`, againstFrom(error, names));
    }
  }

  async close(): Promise<void> {
    await this.#sessions.close();
    await this.#client.close();
  }
}

class Grant implements Hold {
  readonly #held: Held;
  readonly #loan: Loan;
  readonly #votes: Votes;
  readonly #loss = new Loss();
  /** By performance's clock; Infinity: kept until it is given back. */
  #lapsesAtMs = Number.POSITIVE_INFINITY;
  #lapse: NodeJS.Timeout | undefined;
  #givenBack = false;

  constructor(held: Held, loan: Loan, votes: Votes) {
    this.#held = held;
    this.#loan = loan;
    this.#votes = votes;
    const { signal } = held;
    if (signal.aborted) this.#lost(signal.reason);
    else signal.addEventListener("abort", () => this.#lost(signal.reason), { once: true });
  }

  get value(): string {
    return this.#held.key;
  }

  get token(): number {
    return this.#held.token;
  }

  get expiration(): number {
    if (this.#givenBack || this.#over() !== null) return 0;
    const leftMs = this.#lapsesAtMs - performance.now();
    return Date.now() + Math.min(leftMs, this.#held.remainingMs);
  }

  get signal(): RedlockAbortSignal {
    this.#over();
    return this.#loss.signal;
  }

  lapseAfter(durationMs: number): void {
    this.#lapseAt(performance.now() + durationMs);
  }

  async prolong(durationMs: number): Promise<Attempts> {
    const sinceMs = performance.now();
    const over = this.#givenBack ? gone(this.#votes.what) : this.#over();
    if (over !== null)
      throw new ExecutionError(`${this.#votes.what}: over, not extended`, [], over);
    try {
      await this.#held.confirm({ signal: this.#loss.signal });
    } catch (error) {
      throw this.#votes.against(`${this.#votes.what}: not extended`, asError(error));
    }
    // What lapsed, or was given back, while the cluster was asked stays so.
    const since = this.#givenBack ? gone(this.#votes.what) : this.#over();
    if (since !== null) throw this.#votes.against(`${this.#votes.what}: not extended`, since);
    if (this.#lapsesAtMs !== Number.POSITIVE_INFINITY) this.#lapseAt(sinceMs + durationMs);
    return this.#votes.for();
  }

  async giveBack(): Promise<Attempts> {
    const over = this.#givenBack ? gone(this.#votes.what) : this.#over();
    this.#givenBack = true;
    clearTimeout(this.#lapse);
    const failure = (await this.#release()) ?? over;
    if (failure === null) return this.#votes.for();
    throw this.#votes.against(`${this.#votes.what}: not held to the end`, failure);
  }

  /** Why it was not released, or had ended before; null: held to the end. */
  async #release(): Promise<Error | null> {
    try {
      const { heldToTheEnd } = await this.#held.release();
      return heldToTheEnd ? null : (this.#loss.error ?? gone(this.#votes.what));
    } catch (error) {
      return asError(error);
    } finally {
      this.#loan.end();
    }
  }

  /** Why it is not held any more, by the clocks as well. */
  #over(): ExecutionError | null {
    if (this.#loss.error === null && !this.#givenBack) {
      // Fires the grant's signal, if the lease cannot be proven now.
      void this.#held.remainingMs;
      if (performance.now() >= this.#lapsesAtMs) this.#lapsed();
    }
    return this.#loss.error;
  }

  #lapseAt(atMs: number): void {
    clearTimeout(this.#lapse);
    if (this.#givenBack) return;
    this.#lapsesAtMs = atMs;
    this.#lapse = setTimeout(
      () => {
        // A timer may fire before its time.
        if (performance.now() < atMs) this.#lapseAt(atMs);
        else this.#lapsed();
      },
      Math.ceil(atMs - performance.now()),
    );
    // A program that ends takes its lease along, by its time to live.
    this.#lapse.unref();
  }

  /** Also of one that was lost before, and that nobody gave back: its lease is free then. */
  #lapsed(): void {
    const message = `${this.#votes.what}: its duration is over, and nobody extended it`;
    this.#loss.declare(message, new LockLostError("expired", { message }));
    void this.#release();
  }

  #lost(reason: unknown): void {
    if (!this.#givenBack) this.#loss.declare(`${this.#votes.what}: lost`, reason);
  }
}

/** The votes of one cluster, in redlock's terms. */
class Votes {
  readonly what: string;
  readonly #cluster: unknown;
  readonly #tell: Tell;

  constructor(cluster: unknown, names: readonly string[], tell: Tell) {
    this.what = names.join(", ");
    this.#cluster = cluster;
    this.#tell = tell;
  }

  for(): Attempts {
    return [attemptAt(this.#cluster, null)];
  }

  against(message: string, why: Error): ExecutionError {
    this.#tell(why);
    const attempts = [attemptAt(this.#cluster, why)];
    return new ExecutionError(`${message}: ${why.message}`, attempts, why);
  }
}

function againstFrom(error: unknown, names: readonly string[]): Error {
  if (!(error instanceof WaitTimeoutError)) return asError(error);
  const message = `${names.join(", ")}: held by somebody else; ${error.message}`;
  return new ResourceLockedError(message, { cause: error });
}

/** What the caller gave cannot be, whoever holds what. */
function isWrongArgument(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === "INVALID_PARAMETER";
}

function gone(what: string): ResourceLockedError {
  return new ResourceLockedError(`${what}: 0 of these resources were held by this lock`);
}
