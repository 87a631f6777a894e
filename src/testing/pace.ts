/**
 * Who turns the loop, and when: by itself as far as that takes no time, by `advance` as far as it
 * is told, and by the smallest steps there are while `isOwed` says that somebody waits for an
 * answer which a healthy cluster gives at once. After every turn in which a client ran, the
 * promises of the program around it run to their end first. It knows no cluster; the cluster owns
 * one.
 */
import type { TurnedLoop } from "./turned-loop.js";

/** Nodes alone may run so many turns before the program's own event loop gets a turn. */
const MOST_TURNS = 2_000;

// Taken now: a test that fakes its own timers must not stop this one.
const { setImmediate } = globalThis;

const macrotask = (): Promise<void> =>
  new Promise(resolve => {
    setImmediate(resolve);
  });

/** Somebody who waits for the clock. Time passes for all of them alike. */
interface Job {
  readonly untilMs: number;
  /** It need not go on to the end of its time. */
  readonly isDone: () => boolean;
  resolve(isDone: boolean): void;
  reject(error: unknown): void;
}

export class Pace {
  readonly #loop: TurnedLoop;
  readonly #isOwed: () => boolean;
  /** Called when there is nothing left to do, and when there is again. */
  readonly #onRest: (rests: boolean) => void;
  /** In the order in which they came. */
  readonly #jobs: Job[] = [];
  #isDriving = false;
  #hasRun = false;
  #stopped: Error | null = null;

  constructor(
    loop: TurnedLoop,
    isOwed: () => boolean,
    onRest: (rests: boolean) => void = () => {},
  ) {
    this.#loop = loop;
    this.#isOwed = isOwed;
    this.#onRest = onRest;
  }

  /** A client ran: before the next turn, what waited for it runs. */
  ran(): void {
    this.#hasRun = true;
  }

  /** There may be something to do now. */
  kick(): void {
    if (!this.#isDriving && this.#stopped === null) void this.#drive();
  }

  /** Turns until so much time has passed, or `isDone`; resolves with what `isDone` says then. */
  advance(ms: number, isDone: () => boolean = () => false): Promise<boolean> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    const untilMs = this.#loop.monotonicMs() + ms;
    return new Promise((resolve, reject) => {
      this.#jobs.push({ untilMs, isDone, resolve, reject });
      this.kick();
    });
  }

  /** Whoever waits for the clock now is told `why` he need not. */
  clear(why: Error): void {
    for (const job of this.#jobs.splice(0)) job.reject(why);
  }

  /** Nothing is turned any more; who waits for it, and who comes later, is told `why`. */
  stop(why: Error): void {
    this.#stopped = why;
    this.clear(why);
  }

  async #drive(): Promise<void> {
    this.#isDriving = true;
    this.#onRest(false);
    try {
      do {
        this.#hasRun = false;
        await macrotask();
      } while (this.#stopped === null && this.#step());
      this.#isDriving = false;
      if (this.#stopped === null) this.#onRest(true);
    } catch (error) {
      this.#isDriving = false;
      const job = this.#jobs.shift();
      this.kick();
      // As in a program without this: nobody catches what is thrown out of the event loop.
      if (job === undefined) throw error;
      job.reject(error);
    }
  }

  /** Turns until a client ran, or a job is done. False: there is nothing left to do. */
  #step(): boolean {
    const job = this.#nextJob();
    if (job === undefined) return this.#turn(this.#loop.monotonicMs()) || this.#owedStep();
    if (this.#turn(job.untilMs)) return true;
    const isDone = job.isDone();
    if (!isDone) this.#loop.advance(job.untilMs - this.#loop.monotonicMs());
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    job.resolve(isDone);
    return true;
  }

  /** The first that is done, else the first whose time is over. */
  #nextJob(): Job | undefined {
    let next: Job | undefined;
    for (const job of this.#jobs) {
      if (job.isDone()) return job;
      if (next === undefined || job.untilMs < next.untilMs) next = job;
    }
    return next;
  }

  #turn(untilMs: number): boolean {
    const isDone = (): boolean => this.#jobs.some(job => job.isDone());
    let turns = 0;
    while (!this.#hasRun && turns < MOST_TURNS && !isDone() && this.#loop.turn(untilMs)) turns += 1;
    return turns > 0;
  }

  /** The clock moves to the next thing that is due, and no further. */
  #owedStep(): boolean {
    return this.#isOwed() && this.#loop.turn(Number.MAX_SAFE_INTEGER);
  }
}
