/**
 * The replica: puts this room's parts together, hosts the log, and is the coordinator's maker. All
 * that happens comes in here: calls of connections, what the log hands over, ticks.
 */

import type { PushedEvent } from "holdfast-protocol";
import { DecodeError, Reader, Writer } from "../base/codec.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import type { Bytes, Clock, EndOfTurn, Random } from "../base/ports.js";
import type {
  Leadership,
  LogFailure,
  LogHost,
  ReplicatedLog,
  SnapshotSource,
} from "../log/port/index.js";
import { EntryBuilder, Machine, type StateMachine } from "../state/index.js";
import { Applier } from "./applier.js";
import { ClientConnection } from "./connection.js";
import type { Connection, Coordinator, CoordinatorStatus, LineTally } from "./coordinator/index.js";
import { Core } from "./core.js";
import { shuttingDown, starting } from "./failure.js";
import { Attachments } from "./leases/attachments.js";
import { proposeExpiry } from "./leases/expiry.js";
import { LeaseKeeper } from "./leases/keeper.js";
import { LeaderQuery } from "./leases/leader-query.js";
import { LeaseClock } from "./leases/lease-clock.js";
import { REPLICA_LIMITS, type ReplicaLimits } from "./limits.js";
import { Places } from "./lines/places.js";
import { MemberOffice } from "./members/office.js";
import { Outbox } from "./outbox.js";
import { Probe } from "./probe.js";
import { Assembly } from "./proposals/assembly.js";
import { Proposals } from "./proposals/proposals.js";
import { QUESTION, readQuestion } from "./proposals/questions.js";
import { Reception } from "./proposals/reception.js";
import { Reads } from "./reads.js";
import { readSnapshot, stopped } from "./restoring.js";
import { Snapshots } from "./snapshots.js";
import { type Life, statusOf } from "./status.js";
import { ClusterTime, NodeTime } from "./time.js";
import { Turn } from "./turn.js";
import { WatchHub } from "./watch/hub.js";

export interface ReplicaOptions {
  readonly log: ReplicatedLog;
  readonly clock: Clock;
  /** For the boot id and the ids of leases: must not repeat from process to process. */
  readonly random: Random;
  readonly bytes: Bytes;
  readonly endOfTurn: EndOfTurn;
  /** The program's version, for `cluster.status`; default "unknown". */
  readonly version?: string;
  /** The replica or its log cannot go on: the process must stop and say so. Called at most once. */
  readonly onFatal: (failure: LogFailure) => void;
  readonly limits?: Partial<ReplicaLimits>;
  /** The state to begin with where there is no snapshot; default an empty `Machine`. */
  readonly machine?: StateMachine;
}

export interface Replica {
  readonly coordinator: Coordinator;
  /** Starts the log; `done` with null when this node takes part. */
  start(done: (failure: LogFailure | null) => void): void;
  /** Refuses new work, hands leadership over, closes the log. */
  stop(done: () => void): void;
  /**
   * The state's hash and the index that it is of, by which nodes can be compared. Takes time in
   * proportion to the state.
   */
  hash(): { readonly index: number; readonly hash: string };
}

/** How often, in ticks, the log is asked whether a snapshot is due. */
const SNAPSHOT_TICKS = 10;

class Running implements Replica, Coordinator, LogHost {
  readonly coordinator: Coordinator = this;
  readonly #log: ReplicatedLog;
  readonly #clock: Clock;
  readonly #bytes: Bytes;
  readonly #limits: ReplicaLimits;
  readonly #onFatal: (failure: LogFailure) => void;
  readonly #core: Core;
  readonly #applier: Applier;
  readonly #turn: Turn;
  readonly #outbox: Outbox;
  readonly #time: NodeTime;
  readonly #clusterTime: ClusterTime;
  readonly #assembly: Assembly;
  readonly #proposals: Proposals;
  readonly #reception: Reception;
  readonly #reads: Reads;
  readonly #leaseClock: LeaseClock;
  readonly #keeper: LeaseKeeper;
  readonly #keepAlives: LeaderQuery;
  readonly #remaining: LeaderQuery;
  readonly #members: MemberOffice;
  readonly #snapshots: Snapshots;
  readonly #life: Life;
  #self: NodeId | null = null;
  #servingTerm: Term | null = null;
  #leaseDue = false;
  #ticks = 0;
  #connections = 0;
  #failed = false;
  #entries = 0;

  constructor(options: ReplicaOptions) {
    const { log, clock, random, bytes } = options;
    this.#log = log;
    this.#clock = clock;
    this.#bytes = bytes;
    this.#onFatal = options.onFatal;
    const limits = { ...REPLICA_LIMITS, ...options.limits };
    this.#limits = limits;
    const time = new NodeTime(clock);
    this.#time = time;
    const clusterTime = new ClusterTime(time);
    this.#clusterTime = clusterTime;
    const turn = new Turn(options.endOfTurn);
    this.#turn = turn;
    const self = (): NodeId => this.#whoami();
    const stamp = { clusterTimeMs: () => clusterTime.stampMs(), wallMs: () => time.wallMs() };
    this.#assembly = new Assembly(log, new EntryBuilder(bytes), stamp, limits);
    const boot = random.below(2 ** 48);
    this.#proposals = new Proposals(log, this.#assembly, boot, bytes, limits, turn, self);
    const leadership = (): Leadership => log.leadership();
    this.#reception = new Reception(this.#assembly, bytes, limits, turn, self, leadership);
    this.#reads = new Reads(log, limits, time, turn);
    this.#leaseClock = new LeaseClock(
      time,
      limits,
      proposeExpiry(() => this.#core),
    );
    const endOf = (lease: string) => this.#core.machine.endedLease(lease) ?? "forgotten";
    const keeper = new LeaseKeeper(log, bytes, this.#leaseClock, limits, turn, endOf);
    this.#keeper = keeper;
    const ports = { log, bytes, self };
    this.#keepAlives = new LeaderQuery(QUESTION.keepAlive, ports, limits, time, turn, (l, done) =>
      keeper.keepAlive(l, done),
    );
    this.#remaining = new LeaderQuery(QUESTION.remaining, ports, limits, time, turn, (l, done) =>
      keeper.remaining(l, done),
    );
    this.#members = new MemberOffice(log, bytes, self);
    this.#outbox = new Outbox(turn);
    this.#life = { phase: "starting", counters: () => this.#counters() };
    this.#core = this.#assemble(boot, random, options);
    this.#snapshots = new Snapshots(log, limits, () => this.#core.machine);
    this.#applier = new Applier(this.#core, this.#leaseClock);
    this.#defineTurn();
  }

  connect(onEvent: ((event: PushedEvent) => void) | null): Connection {
    this.#connections++;
    return new ClientConnection(this.#core, onEvent, () => {
      this.#connections--;
    });
  }

  status(): CoordinatorStatus {
    return statusOf(this.#core);
  }

  tallies(): readonly LineTally[] {
    return this.#core.tallies.all();
  }

  probe(done: (confirmed: boolean) => void): void {
    const probe = new Probe(this.#outbox, done);
    if (this.#core.starting) probe.fail(starting());
    else this.#reads.read(probe);
  }

  start(done: (failure: LogFailure | null) => void): void {
    this.#log.start(this, failure => {
      if (failure === null) {
        if (this.#life.phase === "starting") this.#life.phase = "running";
        this.#tickLater();
      }
      done(failure);
    });
  }

  stop(done: () => void): void {
    this.#life.phase = "stopping";
    this.#proposals.stop();
    this.#reads.stop();
    this.#core.watches.stop(shuttingDown());
    this.#snapshots.abort();
    this.#log.stop(() => {
      this.#failed = true;
      this.#endCalls();
      this.#outbox.flush();
      done();
    });
  }

  hash(): { readonly index: number; readonly hash: string } {
    const { machine } = this.#core;
    return { index: machine.appliedIndex, hash: machine.hash() };
  }

  restore(source: SnapshotSource, done: () => void): void {
    this.#snapshots.abort();
    readSnapshot(
      source,
      this.#bytes,
      machine => {
        const before = this.#core.machine;
        this.#core.machine = machine;
        this.#clusterTime.applied(machine.clusterTimeMs);
        // Who is given a snapshot does not lead: what is in the making is refused and told first.
        this.#assembly.appendNow();
        this.#proposals.restored();
        this.#core.places.restored();
        this.#core.endings.restored();
        this.#core.watches.restored();
        this.#core.parts.attachments.restored(before, machine);
        this.#turn.wake();
        done();
      },
      failure => this.fatal(failure),
    );
  }

  committed(index: LogIndex, term: Term, payload: Uint8Array): void {
    if (this.#failed) return;
    this.#entries++;
    this.#assembly.committed(index);
    this.#assembly.entryOf(term);
    this.#proposals.entryOf(term);
    const { machine } = this.#core;
    const stop = machine.apply(index, payload, this.#applier);
    if (stop !== null) this.fatal(stopped(stop));
    else this.#clusterTime.applied(machine.clusterTimeMs);
  }

  turnEnded(): void {
    // What waited for these commits goes before they are answered.
    this.#assembly.flushHeld();
    this.#core.watches.flush();
    this.#keeper.applied();
    this.#outbox.flush();
  }

  leadershipChanged(now: Leadership): void {
    if (this.#servingTerm !== null && (!now.serving || now.term !== this.#servingTerm)) {
      this.#servingTerm = null;
      this.#clusterTime.end();
      this.#leaseClock.end();
      this.#keeper.end();
    }
    if (now.serving && this.#servingTerm === null) {
      this.#servingTerm = now.term;
      this.#clusterTime.begin();
      this.#leaseClock.begin(now.term, visit => this.#core.machine.eachLease(visit));
    }
    this.#assembly.leadershipChanged();
    this.#turn.wake();
    this.#reception.leadershipChanged(now);
    this.#proposals.leadershipChanged(now);
    this.#keepAlives.leadershipChanged();
    this.#remaining.leadershipChanged();
    this.#reads.leadershipChanged();
  }

  asked(_from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    const reader = new Reader(this.#bytes, question);
    const kind = kindOf(reader);
    if (kind === QUESTION.propose || kind === QUESTION.openStream) {
      this.#reception.asked(kind, reader, answer);
    } else if (kind === QUESTION.keepAlive || kind === QUESTION.remaining) {
      this.#keeper.asked(kind, reader, answer);
    } else if (kind === QUESTION.members) {
      this.#members.asked(reader, answer);
    }
  }

  snapshotWanted(): void {
    this.#snapshots.want();
  }

  fatal(failure: LogFailure): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#life.phase = "stopping";
    this.#endCalls();
    this.#onFatal(failure);
  }

  /** Nothing comes of the log any more, and no tick looks after what waits for it. */
  #endCalls(): void {
    this.#proposals.stopped();
    this.#reads.stop();
    this.#keepAlives.stop();
    this.#remaining.stop();
  }

  #assemble(boot: number, random: Random, options: ReplicaOptions): Core {
    return new Core(
      {
        boot,
        version: options.version ?? "unknown",
        log: this.#log,
        limits: this.#limits,
        random,
        bytes: this.#bytes,
        scratch: new Writer(this.#bytes, 1024),
        time: this.#time,
        clusterTime: this.#clusterTime,
        outbox: this.#outbox,
        proposals: this.#proposals,
        reads: this.#reads,
        keepAlives: this.#keepAlives,
        remaining: this.#remaining,
        attachments: new Attachments(),
        members: this.#members,
        life: this.#life,
      },
      options.machine ?? new Machine(this.#bytes),
      core => new Places(core),
      core => new WatchHub(core, () => this.#turn.wake()),
    );
  }

  #defineTurn(): void {
    this.#turn.define([
      // Keep-alives first: a lease that was heard of in this turn is not ended in it.
      () => this.#keepAlives.flush(),
      () => this.#remaining.flush(),
      () => this.#expire(),
      () => this.#proposals.flush(this.#time.nowMs()),
      () => this.#assembly.flush(),
      () => this.#keeper.flush(),
      () => this.#reads.flush(),
      () => this.#core.watches.catchUp(),
      () => this.#outbox.flush(),
    ]);
  }

  #tickLater(): void {
    this.#clock.after(this.#limits.tickMs, () => {
      if (this.#failed) return;
      this.#tick();
      this.#tickLater();
    });
  }

  #tick(): void {
    const nowMs = this.#time.nowMs();
    if (this.#leaseClock.tick()) {
      this.#leaseDue = true;
      this.#turn.wake();
    }
    this.#proposals.tick(nowMs);
    this.#keepAlives.tick(nowMs);
    this.#remaining.tick(nowMs);
    this.#keeper.tick();
    this.#reads.tick(nowMs);
    this.#core.places.tick(nowMs);
    this.#core.watches.tick(nowMs);
    this.#bringTime();
    this.#ticks++;
    if (this.#ticks % SNAPSHOT_TICKS === 0) this.#snapshots.look();
  }

  /** Something ends by the cluster's time alone: whoever leads sees to it that the log hears it. */
  #bringTime(): void {
    const term = this.#servingTerm;
    if (term === null || this.#core.machine.nextDeadlineMs() > this.#clusterTime.stampMs()) return;
    this.#assembly.appendTime(term);
  }

  #expire(): void {
    if (!this.#leaseDue) return;
    this.#leaseDue = false;
    this.#leaseClock.expireDue();
  }

  #whoami(): NodeId {
    this.#self ??= this.#log.status().nodeId;
    return this.#self;
  }

  #counters(): Readonly<Record<string, number>> {
    const { places, watches, parts, machine } = this.#core;
    return {
      connections: this.#connections,
      entries_applied_total: this.#entries,
      entries_appended_total: this.#assembly.entriesAppended,
      commands_appended_total: this.#assembly.commandsAppended,
      proposals_pending: this.#proposals.pending,
      proposals_settled_total: this.#proposals.settled,
      proposals_again_total: this.#proposals.proposedAgain,
      proposals_unknown_total: this.#proposals.unknown,
      forward_asks_total: this.#proposals.asks,
      reads_total: this.#reads.served,
      read_rounds_total: this.#reads.barriers,
      lease_timers: this.#leaseClock.size,
      lease_expiries_proposed_total: this.#leaseClock.expiriesProposed,
      keepalive_rounds_total: this.#keeper.confirmations,
      keepalives_confirmed_total: this.#keeper.extended,
      leases_attached: parts.attachments.size,
      losses_pushed_total: parts.attachments.lost,
      waits: places.size,
      waits_granted_total: places.granted,
      watches: watches.size,
      watch_changes_told_total: watches.told,
      snapshots_written_total: this.#snapshots.written,
      snapshots_failed_total: this.#snapshots.failed,
      snapshot_bytes_total: this.#snapshots.bytes,
      ...prefixed(machine.counters()),
    };
  }
}

function prefixed(counters: object): Record<string, number> {
  const named: Record<string, number> = {};
  for (const [name, value] of Object.entries(counters)) {
    const snake = name.replace(/[A-Z]/g, upper => `_${upper.toLowerCase()}`);
    if (typeof value === "number") named[`state_${snake}`] = value;
  }
  return named;
}

/** The question's kind; 0 for what is no question of ours. */
function kindOf(reader: Reader): number {
  try {
    return readQuestion(reader);
  } catch (error) {
    if (error instanceof DecodeError) return 0;
    throw error;
  }
}

export function createReplica(options: ReplicaOptions): Replica {
  return new Running(options);
}
