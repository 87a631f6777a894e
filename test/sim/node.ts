/**
 * A node of the simulated cluster: the product's log, replica and WebSocket sessions over a disk
 * and a network in memory, in one process that can die, stall and come back. What its log hands
 * over is shown to the truth first.
 */
import type { FrameSession } from "../../src/api/websocket/session.js";
import type { DiskErrorCode } from "../../src/base/disk.js";
import type { Connection } from "../../src/base/network.js";
import { randomStream } from "../../src/base/random.js";
import { createEmbeddedLog } from "../../src/log/index.js";
import type { LogFailure, LogHost, ReplicatedLog } from "../../src/log/port/index.js";
import { createReplica, type Replica } from "../../src/replica/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import { Machine } from "../../src/state/index.js";
import { type DiskOperation, MemoryDisk } from "../../src/testing/memory-disk.js";
import type { SimCluster } from "./cluster.js";
import { DisorderedWire } from "./disorder.js";
import { CALL_PORT, plainDoor, sessionOver, WEBSOCKET_PORT } from "./doors.js";
import { observed } from "./observed-log.js";
import { drawDrift, Process } from "./process.js";
import type { NodeLimits } from "./settings.js";
import { Sightings } from "./sightings.js";
import { sometimes } from "./sometimes.js";
import type { Trap } from "./trap.js";
import { networkOf, type Taps } from "./wires.js";

const PEER_PORT = 2380;

export class SimNode {
  readonly name: string;
  disk: MemoryDisk;
  readonly #cluster: SimCluster;
  #process: Process | null = null;
  #replica: Replica | null = null;
  #log: ReplicatedLog | null = null;
  #sessions = new Set<FrameSession>();
  #sightings: Sightings | null = null;
  /** Names that it is given to begin with: of all first members, or of those whom it asks. */
  #initial: readonly string[];
  /** It was added, or is to be: it asks others who it is. */
  #joins: boolean;
  /** By what it last said; null: its disk is empty as far as anybody knows. */
  #memberId: number | null = null;
  /** Who it was, on a disk that was wiped. */
  #formerId: number | null = null;
  /** When this life began, it was no member any more, or no member yet. */
  #wasRemoved = false;
  #wasUnknown = false;
  /** Its own disk, while another takes its place. */
  #kept: MemoryDisk | null = null;
  #life = 0;
  /** Codes with which this life may fail, since the disk was made to. */
  #excused = new Set<string>();
  stopping = false;
  /** Its next life is one of a version to come. */
  isLater = false;
  starts = 0;
  /** How long the next sync takes while all is well. */
  usualSyncMs: () => number = () => 1;
  /** And all else that its disk does, where a sync takes `slowMs` now; null: no time at all. */
  otherMs: ((slowMs: number | null) => number) | null = null;
  /** What makes it slow now, oldest first; the newest counts. */
  readonly #slow = new Set<() => number>();
  /** Asked at each operation of the disk; the first code makes it fail. */
  readonly diskFaults = new Set<(operation: DiskOperation) => DiskErrorCode | null>();
  /** Damage that stands: whoever starts on it may stop with these codes. */
  readonly damages = new Set<string>();
  /** The crash that waits for it. */
  trap: Trap | null = null;
  /** What the next life is started with, if not the cluster's own. */
  limits: NodeLimits;
  /** How far its machine's wall clock is ahead. */
  wallAheadMs = 0;
  /** It has stopped by itself, for a reason that was made. */
  onFailed: () => void = () => {};

  /** `initial`: those whom the cluster begins with; empty for one that joins later. */
  constructor(cluster: SimCluster, name: string, initial: readonly string[]) {
    this.#cluster = cluster;
    this.#initial = initial;
    this.#joins = initial.length === 0;
    this.name = name;
    this.limits = cluster.settings;
    this.disk = this.#newDisk(`disk/${name}`);
  }

  #newDisk(stream: string): MemoryDisk {
    const disk = new MemoryDisk({
      random: randomStream(this.#cluster.seed, stream),
      schedule: (operation, complete) => this.#schedule(operation, complete),
    });
    disk.fault = operation => this.#faultOf(operation);
    disk.beforeNow = () => this.#waitsForDisk();
    return disk;
  }

  #schedule({ kind }: DiskOperation, complete: () => void): void {
    const syncs = kind === "sync" || kind === "writeAndSync";
    const process = this.#process;
    this.#cluster.loop.after(syncs ? this.#syncMs() : this.#otherMs(), () =>
      process?.enter(() => {
        complete();
        this.trap?.reached("after disk");
      }),
    );
    this.trap?.reached("within disk");
  }

  /** Its one thread stands still for a sync, unless that is its end. */
  #waitsForDisk(): void {
    const process = this.#process;
    this.trap?.reached("within disk");
    if (process?.isAlive === true) process.waitFor(this.#syncMs());
  }

  #syncMs(): number {
    return ([...this.#slow].at(-1) ?? this.usualSyncMs)();
  }

  #otherMs(): number {
    const { otherMs } = this;
    return otherMs === null ? 0 : otherMs([...this.#slow].at(-1)?.() ?? null);
  }

  /** Its syncs take so long until what is returned is called, whoever else slows it meanwhile. */
  slowDown(syncMs: () => number): () => void {
    const mine = (): number => syncMs();
    this.#slow.add(mine);
    return () => void this.#slow.delete(mine);
  }

  #faultOf(operation: DiskOperation): DiskErrorCode | null {
    for (const fault of this.diskFaults) {
      const code = fault(operation);
      if (code !== null) return code;
    }
    return null;
  }

  /** From now on this life may fail with `code`. */
  excuse(code: string): void {
    this.#excused.add(code);
  }

  /** Its next start finds an empty directory. Only while it is down. */
  loseDisk(): void {
    this.#kept = this.disk;
    this.disk = this.#newDisk(`disk/${this.name}/${this.#life}`);
  }

  /** Its own disk is back. Only while it is down. */
  findDisk(): void {
    this.disk = this.#kept ?? this.disk;
    this.#kept = null;
  }

  /** Its next start finds an empty directory, for good: it asks others who it is. While down. */
  wipe(asks: readonly string[]): void {
    this.disk = this.#newDisk(`disk/${this.name}/wiped/${this.#life}`);
    this.#formerId = this.#memberId ?? this.#formerId;
    this.#memberId = null;
    this.#initial = asks;
    this.#joins = true;
    this.isLater = false;
  }

  get memberId(): number | null {
    return this.#memberId;
  }

  /** It does not know who it is, and nobody it would ask is a member any more. */
  get asksInVain(): boolean {
    if (!this.#joins || this.#memberId !== null) return false;
    const { members } = this.#cluster.roster;
    return !members.some(({ name }) => name !== this.name && this.#initial.includes(name));
  }

  /** Whoever starts it again says who the members are by now. */
  askMembers(): void {
    this.#initial = [...new Set([...this.#cluster.roster.members.map(one => one.name), this.name])];
  }

  get isForgetful(): boolean {
    return this.#kept !== null;
  }

  get isUp(): boolean {
    return this.#process !== null;
  }

  get process(): Process {
    if (this.#process === null) throw new Error(`${this.name} is down`);
    return this.#process;
  }

  get replica(): Replica | null {
    return this.#replica;
  }

  get log(): ReplicatedLog | null {
    return this.#log;
  }

  /** It was elected; whether it serves yet is another thing. */
  get leads(): boolean {
    const log = this.#log;
    return log !== null && log.leadership().leader === log.status().nodeId;
  }

  get serves(): boolean {
    return this.#log?.leadership().serving === true;
  }

  start(): void {
    const cluster = this.#cluster;
    this.#life += 1;
    this.starts += 1;
    this.stopping = false;
    this.#excused = new Set(this.damages);
    const { roster } = cluster;
    this.#wasRemoved = roster.wasRemoved(this.#memberId);
    this.#wasUnknown = this.#joins && roster.members.every(({ name }) => name !== this.name);
    const run = `${this.name}/${this.#life}`;
    const random = randomStream(cluster.seed, `process/${run}`);
    const process = new Process({
      loop: cluster.loop,
      name: this.name,
      originMs: random.below(1_000_000_000),
      driftPpm: drawDrift(random),
      wallAheadMs: this.wallAheadMs,
      onRun: () => {},
    });
    this.#process = process;
    const network = networkOf(cluster.network.host(this.name), process, this.#taps(process));
    const log = createEmbeddedLog({
      disk: this.disk.mount(),
      directory: "/data",
      network,
      clock: process,
      random: concern => randomStream(cluster.seed, `${run}/${concern}`),
      bytes: nodeBytes,
      checksum: nodeChecksum,
      endOfTurn: process,
      listen: [{ host: this.name, port: PEER_PORT }],
      name: this.name,
      clientUrls: [`http://${this.name}:${WEBSOCKET_PORT}`],
      initialState: this.#joins ? "existing" : "new",
      initialCluster: this.#initial.map(name => ({
        name,
        peerUrls: [`http://${name}:${PEER_PORT}`],
      })),
      token: "token",
      limits: this.limits.logLimits,
      note: (level, message) => cluster.note(`${this.name} ${level}: ${message}`),
    });
    this.#log = log;
    const replica: Replica = createReplica({
      log: observed(log, {
        host: host => this.#observer(host, log, process),
        hash: () => replica.hash().hash,
        cluster,
        name: this.name,
      }),
      clock: process,
      random,
      bytes: nodeBytes,
      endOfTurn: process,
      version: "sim",
      onFatal: failure => this.#failed(process, failure),
      limits: this.limits.replicaLimits,
      machine: new Machine(nodeBytes, cluster.settings.stateLimits),
    });
    this.#replica = replica;
    replica.start(failure => {
      if (failure !== null) this.#failed(process, failure);
      else if (process.isAlive) this.#began(log);
    });
    if (process.isAlive) this.#listen(process, replica);
  }

  /** It knows who it is. */
  #began(log: ReplicatedLog): void {
    const { nodeId } = log.status();
    if (this.isForgetful || nodeId === this.#memberId) return;
    this.#memberId = nodeId;
    if (!this.#joins) return;
    this.#cluster.note(`${this.name} is member ${nodeId}`);
    if (this.#wasUnknown) sometimes("a node joined before it was added");
    if (this.#formerId !== null && this.#formerId !== nodeId)
      sometimes("a wiped member came back as another");
  }

  /** It cannot go on: the process ends at once, as the product's does. */
  #failed(process: Process, failure: LogFailure): void {
    if (!process.isAlive) return;
    const { truth } = this.#cluster;
    if (this.isForgetful && failure.code === "MEMBER_REPLACED") {
      sometimes("empty disk refused");
      this.#cluster.note(`${this.name} stops: ${failure.code}`);
      this.kill();
      return;
    }
    if (failure.code === "MEMBER_REMOVED") {
      this.#toldRemoved();
      return;
    }
    // Who lags may not know yet that the one before it was removed: then it asks again later.
    const isAsking = this.#formerId !== null && this.#memberId === null;
    if (isAsking && failure.code === "MEMBER_REPLACED") this.excuse(failure.code);
    if (!this.#excused.has(failure.code))
      truth.fail(`${this.name} stops: ${failure.code} ${failure.message}`);
    this.#cluster.note(`${this.name} stops as it should: ${failure.code} ${failure.message}`);
    truth.count(`stopped ${failure.code}`);
    this.kill();
    this.onFailed();
  }

  /** What it was told must be true in the end; it stays down until somebody starts it. */
  #toldRemoved(): void {
    const { roster, truth } = this.#cluster;
    const id = this.#memberId ?? this.#log?.status().nodeId ?? 0;
    if (this.#wasRemoved) sometimes("a removed member was told when it came back");
    truth.count("stopped MEMBER_REMOVED");
    this.#cluster.note(`${this.name} stops: it is removed`);
    roster.toldRemoved(this.name, id);
    this.kill();
  }

  #taps(process: Process): Taps {
    const { disorderHost } = this.#cluster;
    return {
      sending: () => {
        this.trap?.reached("before send");
        return process.isAlive;
      },
      sent: () => {
        this.trap?.reached("after send");
      },
      dialled: (connection, to) =>
        to.port === PEER_PORT
          ? new DisorderedWire(connection, this.name, disorderHost, this.isLater)
          : connection,
    };
  }

  /** What the log tells of, seen by the truth first. A process that has just ended says nothing. */
  #observer(host: LogHost, log: ReplicatedLog, process: Process): LogHost {
    const { truth, consensus, settings, roster } = this.#cluster;
    const sightings = new Sightings(this.#cluster, this);
    this.#sightings = sightings;
    // One that stops still hands over, and says no term any more.
    let seenTerm = 0;
    const compare = (why: string): void => {
      const state = this.#replica?.hash();
      if (state !== undefined) truth.hash(this.name, state.index, state.hash, why);
    };
    return {
      restore: (source, done) => {
        truth.count("restores");
        host.restore(source, () => {
          compare("restored");
          sightings.restored(source.index);
          if (this.#joins) sometimes("a member began with a snapshot");
          done();
        });
      },
      committed: (index, term, payload) => {
        if (!process.isAlive) return;
        seenTerm = Math.max(seenTerm, log.leadership().term);
        truth.committed(this.name, index, term, payload, seenTerm);
        roster.committed(this, index, term, payload.length === 0);
        sightings.committed(index, term);
        host.committed(index, term, payload);
        if (index % settings.hashEvery === 0) compare("applied");
      },
      turnEnded: () => host.turnEnded(),
      leadershipChanged: now => {
        if (!process.isAlive) return;
        this.#cluster.leadership(this.name, now);
        const { term, leader } = now;
        seenTerm = Math.max(seenTerm, term);
        const { nodeId, lastIndex } = log.status();
        if (leader !== null) consensus.leads(term, leader);
        if (leader === nodeId) consensus.won(this.name, term, lastIndex);
        sightings.leadershipChanged(now);
        host.leadershipChanged(now);
      },
      asked: (from, question, answer) => host.asked(from, question, answer),
      snapshotWanted: () => host.snapshotWanted(),
      fatal: failure => host.fatal(failure),
    };
  }

  /** The state as it is now must be the one that others have at this index. */
  compare(): void {
    const state = this.#replica?.hash();
    if (state !== undefined)
      this.#cluster.truth.hash(this.name, state.index, state.hash, "compared");
  }

  // The doors.

  #listen(process: Process, replica: Replica): void {
    const network = networkOf(this.#cluster.network.host(this.name), process);
    const open = (port: number, accepted: (connection: Connection) => void): void =>
      network.listen({ host: this.name, port }, accepted, () => {});
    open(WEBSOCKET_PORT, connection => this.#accept(connection, process, replica));
    open(CALL_PORT, connection => plainDoor(connection, replica));
  }

  #accept(connection: Connection, process: Process, { coordinator }: Replica): void {
    if (this.stopping || coordinator.status().state === "starting") {
      connection.start({ received: () => {}, drained: () => {}, closed: () => {} });
      connection.destroy();
      return;
    }
    const closed = (session: FrameSession): void => void this.#sessions.delete(session);
    this.#sessions.add(sessionOver(connection, process, coordinator, closed));
  }

  // Its ends.

  /** The process dies; what it wrote stays in the page cache. */
  kill(): void {
    this.#end();
    this.disk.kill();
    this.#cluster.network.crash(this.name);
  }

  /** Power is lost: what was not synced may be lost or torn; others may not even be told. */
  crash(silently: boolean): void {
    this.#end();
    this.disk.crash();
    if (silently) this.#cluster.network.vanish(this.name);
    else this.#cluster.network.crash(this.name);
  }

  #end(): void {
    this.#sightings?.ended();
    this.#process?.end();
    this.#process = null;
    this.trap = null;
    this.#replica = null;
    this.#log = null;
    this.#sessions = new Set();
  }

  /** Orderly: sessions are told, leadership is handed over, files are closed. */
  stop(done: () => void): void {
    const { process, replica } = this;
    this.stopping = true;
    process.enter(() => {
      for (const session of this.#sessions) session.stop();
      replica?.stop(() => {
        if (this.#process !== process) return;
        this.kill();
        done();
      });
    });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#replica?.coordinator.status().counters ?? {};
  }

  describe(): string {
    if (this.#log === null) return `${this.name}: down`;
    const { term, leader, commitIndex, appliedIndex, lastIndex, snapshotIndex, waitingFor } =
      this.#log.status();
    return (
      `${this.name}: term ${term} leader ${leader} commit ${commitIndex} applied ${appliedIndex} ` +
      `last ${lastIndex} snapshot ${snapshotIndex} ${waitingFor ?? ""}`
    );
  }
}
