/**
 * Replicated logs without replication: one shared list of entries, with every decision in the
 * test's hands: who leads, when entries commit and reach a node, which asks and answers are lost.
 * Runs on a turned loop.
 */
import { logIndex, type NodeId, nodeId, type Term, term } from "../../src/base/ids.js";
import type {
  AppendOutcome,
  ChangeOutcome,
  Leadership,
  LogFailure,
  LogHost,
  LogStatus,
  MemberChange,
  ReplicatedLog,
  SnapshotSink,
  SnapshotSource,
  TransferOutcome,
} from "../../src/log/port/index.js";
import type { TurnedLoop } from "../../src/testing/turned-loop.js";

interface FakeEntry {
  readonly term: number;
  readonly payload: Uint8Array;
}

export type AskFate = "deliver" | "lose" | "lose answer";
const NO_PAYLOAD = new Uint8Array(0);

export class FakeCluster {
  readonly loop: TurnedLoop;
  readonly logs: FakeLog[] = [];
  readonly committed: FakeEntry[] = [];
  /** Appended by the present leader, not committed. */
  uncommitted: FakeEntry[] = [];
  term = 0;
  leader: FakeLog | null = null;
  autoCommit = true;
  askFate: (from: FakeLog, to: FakeLog, question: Uint8Array) => AskFate = () => "deliver";

  constructor(loop: TurnedLoop, nodes: number) {
    this.loop = loop;
    for (let i = 1; i <= nodes; i++) this.logs.push(new FakeLog(this, nodeId(i)));
  }

  /**
   * A new leader whose own first entry is committed; the old one's tail is cut unless `keepTail`.
   */
  elect(log: FakeLog, keepTail = false): void {
    this.term++;
    if (keepTail) this.committed.push(...this.uncommitted);
    this.uncommitted = [];
    this.leader = log;
    this.committed.push({ term: this.term, payload: NO_PAYLOAD });
    for (const each of this.logs) {
      if (!each.isolated) each.see({ term: term(this.term), leader: log.id, serving: false });
    }
    this.deliver();
  }

  /** Nobody leads; the term goes on when someone is elected. */
  depose(): void {
    this.leader = null;
    for (const log of this.logs) {
      if (!log.isolated) log.see({ term: term(this.term), leader: null, serving: false });
    }
  }

  commit(): void {
    this.committed.push(...this.uncommitted);
    this.uncommitted = [];
    this.deliver();
  }

  deliver(): void {
    for (const log of this.logs) log.catchUp();
  }

  /** Cut off: it goes on believing what it believed, and nothing it appends is ever committed. */
  isolate(log: FakeLog): void {
    log.isolated = true;
    if (this.leader === log) this.uncommitted = [];
  }

  /** It wakes, and reads in one pass what it slept through: entries first, then who leads now. */
  wake(log: FakeLog): void {
    log.isolated = false;
    const leader = this.leader?.id ?? null;
    this.loop.defer(() => log.wake({ term: term(this.term), leader, serving: false }));
  }

  rejoin(log: FakeLog): void {
    log.isolated = false;
    const leader = this.leader?.id ?? null;
    log.see({ term: term(this.term), leader, serving: false });
    log.catchUp();
  }
}

export class FakeLog implements ReplicatedLog {
  readonly id: NodeId;
  readonly #cluster: FakeCluster;
  #host: LogHost | null = null;
  #now: Leadership = { term: term(0), leader: null, serving: false };
  handed = 0;
  /** Entries wait, unhanded. */
  lagging = false;
  isolated = false;
  refuseAppends = false;
  /** So many appends are refused, then they are taken again. */
  refuseNext = 0;
  appends: Uint8Array[] = [];
  barriers = 0;
  confirmations = 0;
  /** null: heartbeat rounds are answered at once; else they wait here. */
  heldConfirmations: (() => void)[] | null = null;
  bytesSinceSnapshot = 0;
  snapshots: { readonly index: number; readonly slices: Uint8Array[]; done: boolean }[] = [];
  #sinkOpen = false;
  #caughtUp: { readonly index: number; readonly done: (confirmed: boolean) => void }[] = [];

  constructor(cluster: FakeCluster, id: NodeId) {
    this.#cluster = cluster;
    this.id = id;
  }

  get host(): LogHost {
    if (this.#host === null) throw new Error("the log has not been started");
    return this.#host;
  }

  start(host: LogHost, started: (failure: LogFailure | null) => void): void {
    this.#host = host;
    this.#cluster.loop.defer(() => started(null));
  }

  see(now: Leadership): void {
    const before = this.#now;
    this.#now = now;
    const changed = before.term !== now.term || before.leader !== now.leader;
    if (changed || before.serving !== now.serving) {
      this.#cluster.loop.defer(() => this.host.leadershipChanged(this.#now));
    }
  }

  wake(now: Leadership): void {
    this.#now = now;
    this.#handOver();
    this.host.leadershipChanged(this.#now);
  }

  catchUp(): void {
    this.#cluster.loop.defer(() => this.#handOver());
  }

  #handOver(): void {
    const { committed } = this.#cluster;
    if (this.isolated || this.lagging || this.handed >= committed.length) {
      if (!this.isolated && !this.lagging) this.#passBarriers();
      return;
    }
    while (this.handed < committed.length) {
      const entry = committed[this.handed++]!;
      this.host.committed(logIndex(this.handed), term(entry.term), entry.payload);
      this.bytesSinceSnapshot += entry.payload.length;
      const own = entry.term === this.#now.term && this.#now.leader === this.id;
      if (own && !this.#now.serving) {
        this.#now = { ...this.#now, serving: true };
        this.host.leadershipChanged(this.#now);
      }
    }
    this.host.turnEnded();
    this.#passBarriers();
  }

  #passBarriers(): void {
    const passed = this.#caughtUp.filter(({ index }) => index <= this.handed);
    this.#caughtUp = this.#caughtUp.filter(({ index }) => index > this.handed);
    for (const { done } of passed) done(true);
  }

  append(payload: Uint8Array, onlyInTerm: Term | null): AppendOutcome {
    if (this.#now.leader !== this.id || (onlyInTerm !== null && onlyInTerm !== this.#now.term)) {
      return { ok: false, refusal: "not-leader" };
    }
    if (this.refuseAppends || this.refuseNext-- > 0) return { ok: false, refusal: "overloaded" };
    this.appends.push(payload);
    if (this.isolated) return { ok: true, index: logIndex(9_999), term: this.#now.term };
    const cluster = this.#cluster;
    cluster.uncommitted.push({ term: this.#now.term, payload });
    const index = cluster.committed.length + cluster.uncommitted.length;
    if (cluster.autoCommit) cluster.loop.defer(() => cluster.commit());
    return { ok: true, index: logIndex(index), term: this.#now.term };
  }

  barrier(done: (confirmed: boolean) => void): void {
    this.barriers++;
    const { loop, leader, committed } = this.#cluster;
    const confirmed = !this.isolated && leader !== null;
    if (!confirmed) loop.after(100, () => done(false));
    else {
      this.#caughtUp.push({ index: committed.length, done });
      this.catchUp();
    }
  }

  confirmLeadership(done: (confirmedIn: Term | null) => void): void {
    this.confirmations++;
    const confirm = (): void => {
      const leads = this.#cluster.leader === this && !this.isolated && this.#now.serving;
      done(leads ? this.#now.term : null);
    };
    if (this.heldConfirmations === null) this.#cluster.loop.after(1, confirm);
    else this.heldConfirmations.push(confirm);
  }

  leadership(): Leadership {
    return this.#now;
  }

  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    const { loop } = this.#cluster;
    const to = this.#cluster.logs.find(log => log.id === node)!;
    const fate = this.#cluster.askFate(this, to, question);
    if (fate === "lose" || this.isolated || to.isolated) {
      loop.after(1, () => done(null));
      return;
    }
    const answered = (answer: Uint8Array): void => {
      if (fate === "deliver") loop.after(1, () => done(answer));
    };
    if (fate === "lose answer") loop.after(1, () => done(null));
    loop.after(1, () => to.host.asked(this.id, question, answered));
  }

  beginSnapshot(index: number): SnapshotSink | null {
    if (this.#sinkOpen) return null;
    this.#sinkOpen = true;
    const snapshot = { index, slices: [] as Uint8Array[], done: false };
    this.snapshots.push(snapshot);
    const { loop } = this.#cluster;
    return {
      write: (slice, next) => {
        snapshot.slices.push(slice);
        loop.after(1, next);
      },
      finish: done =>
        loop.defer(() => {
          this.#sinkOpen = false;
          this.bytesSinceSnapshot = 0;
          snapshot.done = true;
          done(true);
        }),
      abort: () => {
        this.#sinkOpen = false;
      },
    };
  }

  /** Replaces the host's state by the newest snapshot of another node. */
  jump(from: FakeLog): void {
    const snapshot = from.snapshots.findLast(({ done }) => done)!;
    const slices = snapshot.slices.slice();
    const { loop, committed } = this.#cluster;
    const source: SnapshotSource = {
      index: logIndex(snapshot.index),
      term: term(committed[snapshot.index - 1]!.term),
      read: done => loop.defer(() => done(slices.shift() ?? null)),
      close: () => {},
    };
    this.lagging = true;
    loop.defer(() =>
      this.host.restore(source, () => {
        this.handed = snapshot.index;
        this.lagging = false;
        this.catchUp();
      }),
    );
  }

  /** What a change, or a hand-over, comes to; null: it is not answered until a test does it. */
  onChange: (change: MemberChange) => ChangeOutcome | null = () => ({
    ok: false,
    refusal: "not-leader",
  });
  onTransfer: (to: NodeId | null) => TransferOutcome | null = () => ({
    ok: false,
    refusal: "not-leader",
  });

  changeMembers(change: MemberChange, done: (outcome: ChangeOutcome) => void): void {
    const outcome = this.onChange(change);
    if (outcome !== null) this.#cluster.loop.schedule(() => done(outcome));
  }

  transferLeadership(to: NodeId | null, done: (outcome: TransferOutcome) => void): void {
    const outcome = this.onTransfer(to);
    if (outcome !== null) this.#cluster.loop.schedule(() => done(outcome));
  }

  members(): ReturnType<ReplicatedLog["members"]> {
    return this.#cluster.logs.map(({ id }) => ({
      id,
      name: `n${id}`,
      role: "voter" as const,
      peerUrls: [],
      clientUrls: [],
    }));
  }

  status(): LogStatus {
    const { term: now, leader } = this.#now;
    return {
      clusterId: "00000000000000aa",
      nodeId: this.id,
      name: `n${this.id}`,
      term: now,
      leader,
      commitIndex: logIndex(this.handed),
      appliedIndex: logIndex(this.handed),
      lastIndex: logIndex(this.handed),
      bytesSinceSnapshot: this.bytesSinceSnapshot,
      snapshotIndex: logIndex(0),
      peers: [],
    };
  }

  stop(done: () => void): void {
    this.#cluster.loop.defer(done);
  }
}
