/**
 * Everything that runs once the directory is open: makes the parts, ties their events together, and
 * sees them through start, hand-over and close. What each part does stands in its own file; the
 * embedded log (embedded.ts) is the one caller.
 */
import { assert } from "../base/assert.js";
import type { LogIndex, NodeId, Term } from "../base/ids.js";
import { Raft } from "../raft/index.js";
import { type Heartbeat, MEMBER_ROLE, type Message, type Snapshot } from "../raft/message/index.js";
import type { StorageStop } from "../storage/contract.js";
import { Delivery } from "./delivery.js";
import { failureOfStop, memberReplaced } from "./failure.js";
import { HandOver } from "./hand-over.js";
import type { Links, LinksEvents } from "./links.js";
import { Loop } from "./loop.js";
import { MemberChanges } from "./members.js";
import type { OpenedLog } from "./opening.js";
import type { EmbeddedLogOptions } from "./options.js";
import { nameOf, Participation } from "./participation.js";
import type {
  AppendOutcome,
  ChangeOutcome,
  Leadership,
  LogFailure,
  LogHost,
  LogMember,
  LogStatus,
  MemberChange,
  SnapshotSink,
  TransferOutcome,
} from "./port/index.js";
import { Reads } from "./reads.js";
import { Roster } from "./roster.js";
import { SelfAsks } from "./self-asks.js";
import { IncomingSnapshots, type SnapshotVerdict } from "./snapshot-incoming.js";
import { OutgoingSnapshots } from "./snapshot-outgoing.js";
import { OwnSnapshots } from "./snapshot-own.js";
import { readSnapshot } from "./snapshot-reading.js";
import { Ticker } from "./ticker.js";

export class RunningLog {
  readonly #options: EmbeddedLogOptions;
  readonly #opened: OpenedLog;
  readonly #host: LogHost;
  readonly #failed: (failure: LogFailure) => void;
  readonly #raft: Raft;
  readonly #delivery: Delivery;
  readonly #reads: Reads;
  readonly #loop: Loop;
  readonly #participation: Participation;
  readonly #links: Links;
  readonly #selfAsks: SelfAsks;
  readonly #own: OwnSnapshots;
  readonly #outgoing: OutgoingSnapshots;
  readonly #incoming: IncomingSnapshots;
  /** Of log on disk after the newest snapshot when this process started. */
  #recoveredBytes: number;
  /** What had been written when the newest durable snapshot, or the one under way, was begun. */
  #writtenAtSnapshot = 0;
  #writtenAtBegin = 0;
  #onReady: (() => void) | null = null;
  readonly #changes: MemberChanges;
  readonly #handOver: HandOver;
  #ticksToServe = 0;
  readonly #roster: Roster;
  #halted = false;

  constructor(
    options: EmbeddedLogOptions,
    opened: OpenedLog,
    links: Links,
    host: LogHost,
    failed: (failure: LogFailure) => void,
  ) {
    this.#options = options;
    this.#opened = opened;
    this.#links = links;
    this.#host = host;
    this.#failed = failed;
    const { identity, recovered, storage, base } = opened;
    const { clock, endOfTurn, limits, random } = options;
    this.#recoveredBytes = recovered.entries.reduce((sum, entry) => sum + entry.payload.length, 0);
    this.#raft = new Raft({
      id: identity.nodeId,
      hardState: recovered.hardState,
      configuration: base,
      snapshot: recovered.snapshot ?? { index: 0 as LogIndex, term: 0 as Term },
      entries: recovered.entries,
      options: limits.raft,
      random: random("raft"),
    });
    this.#reads = new Reads(clock, limits.barrierMs);
    const later = (callback: () => void): void => endOfTurn.schedule(callback);
    this.#changes = new MemberChanges({
      raft: this.#raft,
      random: random("members"),
      patienceTicks: 2 * limits.raft.electionTicksMax,
      schedule: later,
    });
    const { electionTicksMin } = limits.raft;
    this.#handOver = new HandOver(this.#raft, identity.nodeId, electionTicksMin, later);
    this.#delivery = new Delivery(host, base, {
      applied: index => this.#reads.applied(index),
      openSnapshot: (_, opened) => readSnapshot(storage, this.#storageFailed, opened),
      resumed: () => this.#resumed(),
    });
    this.#roster = this.#makeRoster();
    this.#participation = this.#makeParticipation();
    this.#loop = this.#makeLoop();
    this.#selfAsks = new SelfAsks(clock, endOfTurn, limits.peer.askTimeoutMs, (question, answer) =>
      host.asked(identity.nodeId, question, answer),
    );
    this.#own = new OwnSnapshots(storage, durable => this.#ownSnapshotEnded(durable !== null));
    this.#outgoing = this.#makeOutgoing();
    this.#incoming = this.#makeIncoming();
  }

  #makeRoster(): Roster {
    return new Roster({
      self: this.#opened.identity.nodeId,
      raft: this.#raft,
      delivery: this.#delivery,
      participation: () => this.#participation,
      clientUrls: this.#options.clientUrls,
      graceTicks: this.#options.limits.raft.electionTicksMin,
      spokenWith: configuration => this.#links.setPeers(configuration),
      wake: () => this.#loop.wake(),
      failed: this.#failed,
    });
  }

  #makeOutgoing(): OutgoingSnapshots {
    const { identity, storage } = this.#opened;
    const { raft, snapshotPatienceTicks: patienceTicks } = this.#options.limits;
    const timing = { retryTicks: raft.heartbeatTicks, patienceTicks };
    return new OutgoingSnapshots(identity.nodeId, storage, timing, {
      send: (offer, source, events) => this.#links.sendSnapshot(offer, source, events),
      isUp: to => this.#links.isUp(to),
      sent: (to, ok) => this.#snapshotSent(to, ok),
      wanted: () => {
        if (!this.#own.underWay) this.#host.snapshotWanted();
      },
      failed: this.#storageFailed,
    });
  }

  #makeIncoming(): IncomingSnapshots {
    const { storage } = this.#opened;
    const { bytes, limits, note } = this.#options;
    return new IncomingSnapshots(storage, bytes, limits.snapshotKeptTicks, {
      judge: snapshot => this.#judge(snapshot),
      alreadyHeld: snapshot => this.#loop.step(snapshot),
      mismatched: ({ from, metadata: { index } }) => {
        const who = nameOf(this.#roster.spokenWith, from);
        note("warn", `the snapshot from ${who} is not what it offered, and was dropped`, { index });
      },
      freeze: drained => this.#loop.freeze(drained),
      thaw: installed => {
        if (installed !== null && installed.metadata.index === storage.snapshot?.index) {
          this.#bytesCountedFrom(this.#loop.writtenBytes);
        }
        this.#loop.thaw(installed);
      },
    });
  }

  #makeParticipation(): Participation {
    const { identity, recovered, storage } = this.#opened;
    return new Participation({
      self: identity.nodeId,
      incarnation: identity.incarnation,
      storage,
      recorded: recovered.peers,
      configuration: this.#roster.spokenWith,
      isCommitted: () => this.#roster.isCommitted,
      recordedPeer: admitted => {
        if (this.#halted) return;
        this.#roster.heard();
        this.#loop.wake();
        if (admitted) this.#admitted();
      },
    });
  }

  #makeLoop(): Loop {
    const { clock, endOfTurn, limits } = this.#options;
    const ticker = new Ticker(clock, limits.tickMs, limits.raft.heartbeatTicks, () =>
      this.#loop.wake(),
    );
    return new Loop({
      self: this.#opened.identity.nodeId,
      raft: this.#raft,
      storage: this.#opened.storage,
      delivery: this.#delivery,
      reads: this.#reads,
      ticker,
      host: this.#host,
      endOfTurn,
      limits,
      events: {
        takesPart: () => this.#participation.takesPart,
        send: message => this.#links.send(message),
        flush: () => this.#links.flush(),
        ticked: ticks => this.#ticked(ticks),
        waited: () => this.#selfAsks.expire(),
        snapshotRequested: request => this.#outgoing.request(request),
        passed: () => this.#passed(),
      },
    });
  }

  /** Restores the host, then lets peers in; `ready` when that is done. Failures go to `failed`. */
  start(ready: () => void): void {
    this.#onReady = ready;
    const { snapshot } = this.#opened.recovered;
    if (snapshot === null) this.#go(ready);
    else this.#delivery.restore(snapshot);
  }

  #resumed(): void {
    if (this.#halted) return;
    if (this.#onReady !== null) this.#go(this.#onReady);
    else this.#loop.wake();
  }

  #go(ready: () => void): void {
    this.#onReady = null;
    this.#links.start({
      identity: this.#opened.identity,
      participation: this.#participation,
      configuration: this.#roster.spokenWith,
      events: this.#linksEvents(),
    });
    this.#loop.start();
    if (this.#participation.takesPart) this.#admitted();
    ready();
  }

  #linksEvents(): LinksEvents {
    return {
      received: message => this.#received(message),
      asked: (from, question, answer) => this.#host.asked(from, question, answer),
      configurationFor: node => this.#roster.configurationFor(node),
      leads: () => this.#raft.role === "leader",
      snapshotOffered: (offer, decide) => this.#incoming.offered(offer, decide),
      up: peer => {
        this.#raft.linkUp(peer);
        this.#roster.heard();
        this.#loop.wake();
      },
      down: (peer, startedByUs) => {
        if (startedByUs) this.#raft.unreachable(peer);
        else this.#raft.linkReset(peer);
        this.#loop.wake();
      },
      fatal: failure => this.#failed(failure),
    };
  }

  /** From now on this node takes part. Alone it need not wait for anybody. */
  #admitted(): void {
    const voters = this.#raft.configuration.members.filter(
      ({ role }) => role === MEMBER_ROLE.voter,
    );
    if (voters.length === 1 && voters[0]?.id === this.#opened.identity.nodeId) {
      this.#raft.campaign();
    }
    this.#roster.heard();
    this.#loop.wake();
  }

  append(payload: Uint8Array, onlyInTerm: Term | null): AppendOutcome {
    return this.#loop.append(payload, onlyInTerm);
  }

  barrier(done: (confirmed: boolean) => void): void {
    this.#reads.barrier(done);
    this.#loop.wake();
  }

  confirm(done: (confirmedIn: Term | null) => void): void {
    this.#reads.confirm(done);
    this.#loop.wake();
  }

  leadership(): Leadership {
    return this.#loop.leadership();
  }

  ask(node: NodeId, question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    if (node === this.#opened.identity.nodeId) this.#selfAsks.ask(question, done);
    else this.#links.ask(node, question, done);
  }

  beginSnapshot(index: LogIndex): SnapshotSink | null {
    if (this.#delivery.restoring) return null;
    assert(index === this.#delivery.index, "a snapshot is of the last index handed to the host");
    // There is nothing in it, or nothing new.
    if (index <= (this.#opened.storage.snapshot?.index ?? 0)) return null;
    const sink = this.#own.begin(this.#delivery.metadata);
    if (sink !== null) this.#writtenAtBegin = this.#loop.writtenBytes;
    return sink;
  }

  members(): readonly LogMember[] {
    return this.#raft.configuration.members;
  }

  status(): LogStatus {
    const { identity, storage } = this.#opened;
    const { term, leader, committed, lastIndex } = this.#raft.status();
    const waitingFor = this.#participation.waitingFor();
    return {
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      name: this.#ownName(),
      term,
      leader,
      commitIndex: committed,
      appliedIndex: this.#delivery.index,
      lastIndex,
      bytesSinceSnapshot: this.#recoveredBytes + this.#loop.writtenBytes - this.#writtenAtSnapshot,
      snapshotIndex: storage.snapshot?.index ?? (0 as LogIndex),
      ...(waitingFor === null ? {} : { waitingFor }),
      peers: this.#links.peers(),
    };
  }

  /** Gives leadership to `to`, or to the best follower, within about an election timeout. */
  handOver(to: NodeId | null, done: (outcome: TransferOutcome) => void): void {
    this.#handOver.begin(to, done);
    this.#loop.wake();
  }

  changeMembers(change: MemberChange, done: (outcome: ChangeOutcome) => void): void {
    this.#changes.begin(change, done);
    this.#loop.wake();
  }

  /** Nothing is sent, written or handed over any more. */
  halt(): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#loop.stop();
    this.#changes.close();
    this.#handOver.close();
    this.#reads.close();
    this.#selfAsks.close();
    this.#outgoing.abandon();
  }

  /** To be called once the links are closed. */
  close(done: () => void): void {
    this.#own.abort();
    this.halt();
    this.#opened.storage.close(done);
  }

  #received(message: Message): void {
    if (message.type === "heartbeat") this.#checkMemory(message);
    if (!this.#halted) this.#loop.step(message);
  }

  /**
   * Within a term a log never loses what was acknowledged in it. One that did, since its end was
   * cut off or an older copy was put in its place, may have forgotten a vote as well, and would
   * help to elect leaders that lack what is committed.
   */
  #checkMemory({ term, held }: Heartbeat): void {
    const own = this.#raft.status();
    if (term < own.term || held <= own.lastIndex) return;
    this.#failed(
      memberReplaced(
        `The leader has this node's word that it holds entry ${held}, but its log ends at ` +
          `${own.lastIndex}`,
      ),
    );
  }

  #ticked(ticks: number): void {
    this.#selfAsks.expire();
    this.#changes.ticked(ticks);
    this.#handOver.ticked(ticks);
    this.#roster.ticked(ticks);
    this.#outgoing.tick(ticks);
    this.#incoming.tick(ticks);
    this.#ticksToServe -= ticks;
    if (this.#ticksToServe > 0) return;
    this.#ticksToServe = this.#options.limits.raft.electionTicksMax;
    if (this.#outgoing.isWaiting && !this.#own.underWay) this.#outgoing.serve();
  }

  #passed(): void {
    this.#roster.passed();
    if (this.#raft.role !== "leader") this.#outgoing.abandon();
    if (this.#changes.passed()) this.#loop.wake();
    this.#handOver.passed();
  }

  #judge(snapshot: Snapshot): SnapshotVerdict {
    const { role, committed } = this.#raft.status();
    const { nodeId } = this.#opened.identity;
    if (this.#halted || !this.#participation.takesPart || role === "leader") return "unwanted";
    if (snapshot.to !== nodeId || this.#delivery.restoring) return "unwanted";
    return snapshot.metadata.index > committed ? "wanted" : "held";
  }

  #ownSnapshotEnded(durable: boolean): void {
    if (!durable) return;
    this.#bytesCountedFrom(this.#writtenAtBegin);
    if (this.#outgoing.isWaiting) this.#outgoing.serve();
  }

  #bytesCountedFrom(written: number): void {
    this.#recoveredBytes = 0;
    this.#writtenAtSnapshot = written;
  }

  #snapshotSent(to: NodeId, ok: boolean): void {
    if (this.#halted) return;
    this.#raft.snapshotSent(to, ok);
    this.#loop.wake();
  }

  readonly #storageFailed = (stop: StorageStop): void => this.#failed(failureOfStop(stop));

  #ownName(): string {
    const { nodeId } = this.#opened.identity;
    const own = this.#raft.configuration.members.find(({ id }) => id === nodeId);
    return own?.name ?? this.#options.name;
  }
}
