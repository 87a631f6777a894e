/**
 * Random schedules: appends, crashes, restarts, cuts, delays and snapshots in any order. Checked as
 * it goes: one leader a term, committed entries equal on all hosts, nothing acknowledged lost,
 * reads linearizable. Then everything heals, and all must make progress. Each seed runs twice,
 * equal.
 */
import { describe, expect, test } from "vitest";
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import { DEFAULT_LOG_LIMITS } from "../../src/log/index.js";
import { nodeChecksum } from "../../src/server/ports/index.js";
import { type Applied, TestCluster, type TestNode } from "./cluster.js";

const NAMES = ["a", "b", "c"];
const STEPS = 250;

class Schedule {
  readonly cluster: TestCluster;
  readonly random: SeededRandom;
  /** What any host was handed, by index: all must agree with the first. */
  readonly history = new Map<number, string>();
  readonly leaders = new Map<number, string>();
  counts = { appended: 0, committed: 0, reads: 0, crashes: 0, snapshots: 0, restores: 0 };
  /** The highest index that any host was handed: known to be committed. */
  highest = 0;

  constructor(readonly seed: number) {
    this.random = randomStream(seed, "schedule");
    this.cluster = new TestCluster(NAMES, seed, {
      raft: { ...DEFAULT_LOG_LIMITS.raft, tailBytes: this.random.below(2) === 0 ? 500 : 1 << 20 },
      storage: {
        ...DEFAULT_LOG_LIMITS.storage,
        segmentBytes: 16 * 1024,
        pieceBytes: 4 * 1024,
        synchronousBytes: this.random.below(2) === 0 ? 0 : 64 * 1024,
      },
    });
  }

  run(): string {
    const disks = randomStream(this.seed, "disks");
    const slowest = [2, 12, 60][disks.below(3)] as number;
    this.cluster.syncMs = () => disks.below(slowest);
    for (const node of this.cluster.nodes) this.start(node);
    for (let step = 0; step < STEPS; step++) {
      this.act();
      this.cluster.advance(this.random.below(30));
    }
    this.heal();
    return this.digest();
  }

  start(node: TestNode): void {
    node.start();
    const { host } = node;
    host.onCommitted = entry => this.committed(node, entry);
    host.onWanted = () => node.snapshot();
  }

  committed(node: TestNode, { index, term, text }: Applied): void {
    const said = `${term} ${text}`;
    const known = this.history.get(index);
    if (known === undefined) this.history.set(index, said);
    else expect(`${node.name}@${index} ${said}`).toBe(`${node.name}@${index} ${known}`);
    this.highest = Math.max(this.highest, index);
    this.counts.committed += 1;
  }

  act(): void {
    const node = this.cluster.nodes[this.random.below(NAMES.length)] as TestNode;
    const other = this.cluster.nodes[this.random.below(NAMES.length)] as TestNode;
    const draw = this.random.below(100);
    if (draw < 45) this.append();
    else if (draw < 60) this.read(node);
    else if (draw < 68) this.end(node);
    else if (draw < 80 && !node.isUp) this.start(node);
    else if (draw < 84) this.cluster.network.silence(node.name, other.name);
    else if (draw < 90) this.cluster.network.heal();
    else if (draw < 93) this.cluster.network.reset(node.name, other.name);
    else if (draw < 95) this.cluster.network.setDelay(this.random.below(20));
    else if (node.isUp && node.started !== null && node.snapshot()) this.counts.snapshots += 1;
    this.look();
  }

  append(): void {
    const serving = this.cluster.up.filter(({ running }) => running.leadership().serving);
    for (const node of serving) {
      for (let count = this.random.below(4); count >= 0; count--) {
        node.append(`${node.name} ${this.counts.appended++} ${"x".repeat(this.random.below(200))}`);
      }
    }
  }

  read(node: TestNode): void {
    if (!node.isUp) return;
    const { highest } = this;
    const newest = Math.max(0, ...this.leaders.keys());
    const { host, running } = node;
    running.barrier(confirmed => {
      if (!confirmed) return;
      this.counts.reads += 1;
      expect(host.last).toBeGreaterThanOrEqual(highest);
    });
    running.confirmLeadership(term => {
      if (term === null) return;
      // Whoever had served in a later term before this was asked had deposed this one.
      expect(term).toBeGreaterThanOrEqual(newest);
    });
  }

  end(node: TestNode): void {
    if (!node.isUp) return;
    this.counts.crashes += 1;
    this.counts.restores += node.host.restores;
    const draw = this.random.below(3);
    if (draw === 0) node.kill();
    else node.crash();
  }

  look(): void {
    for (const { host, name } of this.cluster.up) {
      expect(host.failures).toEqual([]);
      for (const { term, serving } of host.leaderships) {
        if (!serving) continue;
        expect(`${term} ${this.leaders.get(term) ?? name}`).toBe(`${term} ${name}`);
        this.leaders.set(term, name);
      }
    }
  }

  heal(): void {
    this.cluster.syncMs = () => 1;
    this.cluster.network.heal();
    this.cluster.network.setDelay(1);
    for (const node of this.cluster.nodes) if (!node.isUp) this.start(node);
    // A leader deposed in the dark must have heard of it: what it took would be cut, rightly.
    this.cluster.advance(3_000);
    this.cluster.append("end");
    this.cluster.untilAllHave("end");
    this.look();
    const hashes = new Set(this.cluster.nodes.map(node => hashOf(node)));
    expect(hashes.size).toBe(1);
    // Nothing that any host ever saw as committed is missing at the end.
    const [node] = this.cluster.nodes as [TestNode];
    const held = new Set(
      node.host.applied.map(({ index, term, text }) => `${index} ${term} ${text}`),
    );
    for (const [index, said] of this.history) {
      const ownOfTheLog = said.endsWith(" ");
      if (!ownOfTheLog) expect(held).toContain(`${index} ${said}`);
    }
  }

  digest(): string {
    const [node] = this.cluster.nodes as [TestNode];
    return `${hashOf(node)} ${JSON.stringify(this.counts)} ${this.cluster.loop.monotonicMs()}`;
  }
}

function hashOf({ host }: TestNode): number {
  return nodeChecksum.crc32(new TextEncoder().encode(JSON.stringify(host.applied)));
}

describe("random schedules", () => {
  const total = { appended: 0, committed: 0, reads: 0, crashes: 0, snapshots: 0, restores: 0 };
  const seeds = Number(process.env["LOG_SEEDS"] ?? 12);
  const first = Number(process.env["LOG_SEED"] ?? 1);

  test("hosts agree, nothing committed is lost, and all come together again", () => {
    for (let seed = first; seed < first + seeds; seed++) {
      const schedule = new Schedule(seed);
      try {
        schedule.run();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const key of Object.keys(total) as (keyof typeof total)[]) {
        total[key] += schedule.counts[key];
      }
    }
    if (seeds < 12) return;
    // What was never reached was not tested.
    for (const count of Object.values(total)) expect(count).toBeGreaterThan(0);
  });

  test("a seed gives the same run twice", () => {
    for (const seed of [3, 11]) {
      expect(new Schedule(seed).run()).toBe(new Schedule(seed).run());
    }
  });
});
