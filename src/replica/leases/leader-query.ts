/**
 * Questions about leases that only the leader can answer: to keep them alive, or how much is left
 * of them. All that come up in one turn go in one ask, or straight to this node's own keeper if it
 * serves. Asking twice does no harm, so what got no answer is asked again. Whatever has none when
 * its time is over gets none, also where the leader or the log still owes it.
 */
import { Reader, Writer } from "../../base/codec.js";
import type { NodeId } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type { ReplicatedLog } from "../../log/port/index.js";
import { Deadlines, type Timed } from "../deadlines.js";
import type { ReplicaLimits } from "../limits.js";
import { decodeOrNull, writeLeases } from "../proposals/questions.js";
import type { NodeTime } from "../time.js";
import type { Turn } from "../turn.js";
import { type LeaseReply, readReplies } from "./replies.js";

/** Told once: one reply a lease, in order; null: no leader answered in time. */
export interface LeaseWaiter {
  told(replies: readonly LeaseReply[] | null): void;
}

/** This node's own answer, later or at once; null when it does not (or no longer) serve. */
export type AnswerHere = (
  leases: readonly string[],
  done: (replies: readonly LeaseReply[] | null) => void,
) => void;

class Group implements Timed {
  readonly leases: readonly string[];
  readonly deadlineMs: number;
  /** null: it was told. */
  waiter: LeaseWaiter | null;

  constructor(leases: readonly string[], waiter: LeaseWaiter, deadlineMs: number) {
    this.leases = leases;
    this.waiter = waiter;
    this.deadlineMs = deadlineMs;
  }

  get answered(): boolean {
    return this.waiter === null;
  }
}

export class LeaderQuery {
  readonly #kind: number;
  readonly #log: ReplicatedLog;
  readonly #bytes: Bytes;
  readonly #limits: ReplicaLimits;
  readonly #time: NodeTime;
  readonly #turn: Turn;
  readonly #self: () => NodeId;
  readonly #here: AnswerHere;
  readonly #writer: Writer;
  readonly #deadlines = new Deadlines<Group>();
  #waiting: Group[] = [];
  #leases = 0;
  #retryAtMs = 0;
  #stopped = false;

  constructor(
    kind: number,
    ports: { readonly log: ReplicatedLog; readonly bytes: Bytes; readonly self: () => NodeId },
    limits: ReplicaLimits,
    time: NodeTime,
    turn: Turn,
    here: AnswerHere,
  ) {
    this.#kind = kind;
    this.#log = ports.log;
    this.#bytes = ports.bytes;
    this.#self = ports.self;
    this.#limits = limits;
    this.#time = time;
    this.#turn = turn;
    this.#here = here;
    this.#writer = new Writer(ports.bytes, 4096);
  }

  /** False, and nothing done, when too many are asked about already. */
  ask(leases: readonly string[], waiter: LeaseWaiter): boolean {
    if (this.#leases + leases.length > this.#limits.maxPendingKeepAlives) return false;
    if (this.#stopped) {
      waiter.told(null);
      return true;
    }
    this.#leases += leases.length;
    const deadlineMs = this.#time.nowMs() + this.#limits.keepAliveTimeoutMs;
    const group = new Group(leases, waiter, deadlineMs);
    this.#deadlines.add(group);
    this.#waiting.push(group);
    this.#turn.wake();
    return true;
  }

  /** At the end of a turn. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = this.#time.nowMs();
    this.#tellDue(nowMs);
    if (this.#waiting.length === 0 || nowMs < this.#retryAtMs) return;
    const now = this.#log.leadership();
    if (now.leader === null) return;
    const self = now.leader === this.#self();
    if (self && !now.serving) return;
    const groups = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < groups.length; ) {
      const to = this.#batchEnd(groups, from);
      this.#send(self ? null : now.leader, groups.slice(from, to));
      from = to;
    }
  }

  tick(nowMs: number): void {
    this.#tellDue(nowMs);
    if (this.#waiting.length > 0) this.#turn.wake();
  }

  /** Nobody is asked any more: what waits is told so, and whatever comes. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    for (const group of this.#deadlines.takeAll()) this.#tell(group, null);
  }

  #tellDue(nowMs: number): void {
    const late = this.#deadlines.takeDue(nowMs);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const group of late) this.#tell(group, null);
  }

  leadershipChanged(): void {
    this.#retryAtMs = 0;
    if (this.#waiting.length > 0) this.#turn.wake();
  }

  #batchEnd(groups: readonly Group[], from: number): number {
    let leases = 0;
    for (let to = from; to < groups.length; to++) {
      leases += groups[to]?.leases.length ?? 0;
      if (to > from && leases > this.#limits.maxLeasesPerBatch) return to;
    }
    return groups.length;
  }

  #send(leader: NodeId | null, groups: readonly Group[]): void {
    const leases: string[] = [];
    for (const group of groups) for (const lease of group.leases) leases.push(lease);
    if (leader === null) {
      this.#here(leases, replies => this.#answered(groups, leases.length, replies));
      return;
    }
    this.#log.ask(leader, writeLeases(this.#writer, this.#kind, leases), answer => {
      const reader = answer === null ? null : new Reader(this.#bytes, answer);
      const replies = reader === null ? null : decodeOrNull(() => readReplies(reader));
      this.#answered(groups, leases.length, replies);
    });
  }

  #answered(groups: readonly Group[], leases: number, replies: readonly LeaseReply[] | null): void {
    if (replies === null || replies.length !== leases) {
      this.#retryAtMs = this.#time.nowMs() + this.#limits.askRetryMs;
      for (const group of groups) if (!group.answered) this.#waiting.push(group);
      return;
    }
    let from = 0;
    for (const group of groups) {
      this.#tell(group, replies.slice(from, from + group.leases.length));
      from += group.leases.length;
    }
  }

  #tell(group: Group, replies: readonly LeaseReply[] | null): void {
    const { waiter } = group;
    if (waiter === null) return;
    group.waiter = null;
    this.#leases -= group.leases.length;
    waiter.told(replies);
  }
}
