/**
 * One seed from its draw to its verdict: a cluster is made, clients work while faults strike, then
 * everything is healed and must come to its end: no wait, no lease, no proposal is left.
 */
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import { SimClient } from "./client.js";
import { SimCluster } from "./cluster.js";
import { Faults } from "./faults.js";
import { leaksOf } from "./leaks.js";
import { Violation } from "./truth.js";
import * as workloads from "./workloads.js";
import { Resource, type Work, type Workload } from "./workloads.js";
import { WRITERS } from "./writers.js";

export interface Report {
  readonly seed: number;
  readonly digest: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly fencedLost: number;
  readonly unfencedLost: number;
}

export class SimFailure extends Error {
  override readonly name = "SimFailure";
}

const MIX: readonly (readonly [string, Workload])[] = [
  ["locker", workloads.lockCycles],
  ["locker", workloads.lockCycles],
  ["locker", workloads.lockCycles],
  ["register", workloads.registers],
  ["register", workloads.registers],
  ["appender", workloads.appends],
  ["watcher", workloads.watches],
  ["watcher", workloads.watches],
  ["candidate", workloads.elections],
  ["candidate", workloads.elections],
  ["observer", workloads.observers],
  ["plain", workloads.plainLocks],
  ["plain", workloads.plainLocks],
  ...WRITERS,
];

/** One place for a client, taken by one process after the other. */
interface Slot {
  readonly name: string;
  readonly workload: Workload;
  life: number;
  current: { readonly me: SimClient; done: boolean } | null;
}

export interface RunOptions {
  readonly verbose?: boolean;
}

/** Runs a seed; throws `SimFailure` with what was seen. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<Report> {
  const run = new Run(seed, options);
  try {
    return await run.whole();
  } catch (error) {
    const what = error instanceof Violation ? error.message : String((error as Error).stack);
    const last = run.cluster.notes.slice(-60).join("\n");
    throw new SimFailure(
      `seed ${seed}, at ${run.cluster.nowMs} ms: ${what}\n${run.cluster.describe()}\n${last}`,
    );
  }
}

class Run {
  readonly cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #slots: Slot[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #work: Work;
  readonly #faults: Faults;
  #over = false;
  #number = 0;

  constructor(seed: number, options: RunOptions) {
    this.cluster = new SimCluster(seed);
    this.cluster.verbose = options.verbose === true;
    this.#random = randomStream(seed, "run");
    this.#work = {
      isOver: () => this.#over,
      fenced: new Resource(true),
      unfenced: new Resource(false),
      nextNumber: () => ++this.#number,
      count: what => {
        this.#counts[what] = (this.#counts[what] ?? 0) + 1;
      },
    };
    this.#faults = new Faults(this.cluster, {
      hosts: () => this.#slots.map(({ name }) => name),
      clients: () => this.#slots.flatMap(({ current }) => current?.me ?? []),
      killClient: client => this.#kill(client),
    });
  }

  async whole(): Promise<Report> {
    const { cluster } = this;
    for (const node of cluster.nodes) node.start();
    const drawn = MIX.filter(() => this.#random.below(4) > 0);
    drawn.forEach(([name, workload], at) => {
      this.#slots.push({ name: `${name}${at}`, workload, life: 0, current: null });
    });
    for (const slot of this.#slots) this.#begin(slot);
    cluster.health.start();
    cluster.loop.after(this.#random.below(2_000), () => this.#faults.start());
    await cluster.run(3_000 + this.#random.below(8_000));
    this.#faults.heal();
    this.#over = true;
    await this.#mustCome("all clients finish", 90_000, () =>
      this.#slots.every(({ current }) => current === null || current.done),
    );
    cluster.health.end();
    await this.#closeAll();
    await this.#nothingLeft();
    return this.#report();
  }

  #begin(slot: Slot): void {
    const ttlMs = 1_000 + this.#random.below(3) * 1_000;
    const me = new SimClient(this.cluster, slot.name, ++slot.life, { ttlMs });
    const current = { me, done: false };
    slot.current = current;
    slot.workload(me, this.#work).then(
      () => {
        current.done = true;
      },
      error => {
        // What comes out of a workload that is dead concerns nobody.
        if (me.process.isAlive) this.cluster.failure ??= error;
      },
    );
  }

  #kill(me: SimClient): void {
    const slot = this.#slots.find(({ current }) => current?.me === me);
    if (slot === undefined) return;
    this.cluster.note(`kill ${me.name}`);
    me.die();
    slot.current = null;
    this.cluster.loop.after(1 + this.#random.below(2_000), () => {
      if (!this.#over) this.#begin(slot);
    });
  }

  async #closeAll(): Promise<void> {
    let open = 0;
    for (const { current } of this.#slots) {
      if (current === null) continue;
      open += 1;
      void current.me.client.close().then(() => {
        open -= 1;
      });
    }
    await this.#mustCome("all clients close", 10_000, () => open === 0);
  }

  /** All leases end, all lines empty, nothing waits in any node, and all nodes agree. */
  async #nothingLeft(): Promise<void> {
    const { cluster } = this;
    const { truth } = cluster;
    await this.#mustCome("all leases end", 60_000, () => truth.leases === 0);
    const left = (): string[] =>
      cluster.nodes.flatMap(node => {
        const counters = node.counters();
        const names = ["proposals_pending", "waits", "watches", "lease_timers", "leases_attached"];
        return names
          .filter(name => counters[name] !== 0)
          .map(name => `${node.name} ${name} ${String(counters[name])}`);
      });
    const isQuiet = (): boolean => left().length === 0;
    await this.#mustCome("nothing is left", 30_000, isQuiet, () => left().join(", "));
    const caughtUp = (): boolean =>
      cluster.nodes.every(node => node.log?.status().appliedIndex === truth.index);
    await this.#mustCome("all nodes catch up", 20_000, caughtUp);
    for (const node of cluster.nodes) node.compare();
    const leaks = (): string => leaksOf(cluster).join(", ");
    await this.#mustCome("nothing leaks", 10_000, () => leaks() === "", leaks);
    const { entries, leases } = truth.machine.counters();
    if (entries + leases > 0) truth.fail(`${entries} entries and ${leases} leases are left`);
  }

  async #mustCome(
    what: string,
    withinMs: number,
    condition: () => boolean,
    more: () => string = () => this.#unfinished(),
  ): Promise<void> {
    const came = await this.cluster.run(withinMs, condition);
    if (!came) this.cluster.truth.fail(`never came: ${what} (${more()})`);
  }

  #unfinished(): string {
    return this.#slots.flatMap(s => (s.current?.done === false ? [s.name] : [])).join(" ");
  }

  #report(): Report {
    const { cluster } = this;
    const { truth } = cluster;
    const { fenced, unfenced } = this.#work;
    if (fenced.lostUpdates > 0) truth.fail("the resource that checks tokens lost an update");
    for (const [kind, times] of this.#faults.struck) this.#counts[`fault ${kind}`] = times;
    return {
      seed: cluster.seed,
      digest: cluster.digest(),
      events: cluster.events,
      simulatedMs: cluster.nowMs,
      counts: { ...this.#counts, ...truth.counts },
      fencedLost: fenced.lostUpdates,
      unfencedLost: unfenced.lostUpdates,
    };
  }
}
