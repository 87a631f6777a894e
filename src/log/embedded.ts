/**
 * The embedded replicated log: the port's face over whatever phase the log is in. Opening is in
 * opening.ts, everything that runs afterwards in running-log.ts. Called by the replica, created by
 * the server or a test.
 */
import { assert } from "../base/assert.js";
import { type LogIndex, logIndex, type NodeId, type Term, term } from "../base/ids.js";
import type { StorageStop } from "../storage/contract.js";
import { failureOfStop } from "./failure.js";
import { Links } from "./links.js";
import { type OpenedLog, openLog } from "./opening.js";
import type { EmbeddedLogOptions } from "./options.js";
import type {
  AppendOutcome,
  ChangeOutcome,
  Leadership,
  LogFailure,
  LogHost,
  LogMember,
  LogStatus,
  MemberChange,
  ReplicatedLog,
  SnapshotSink,
  TransferOutcome,
} from "./port/index.js";
import { RunningLog } from "./running-log.js";

/** A log that keeps its data in `options.directory` and talks to its peers over `options.network`. */
export function createEmbeddedLog(options: EmbeddedLogOptions): ReplicatedLog {
  return new EmbeddedLog(options);
}

type Phase = "new" | "starting" | "running" | "failed" | "stopping" | "stopped";

const NOBODY: Leadership = { term: term(0), leader: null, serving: false };
const NOT_LEADER: AppendOutcome = { ok: false, refusal: "not-leader" };

class EmbeddedLog implements ReplicatedLog {
  readonly #options: EmbeddedLogOptions;
  readonly #links: Links;
  #phase: Phase = "new";
  #host: LogHost | null = null;
  #started: ((failure: LogFailure | null) => void) | null = null;
  #opened: OpenedLog | null = null;
  #running: RunningLog | null = null;
  /** The directory is being opened: a stop waits for that. */
  #opening = false;
  #stopDone: (() => void) | null = null;

  constructor(options: EmbeddedLogOptions) {
    this.#options = options;
    this.#links = new Links(options);
  }

  start(host: LogHost, started: (failure: LogFailure | null) => void): void {
    assert(this.#phase === "new", "a log is started once");
    this.#phase = "starting";
    this.#host = host;
    this.#started = started;
    this.#opening = true;
    this.#links.listen(failure => {
      if (failure !== null || this.#phase !== "starting") this.#openingEnded(failure);
      else this.#open(host);
    });
  }

  #open(host: LogHost): void {
    openLog(this.#options, this.#links.join, this.#storageFailed, result => {
      if (result.ok) this.#opened = result.opened;
      this.#openingEnded(result.ok ? null : result.failure);
      if (result.ok && this.#phase === "starting") this.#run(host, result.opened);
    });
  }

  #openingEnded(failure: LogFailure | null): void {
    this.#opening = false;
    if (this.#phase === "stopping") this.#close();
    else if (failure !== null) this.#fail(failure);
  }

  #run(host: LogHost, opened: OpenedLog): void {
    const failed = (failure: LogFailure): void => this.#fail(failure);
    const running = new RunningLog(this.#options, opened, this.#links, host, failed);
    this.#running = running;
    running.start(() => {
      if (this.#phase !== "starting") return;
      this.#phase = "running";
      const started = this.#started;
      this.#started = null;
      started?.(null);
    });
  }

  append(payload: Uint8Array, onlyInTerm: Term | null): AppendOutcome {
    if (this.#phase !== "running" || this.#running === null) return NOT_LEADER;
    return this.#running.append(payload, onlyInTerm);
  }

  barrier(done: (confirmed: boolean) => void): void {
    if (this.#phase === "running" && this.#running !== null) this.#running.barrier(done);
    else this.#later(() => done(false));
  }

  confirmLeadership(done: (confirmedIn: Term | null) => void): void {
    if (this.#phase === "running" && this.#running !== null) this.#running.confirm(done);
    else this.#later(() => done(null));
  }

  leadership(): Leadership {
    return this.#phase === "running" ? (this.#running?.leadership() ?? NOBODY) : NOBODY;
  }

  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    if (this.#phase === "running" && this.#running !== null) {
      this.#running.ask(node, question, done);
    } else {
      this.#later(() => done(null));
    }
  }

  beginSnapshot(index: LogIndex): SnapshotSink | null {
    if (this.#phase !== "running" || this.#running === null) return null;
    return this.#running.beginSnapshot(index);
  }

  changeMembers(change: MemberChange, done: (outcome: ChangeOutcome) => void): void {
    if (this.#phase === "running" && this.#running !== null) {
      this.#running.changeMembers(change, done);
    } else this.#later(() => done({ ok: false, refusal: "not-leader" }));
  }

  transferLeadership(to: NodeId | null, done: (outcome: TransferOutcome) => void): void {
    if (this.#phase === "running" && this.#running !== null) this.#running.handOver(to, done);
    else this.#later(() => done({ ok: false, refusal: "not-leader" }));
  }

  members(): readonly LogMember[] {
    return this.#running?.members() ?? [];
  }

  status(): LogStatus {
    return this.#running?.status() ?? this.#statusBeforeOpened();
  }

  #statusBeforeOpened(): LogStatus {
    const identity = this.#opened?.identity;
    const none = logIndex(0);
    const problem = this.#links.joiningProblem;
    return {
      clusterId: identity?.clusterId ?? "0".repeat(16),
      nodeId: identity?.nodeId ?? (0 as NodeId),
      name: this.#options.name,
      term: term(0),
      leader: null,
      commitIndex: none,
      appliedIndex: none,
      lastIndex: none,
      bytesSinceSnapshot: 0,
      snapshotIndex: none,
      waitingFor:
        problem === null ? "recovery of the data directory" : `a member who knows it: ${problem}`,
      peers: [],
    };
  }

  stop(done: () => void): void {
    assert(this.#stopDone === null && this.#phase !== "stopped", "a log is stopped once");
    this.#stopDone = done;
    const hands = this.#phase === "running";
    this.#phase = "stopping";
    this.#links.stopJoining();
    if (hands && this.#running !== null) this.#running.handOver(null, () => this.#close());
    else if (!this.#opening) this.#later(() => this.#close());
  }

  #close(): void {
    const closed = (): void => {
      this.#phase = "stopped";
      this.#stopDone?.();
    };
    this.#running?.halt();
    this.#links.close(() => {
      if (this.#running !== null) this.#running.close(closed);
      else if (this.#opened !== null) this.#opened.storage.close(closed);
      else closed();
    });
  }

  readonly #storageFailed = (stop: StorageStop): void => this.#fail(failureOfStop(stop));

  /** The first failure counts: it goes to `started` if that is open, else to the host. */
  #fail(failure: LogFailure): void {
    if (this.#phase === "failed" || this.#phase === "stopping" || this.#phase === "stopped") return;
    this.#phase = "failed";
    this.#running?.halt();
    // The others see their links close, and need not wait for this node's silence.
    this.#links.close(() => undefined);
    const { note } = this.#options;
    note("warn", failure.message, { code: failure.code });
    const started = this.#started;
    this.#started = null;
    this.#later(() => {
      if (started !== null) started(failure);
      else this.#host?.fatal(failure);
    });
  }

  #later(callback: () => void): void {
    this.#options.endOfTurn.schedule(callback);
  }
}
