/**
 * Reads of the state, as many in a turn as its time allows. Linearizable ones: all of one turn
 * share one barrier of the log, and run once it is passed, in the order in which they came; what
 * no leader confirmed is tried again until its time is over. A node's own run at once.
 */
import { formatNodeId } from "../base/ids.js";
import type { ReplicatedLog } from "../log/port/index.js";
import type { Failure } from "./coordinator/index.js";
import { overloaded, shuttingDown, unavailable } from "./failure.js";
import type { ReplicaLimits } from "./limits.js";
import type { NodeTime } from "./time.js";
import type { Turn } from "./turn.js";

/**
 * For so long reads run in one turn: a read of the past may take milliseconds, and what else the
 * node has to do must not wait for thousands of them.
 */
const SLICE_MS = 10;

/** Exactly one of the two is called, once. */
export interface ReadTask {
  /** Everything committed anywhere before the request has been applied here. */
  run(): void;
  fail(failure: Failure): void;
}

interface Waiting {
  readonly task: ReadTask;
  readonly deadlineMs: number;
}

export class Reads {
  readonly #log: ReplicatedLog;
  readonly #limits: ReplicaLimits;
  readonly #time: NodeTime;
  readonly #turn: Turn;
  #waiting: Waiting[] = [];
  /** Confirmed, and next to run from `#next` on. */
  #confirmed: Waiting[] = [];
  #next = 0;
  /** When this turn's time for reads is over; null: it has had none. */
  #sliceEndMs: number | null = null;
  #pending = 0;
  #retryAtMs = 0;
  #stopping = false;
  barriers = 0;
  served = 0;

  constructor(log: ReplicatedLog, limits: ReplicaLimits, time: NodeTime, turn: Turn) {
    this.#log = log;
    this.#limits = limits;
    this.#time = time;
    this.#turn = turn;
  }

  /** Fails the task, later, when it cannot be taken. */
  read(task: ReadTask): void {
    if (!this.#take(task)) return;
    const deadlineMs = this.#time.nowMs() + this.#limits.readTimeoutMs;
    this.#waiting.push({ task, deadlineMs });
    this.#turn.wake();
  }

  /** A read of what this node has: at once, or when those before it and a turn's end have come. */
  readOwn(task: ReadTask): void {
    if (this.#take(task)) this.#confirm([{ task, deadlineMs: Number.POSITIVE_INFINITY }]);
  }

  flush(): void {
    this.#sliceEndMs = null;
    this.#serve();
    if (this.#waiting.length === 0 || this.#time.nowMs() < this.#retryAtMs) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.barriers++;
    this.#log.barrier(confirmed => {
      if (confirmed) this.#confirm(waiting);
      else this.#again(waiting);
    });
  }

  tick(nowMs: number): void {
    if (this.#waiting.length === 0) return;
    const late = this.#waiting.filter(waiting => waiting.deadlineMs <= nowMs);
    if (late.length > 0) {
      this.#waiting = this.#waiting.filter(waiting => waiting.deadlineMs > nowMs);
      this.#fail(late);
    }
    this.#turn.wake();
  }

  leadershipChanged(): void {
    this.#retryAtMs = 0;
    if (this.#waiting.length > 0) this.#turn.wake();
  }

  stop(): void {
    this.#stopping = true;
    const waiting = [...this.#confirmed.slice(this.#next), ...this.#waiting];
    this.#confirmed = [];
    this.#next = 0;
    this.#waiting = [];
    this.#pending -= waiting.length;
    for (const { task } of waiting) task.fail(shuttingDown());
  }

  #confirm(tasks: readonly Waiting[]): void {
    const isFirst = this.#confirmed.length === 0;
    for (const waiting of tasks) this.#confirmed.push(waiting);
    if (isFirst) this.#serve();
  }

  /** Runs what is confirmed until the slice is over; the rest comes at the end of the next turn. */
  #serve(): void {
    if (this.#confirmed.length === 0) return;
    if (this.#sliceEndMs === null) {
      this.#sliceEndMs = this.#time.nowMs() + SLICE_MS;
      this.#turn.wake();
    }
    while (this.#time.nowMs() < this.#sliceEndMs) {
      const waiting = this.#confirmed[this.#next];
      if (waiting === undefined) {
        this.#confirmed = [];
        this.#next = 0;
        return;
      }
      this.#next++;
      this.#pending--;
      this.served++;
      waiting.task.run();
    }
  }

  #take(task: ReadTask): boolean {
    const limit = this.#limits.maxPendingReads;
    if (!this.#stopping && this.#pending < limit) {
      this.#pending++;
      return true;
    }
    task.fail(this.#stopping ? shuttingDown() : overloaded("reads", limit));
    return false;
  }

  #again(tasks: readonly Waiting[]): void {
    if (this.#stopping) {
      this.#pending -= tasks.length;
      for (const { task } of tasks) task.fail(shuttingDown());
      return;
    }
    const now = this.#time.nowMs();
    this.#retryAtMs = now + this.#limits.askRetryMs;
    this.#fail(tasks.filter(waiting => waiting.deadlineMs <= now));
    for (const waiting of tasks) if (waiting.deadlineMs > now) this.#waiting.push(waiting);
  }

  #fail(tasks: readonly Waiting[]): void {
    if (tasks.length === 0) return;
    const { leader } = this.#log.leadership();
    const shown = leader === null ? null : formatNodeId(leader);
    this.#pending -= tasks.length;
    for (const { task } of tasks) task.fail(unavailable("the read was not confirmed", shown));
  }
}
