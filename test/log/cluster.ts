/**
 * Whole logs in one thread: the real code over a disk and a network in memory and a loop that
 * stands until it is turned. Each node has a host that keeps everything it was handed as its state,
 * and asserts the port's promises about order as it goes.
 */
import { assert } from "../../src/base/assert.js";
import type { LogIndex, NodeId, Term } from "../../src/base/ids.js";
import type { Clock, EndOfTurn } from "../../src/base/ports.js";
import { randomStream } from "../../src/base/random.js";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS, type LogLimits } from "../../src/log/index.js";
import type {
  Leadership,
  LogFailure,
  LogHost,
  ReplicatedLog,
  SnapshotSource,
} from "../../src/log/port/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import { MemoryDisk, type MemoryDiskOptions } from "../../src/testing/memory-disk.js";
import { MemoryNetwork } from "../../src/testing/memory-network.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

export const TEST_LIMITS: LogLimits = {
  ...DEFAULT_LOG_LIMITS,
  storage: {
    ...DEFAULT_LOG_LIMITS.storage,
    segmentBytes: 64 * 1024,
    pieceBytes: 16 * 1024,
    // Syncs take the time that the disk is told to take.
    synchronousBytes: 0,
  },
};

export interface Applied {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A host whose state is the list of all it was handed. */
export class ListHost implements LogHost {
  applied: Applied[] = [];
  last = 0;
  leaderships: Leadership[] = [];
  failures: LogFailure[] = [];
  restores = 0;
  wanted = 0;
  turns = 0;
  onWanted: (() => void) | null = null;
  onAsked: ((question: string, answer: (bytes: Uint8Array) => void) => void) | null = null;
  onCommitted: ((entry: Applied) => void) | null = null;
  #restoring = false;

  restore(source: SnapshotSource, done: () => void): void {
    assert(!this.#restoring, "one restore at a time");
    this.#restoring = true;
    let text = "";
    const read = (): void =>
      source.read(slice => {
        if (slice !== null) {
          text += decode(slice);
          read();
          return;
        }
        this.applied = JSON.parse(text) as Applied[];
        this.last = source.index;
        this.restores += 1;
        this.#restoring = false;
        source.close();
        done();
      });
    read();
  }

  committed(index: LogIndex, term: Term, payload: Uint8Array): void {
    assert(!this.#restoring, "nothing is handed over during a restore");
    assert(index === this.last + 1, `committed ${index} after ${this.last}`);
    this.last = index;
    const entry = { index, term, text: decode(payload) };
    if (payload.length > 0) this.applied.push(entry);
    this.onCommitted?.(entry);
  }

  turnEnded(): void {
    this.turns += 1;
  }

  leadershipChanged(now: Leadership): void {
    this.leaderships.push(now);
  }

  asked(_from: NodeId, question: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    const text = decode(question);
    if (this.onAsked !== null) this.onAsked(text, answer);
    else answer(encode(`re: ${text}`));
  }

  snapshotWanted(): void {
    this.wanted += 1;
    this.onWanted?.();
  }

  fatal(failure: LogFailure): void {
    this.failures.push(failure);
  }

  get texts(): string[] {
    return this.applied.map(({ text }) => text);
  }
}

export class TestNode {
  host = new ListHost();
  log: ReplicatedLog | null = null;
  disk: MemoryDisk;
  /** null: not answered yet. */
  started: { failure: LogFailure | null } | null = null;
  notes: string[] = [];
  starts = 0;
  #dead = false;

  constructor(
    readonly cluster: TestCluster,
    readonly name: string,
    readonly state: "new" | "existing" = "new",
  ) {
    this.disk = cluster.newDisk(name);
  }

  start(
    overrides: {
      readonly names?: readonly string[];
      readonly token?: string;
      readonly clientUrls?: readonly string[];
      readonly state?: "new" | "existing";
    } = {},
  ): void {
    const { network, names, limits, seed } = this.cluster;
    this.host = new ListHost();
    this.started = null;
    this.starts += 1;
    const run = `${this.name}/${this.starts}`;
    const ports = this.#process();
    const log = createEmbeddedLog({
      disk: this.disk.mount(),
      directory: "/data",
      network: network.host(this.name),
      clock: ports.clock,
      random: concern => randomStream(seed, `${run}/${concern}`),
      bytes: nodeBytes,
      checksum: nodeChecksum,
      endOfTurn: ports.endOfTurn,
      listen: [{ host: this.name, port: 2380 }],
      name: this.name,
      clientUrls: overrides.clientUrls ?? [`http://${this.name}:2379`],
      initialCluster: (overrides.names ?? names).map(name => ({
        name,
        peerUrls: [`http://${name}:2380`],
      })),
      initialState: overrides.state ?? this.state,
      token: overrides.token ?? "token",
      limits,
      note: (_, message) => this.notes.push(message),
    });
    this.log = log;
    log.start(this.host, failure => {
      this.started = { failure };
    });
  }

  /** Timers and turns of one life: none of them comes once the process has ended. */
  #process(): { clock: Clock; endOfTurn: EndOfTurn } {
    const { loop } = this.cluster;
    const life = this.starts;
    const lives = (): boolean => this.starts === life && !this.#dead;
    this.#dead = false;
    const guard = (callback: () => void) => () => {
      if (lives()) callback();
    };
    return {
      clock: {
        monotonicMs: () => loop.monotonicMs(),
        wallMs: () => loop.wallMs(),
        after: (delayMs, callback) => loop.after(delayMs, guard(callback)),
      },
      endOfTurn: { schedule: callback => loop.schedule(guard(callback)) },
    };
  }

  get running(): ReplicatedLog {
    assert(this.log !== null, `${this.name} is running`);
    return this.log;
  }

  get isUp(): boolean {
    return this.log !== null;
  }

  /** The process dies; what it wrote stays in the page cache. */
  kill(): void {
    this.log = null;
    this.#dead = true;
    this.disk.kill();
    this.cluster.network.crash(this.name);
  }

  /** Power is lost: what was not synced may be lost or torn. */
  crash(): void {
    this.log = null;
    this.#dead = true;
    this.disk.crash();
    this.cluster.network.crash(this.name);
  }

  wipe(): void {
    assert(this.log === null, "a running node is not wiped");
    this.disk = this.cluster.newDisk(this.name);
  }

  /** Orderly stop; true once it is done. */
  stop(): () => boolean {
    let done = false;
    this.running.stop(() => {
      done = true;
      this.log = null;
    });
    return () => done;
  }

  append(text: string): { index: number; term: number } | null {
    const outcome = this.running.append(encode(text), null);
    return outcome.ok ? { index: outcome.index, term: outcome.term } : null;
  }

  /** Writes the host's state as a snapshot; true once durable. */
  snapshot(text = JSON.stringify(this.host.applied)): () => boolean {
    const sink = this.running.beginSnapshot(this.host.last as LogIndex);
    if (sink === null) return () => false;
    const bytes = encode(text);
    let durable = false;
    let at = 0;
    const next = (): void => {
      if (at >= bytes.length) {
        sink.finish(done => {
          durable = done;
        });
        return;
      }
      const slice = bytes.slice(at, at + 1_000);
      at += slice.length;
      sink.write(slice, next);
    };
    next();
    return () => durable;
  }
}

export class TestCluster {
  readonly loop = new TurnedLoop();
  readonly network: MemoryNetwork;
  readonly nodes: TestNode[];
  readonly limits: LogLimits;
  /** How long the next sync of any disk takes. */
  syncMs: () => number = () => 1;
  #disks = 0;

  constructor(
    readonly names: readonly string[],
    readonly seed = 1,
    limits: Partial<LogLimits> = {},
  ) {
    this.limits = { ...TEST_LIMITS, ...limits };
    this.network = new MemoryNetwork(this.loop);
    this.network.setDelay(1);
    this.nodes = names.map(name => new TestNode(this, name));
  }

  newDisk(name: string): MemoryDisk {
    return new MemoryDisk(this.diskOptions(name));
  }

  diskOptions(name: string): MemoryDiskOptions {
    this.#disks += 1;
    return {
      random: randomStream(this.seed, `disk/${name}/${this.#disks}`),
      schedule: ({ kind }, complete) => {
        const syncs = kind === "sync" || kind === "writeAndSync";
        this.loop.after(syncs ? this.syncMs() : 0, complete);
      },
    };
  }

  /** A process for a member that is added while the cluster runs; not started yet. */
  newcomer(name: string): TestNode {
    const node = new TestNode(this, name, "existing");
    this.nodes.push(node);
    return node;
  }

  node(name: string): TestNode {
    const node = this.nodes.find(at => at.name === name);
    assert(node !== undefined, `there is a node ${name}`);
    return node;
  }

  startAll(): void {
    for (const node of this.nodes) if (!node.isUp) node.start();
  }

  /** Turns until `condition` holds; throws when it does not within `limitMs`. */
  until(condition: () => boolean, what: string, limitMs = 20_000): void {
    const came = this.loop.runUntil(condition, limitMs);
    if (came) return;
    const states = this.nodes.map(node => {
      if (node.log === null) return `${node.name}: down`;
      const { term, leader, commitIndex, appliedIndex, lastIndex, waitingFor } = node.log.status();
      const failures = [
        ...node.host.failures,
        ...(node.started?.failure ? [node.started.failure] : []),
      ];
      const failed = failures.map(({ code, message }) => `${code} ${message}`).join("; ");
      return (
        `${node.name}: term ${term} leader ${leader} commit ${commitIndex} applied ${appliedIndex} ` +
        `last ${lastIndex} ${waitingFor ?? ""} ${failed}`
      );
    });
    throw new Error(`never came: ${what}\n${states.join("\n")}`);
  }

  /** Kills them, until nothing more than usual is kept for them. */
  sendAway(...nodes: readonly TestNode[]): void {
    for (const node of nodes) node.kill();
    const { raft, tickMs } = this.limits;
    this.advance((raft.electionTicksMin + 1) * tickMs);
  }

  advance(ms: number): void {
    this.loop.advance(ms);
  }

  get up(): TestNode[] {
    return this.nodes.filter(node => node.isUp);
  }

  serving(): TestNode | null {
    return this.up.find(node => node.running.leadership().serving) ?? null;
  }

  /** The leader that serves, and that at least a majority follows. */
  leader(): TestNode {
    const found = (): TestNode | undefined =>
      this.up.find(node => {
        if (!node.running.leadership().serving) return false;
        const { term } = node.running.leadership();
        const followers = this.up.filter(other => other.running.leadership().term === term);
        return followers.length * 2 > this.nodes.length;
      });
    this.until(() => found() !== undefined, "a leader");
    const leader = found();
    assert(leader !== undefined, "a leader was found");
    return leader;
  }

  followers(): TestNode[] {
    const leader = this.leader();
    return this.up.filter(node => node !== leader);
  }

  /** Appends on the leader, whoever it is, as soon as there is one that takes it. */
  append(text: string): { index: number; term: number } {
    let taken: { index: number; term: number } | null = null;
    this.until(() => {
      taken = this.serving()?.append(text) ?? null;
      return taken !== null;
    }, `${text} is taken`);
    assert(taken !== null, `${text} is taken`);
    return taken;
  }

  untilAllHave(text: string, nodes: readonly TestNode[] = this.up): void {
    this.until(
      () => nodes.every(node => node.host.texts.includes(text)),
      `${text} on ${nodes.map(({ name }) => name).join(", ")}`,
    );
  }

  /** What all nodes that are up have applied must be one list, as far as each has come. */
  assertAgreement(): void {
    const longest = this.up.reduce<Applied[]>(
      (best, { host }) => (host.applied.length > best.length ? host.applied : best),
      [],
    );
    for (const { host, name } of this.up) {
      const same = JSON.stringify(longest.slice(0, host.applied.length));
      assert(JSON.stringify(host.applied) === same, `${name} has applied what the others have`);
    }
  }
}
