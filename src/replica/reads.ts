/**
 * Reads of the state, as many in a turn as its time allows. Linearizable ones: all of one turn
 * share one barrier of the log, and run once it is passed, in the order in which they came; what
 * no leader confirmed is tried again. A node's own run at once. Whatever did not run when its time
 * is over never does, also where the log still owes an answer.
 */
import { formatNodeId } from "../base/ids.js";
import type { ReplicatedLog } from "../log/port/index.js";
import type { Failure } from "./coordinator/index.js";
import { Deadlines, type Timed } from "./deadlines.js";
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

class Waiting implements Timed {
  readonly deadlineMs: number;
  #task: ReadTask | null;

  constructor(task: ReadTask, deadlineMs: number) {
    this.#task = task;
    this.deadlineMs = deadlineMs;
  }

  get answered(): boolean {
    return this.#task === null;
  }

  /** What is to be answered, now; null: it has been. Nothing keeps it alive afterwards. */
  take(): ReadTask | null {
    const task = this.#task;
    this.#task = null;
    return task;
  }
}

export class Reads {
  readonly #log: ReplicatedLog;
  readonly #limits: ReplicaLimits;
  readonly #time: NodeTime;
  readonly #turn: Turn;
  readonly #deadlines = new Deadlines<Waiting>();
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
    if (!this.#admit(task)) return;
    this.#waiting.push(this.#timed(task));
    this.#turn.wake();
  }

  /** A read of what this node has: at once, or when those before it and a turn's end have come. */
  readOwn(task: ReadTask): void {
    if (this.#admit(task)) this.#confirm([this.#timed(task)]);
  }

  flush(): void {
    this.#sliceEndMs = null;
    const nowMs = this.#time.nowMs();
    this.#failDue(nowMs);
    this.#serve();
    if (this.#waiting.length === 0 || nowMs < this.#retryAtMs) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.barriers++;
    this.#log.barrier(confirmed => {
      if (confirmed) this.#confirm(waiting);
      else this.#again(waiting);
    });
  }

  tick(nowMs: number): void {
    this.#failDue(nowMs);
    if (this.#waiting.length > 0) this.#turn.wake();
  }

  leadershipChanged(): void {
    this.#retryAtMs = 0;
    if (this.#waiting.length > 0) this.#turn.wake();
  }

  /** All that did not run is refused, and whatever comes. */
  stop(): void {
    this.#stopping = true;
    this.#confirmed = [];
    this.#next = 0;
    this.#waiting = [];
    for (const waiting of this.#deadlines.takeAll()) this.#take(waiting)?.fail(shuttingDown());
  }

  #timed(task: ReadTask): Waiting {
    const waiting = new Waiting(task, this.#time.nowMs() + this.#limits.readTimeoutMs);
    this.#deadlines.add(waiting);
    return waiting;
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
      const task = this.#take(waiting);
      if (task === null) continue;
      this.served++;
      task.run();
    }
  }

  #take(waiting: Waiting): ReadTask | null {
    const task = waiting.take();
    if (task !== null) this.#pending--;
    return task;
  }

  #admit(task: ReadTask): boolean {
    const limit = this.#limits.maxPendingReads;
    if (!this.#stopping && this.#pending < limit) {
      this.#pending++;
      return true;
    }
    task.fail(this.#stopping ? shuttingDown() : overloaded("reads", limit));
    return false;
  }

  #again(tasks: readonly Waiting[]): void {
    this.#retryAtMs = this.#time.nowMs() + this.#limits.askRetryMs;
    for (const waiting of tasks) if (!waiting.answered) this.#waiting.push(waiting);
  }

  #failDue(nowMs: number): void {
    const late = this.#deadlines.takeDue(nowMs);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    const { leader } = this.#log.leadership();
    const shown = leader === null ? null : formatNodeId(leader);
    const failure = unavailable("the read was not confirmed", shown);
    for (const waiting of late) this.#take(waiting)?.fail(failure);
  }
}
