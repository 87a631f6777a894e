/**
 * One seed from its draw to its verdict: a cluster is made, clients work while faults strike, then
 * everything is healed and must come to its end: no wait, no lease, no proposal is left.
 */
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { Report } from "../checker/core/index.js";
import { Adversary } from "./adversary.js";
import { chosenLeases } from "./chosen-leases.js";
import { SimClient } from "./client.js";
import { SimCluster } from "./cluster.js";
import { Faults } from "./faults.js";
import { contradictionOf, Recorder } from "./history.js";
import { leaksOf } from "./leaks.js";
import { Operator } from "./operator.js";
import { PLAIN } from "./plain.js";
import { Resources } from "./resource.js";
import type { Overrides } from "./script.js";
import { sleepers } from "./sleepers.js";
import { sometimes, takeHits } from "./sometimes.js";
import { strangers } from "./strangers.js";
import { Violation } from "./truth.js";
import { type Broken, brokenBy, type Verdict } from "./verdict.js";
import type { Work, Workload } from "./work.js";
import * as workloads from "./workloads.js";
import { WRITERS } from "./writers.js";

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
  ["leaser", chosenLeases],
  ["leaser", chosenLeases],
  ["leaser", chosenLeases],
  ["sleeper", sleepers],
  ["sleeper", sleepers],
  ["sleeper", sleepers],
  ["stranger", strangers],
];

/** In half of the seeds, some of them work beside the others. */
const TURNS: typeof MIX = [
  ["reader", workloads.readers],
  ["reader", workloads.readers],
  ["reader", workloads.readers],
  ["permit", workloads.permits],
  ["permit", workloads.permits],
  ["permit", workloads.permits],
  ["pair", workloads.pairs],
  ["pair", workloads.pairs],
  ["pair", workloads.pairs],
  ["ladder", workloads.ladder],
  ["ladder", workloads.ladder],
  ["ladder", workloads.ladder],
  ["slot", workloads.slots],
  ["slot", workloads.slots],
];

/** One cluster in so many begins with one node, unless a plan is set, which needs three. */
const SINGLE_ONE_IN = 16;

function beginsAlone(seed: number, { single, plan }: Overrides): boolean {
  if (single !== undefined) return single;
  return plan === undefined && randomStream(seed, "size").below(SINGLE_ONE_IN) === 0;
}

/** From a stream of their own, so that the others are drawn as they were. */
function turnsOf(seed: number, wanted: boolean | undefined): typeof MIX {
  const random = randomStream(seed, "turns");
  const join = random.below(2) === 0;
  return (wanted ?? join) ? TURNS.filter(() => random.below(2) === 0) : [];
}

function entryNamed(wanted: string): (typeof MIX)[number] {
  const entry = [...MIX, ...TURNS].find(([name]) => name === wanted);
  if (entry === undefined) throw new Error(`no workload is called ${wanted}`);
  return entry;
}

/** One seed in so many has no faults at all: there, nothing may go wrong that could be borne. */
const CALM_ONE_IN = 12;
/**
 * What all nodes have there. Where little may be under way at once, what clients write crowds
 * keep-alives out. Where the log's tail is short, a node that is a moment behind needs a snapshot,
 * and then another one.
 */
const ROOMY = {
  maxAsksPerPeer: PLAIN.maxAsksPerPeer,
  maxPendingProposals: PLAIN.maxPendingProposals,
  tailBytes: PLAIN.tailBytes,
};
const BELIEFS_EVERY_MS = 7;
const STOPPED_MS = 20_000;
/** The longest has three seconds, and what may be lost meanwhile is one leader. */
const LEASES_END_MS = 12_000;

/** One place for a client, taken by one process after the other. */
interface Slot {
  readonly name: string;
  readonly workload: Workload;
  life: number;
  current: { readonly me: SimClient; done: boolean } | null;
}

export interface RunOptions {
  readonly overrides?: Overrides;
  /** Is told what happens, as it happens. */
  readonly onNote?: (atMs: number, what: string) => void;
  /** Is told what became of the history, also of a run that broke otherwise. */
  readonly onHistory?: (report: Report) => void;
}

/** Runs a seed to its verdict. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<Verdict> {
  takeHits();
  const run = new Run(seed, options);
  const started = process.cpuUsage();
  let violation: Broken | null = null;
  try {
    await run.whole();
    violation = run.judged();
  } catch (error) {
    violation = brokenBy(error, run.context());
  }
  if (options.onHistory !== undefined) options.onHistory(run.report());
  return run.verdict(violation, cpuMsSince(started));
}

/** Of this process, so that a busy machine makes no run look slow. */
function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

class Run {
  readonly cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #slots: Slot[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #work: Work;
  readonly #faults: Faults;
  readonly #adversary: Adversary;
  readonly #operator: Operator;
  readonly #overrides: Overrides;
  #report: Report | null = null;
  #over = false;
  #number = 0;

  constructor(seed: number, { overrides = {}, onNote }: RunOptions) {
    this.#overrides = overrides;
    const isCalm = overrides.calm ?? randomStream(seed, "calm").below(CALM_ONE_IN) === 0;
    const settings = { ...(isCalm ? ROOMY : {}), ...overrides.settings };
    const isSingle = beginsAlone(seed, overrides);
    this.cluster = new SimCluster(seed, settings, isSingle ? 1 : undefined);
    this.cluster.truth.isCalm = isCalm;
    this.cluster.onNote = onNote ?? null;
    this.cluster.truth.comparesStates = overrides.comparesStates ?? true;
    this.#random = randomStream(seed, "run");
    this.#work = {
      isOver: () => this.#over,
      resources: new Resources(),
      forgets:
        this.cluster.drawn.maxStateBytes !== PLAIN.maxStateBytes ||
        this.cluster.drawn.requestWindowPerClient !== PLAIN.requestWindowPerClient,
      history: new Recorder(() => this.cluster.nowMs),
      nextNumber: () => ++this.#number,
      count: what => this.#count(what),
    };
    const sufferer = {
      hosts: () => this.#slots.map(({ name }) => name),
      clients: () => this.#slots.flatMap(({ current }) => current?.me ?? []),
      killClient: (client: SimClient) => this.#kill(client),
    };
    this.#faults = new Faults(this.cluster, sufferer, overrides);
    this.#adversary = new Adversary(this.cluster, isSingle ? "none" : overrides.plan);
    const harms = (): boolean => !this.cluster.truth.isCalm;
    this.#operator = new Operator(this.cluster, this.#adversary.plan, harms, overrides.operator);
  }

  async whole(): Promise<void> {
    const { cluster } = this;
    for (const node of cluster.nodes) node.start();
    const { clients, workloads: named, turns, workMs, faultsAfterMs } = this.#overrides;
    const drawn = MIX.filter(() => this.#random.below(4) > 0);
    drawn.push(...turnsOf(cluster.seed, turns));
    const mix = named === undefined ? drawn : named.map(entryNamed);
    mix.forEach(([name, workload], at) => {
      if (clients !== undefined && !clients.includes(at)) return;
      this.#slots.push({ name: `${name}${at}`, workload, life: 0, current: null });
    });
    for (const slot of this.#slots) this.#begin(slot);
    this.#watchBeliefs();
    // An adversary harms without saying whom.
    if (this.#isHealthKnown) cluster.health.start();
    const drawnAfterMs = this.#random.below(2_000);
    // A draw that nothing hangs on any more; those that follow stay as they were.
    this.#random.below(CALM_ONE_IN);
    cluster.isStill = cluster.truth.isCalm && !this.#operator.isOn;
    if (!cluster.truth.isCalm)
      cluster.loop.after(faultsAfterMs ?? drawnAfterMs, () => {
        this.#faults.start();
        this.#adversary.start();
      });
    this.#operator.start();
    const drawnWorkMs = 3_000 + this.#random.below(8_000);
    await cluster.run(workMs ?? drawnWorkMs);
    this.#adversary.heal();
    this.#faults.heal();
    if (!this.#isHealthKnown) cluster.health.start();
    this.#over = true;
    this.#expectStops();
    this.#operator.finish();
    await this.#mustCome("all clients finish", 90_000, () =>
      this.#slots.every(({ current }) => current === null || current.done),
    );
    await this.#mustCome("the operator's last change", 60_000, () => this.#operator.isDone);
    cluster.health.end();
    await this.#closeAll();
    await this.#mustCome("changes of members end", 10_000, () => cluster.roster.isSettled);
    const untold = (): string => cluster.untold.map(({ name }) => name).join(" ");
    await this.#mustCome("the removed are told", 10_000, () => untold() === "", untold);
    this.#operator.retire();
    cluster.roster.finish();
    await this.#nothingLeft();
    if (cluster.nodes.length === 1) sometimes("a cluster of one");
    const { resources } = this.#work;
    const isLost = resources.lostUpdates("unfenced") > 0;
    if (isLost) sometimes("update lost without a token");
    if (isLost && cluster.truth.isCalm) cluster.truth.fail("an update was lost while all was calm");
    if (resources.lostUpdates("fenced") > 0)
      cluster.truth.fail("the resource that checks tokens lost an update");
  }

  /** Who is stopping in order comes to its end when nothing holds it up any more. */
  #expectStops(): void {
    const { nodes, loop, truth } = this.cluster;
    for (const node of nodes) {
      if (!node.isUp || !node.stopping) continue;
      const { process } = node;
      loop.after(STOPPED_MS, () => {
        if (process.isAlive)
          truth.fail(`${node.name} is stopping, ${STOPPED_MS} ms after all is well`);
      });
    }
  }

  get #isHealthKnown(): boolean {
    return this.#adversary.plan === null || this.cluster.truth.isCalm;
  }

  #watchBeliefs(): void {
    this.cluster.loop.after(BELIEFS_EVERY_MS, () => {
      this.cluster.truth.checkBeliefs();
      for (const node of this.cluster.nodes) this.cluster.roster.compare(node);
      if (!this.#over) this.#watchBeliefs();
    });
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  #begin(slot: Slot): void {
    const ttlMs = 1_000 + this.#random.below(3) * 1_000;
    const me = new SimClient(this.cluster, slot.name, ++slot.life, { ttlMs });
    const current = { me, done: false };
    slot.current = current;
    if (slot.workload !== sleepers) this.cluster.truth.kept.add(slot.name);
    const count = (what: string): void => {
      this.#count(what);
      if (me.process.isAlive) this.cluster.note(`${me.name} ${what}`);
    };
    slot.workload(me, { ...this.#work, count }).then(
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
    this.#work.history.dies(me);
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
      this.cluster.truth.kept.delete(current.me.name);
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
    await this.#mustCome("all leases end", LEASES_END_MS, () => truth.leases === 0);
    const left = (): string[] =>
      cluster.members.flatMap(node => {
        const counters = node.counters();
        const names = ["proposals_pending", "waits", "watches", "lease_timers", "leases_attached"];
        return names
          .filter(name => counters[name] !== 0)
          .map(name => `${node.name} ${name} ${String(counters[name])}`);
      });
    const isQuiet = (): boolean => left().length === 0;
    await this.#mustCome("nothing is left", 30_000, isQuiet, () => left().join(", "));
    const caughtUp = (): boolean =>
      cluster.members.every(node => node.log?.status().appliedIndex === truth.index);
    await this.#mustCome("all nodes catch up", 20_000, caughtUp, () => cluster.describe());
    // Who came back last may have brought calls of which nobody waits for the answer any more.
    const isOver = (): boolean => truth.leases === 0 && isQuiet() && caughtUp();
    await this.#mustCome("an end of what came late", LEASES_END_MS, isOver, () =>
      left().join(", "),
    );
    for (const node of cluster.members) node.compare();
    const leaks = (): string => leaksOf(cluster).join(", ");
    // A snapshot may wait for a sync that was begun while the disk was stuck.
    await this.#mustCome("nothing leaks", 30_000, () => leaks() === "", leaks);
    // A line may stay shut for a while after its last holder.
    const empty = (): boolean => truth.machine.counters().entries === 0;
    const standing = (): string => truth.lines.describe();
    await this.#mustCome("all lines are empty", LEASES_END_MS, empty, standing);
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
    const names = this.#slots.flatMap(s => (s.current?.done === false ? [s.name] : []));
    return `${names.join(" ")}; in line: ${this.cluster.truth.lines.describe()}`;
  }

  /** What clients saw, held against what one object could have done. */
  report(): Report {
    const { history } = this.#work;
    this.#report ??= history.judge(this.cluster.truth.clocksLieFromMs);
    return this.#report;
  }

  judged(): Broken | null {
    const { keys } = this.report();
    this.#counts["calls in histories"] = this.#work.history.length;
    this.#counts["histories judged"] = keys.length;
    this.#counts["histories unknown"] = keys.filter(one => one.verdict === "unknown").length;
    const found = contradictionOf(this.report());
    if (found === null) return null;
    return brokenBy(new Violation(found.what), `${found.details}\n${this.context()}`);
  }

  context(): string {
    const { nowMs, notes } = this.cluster;
    return `at ${nowMs} ms\n${this.cluster.describe()}\n${notes.slice(-60).join("\n")}`;
  }

  verdict(violation: Broken | null, cpuMs: number): Verdict {
    const { cluster } = this;
    const { plan, strikes } = this.#adversary;
    if (plan !== null) this.#counts[`plan ${plan}`] = strikes;
    for (const [what, times] of this.#operator.counts) this.#counts[`operator ${what}`] = times;
    if (cluster.truth.machine.oldestRevision > 2) sometimes("history slid");
    for (const [kind, times] of this.#faults.struck) this.#counts[`fault ${kind}`] = times;
    this.#counts["unfenced updates lost"] = this.#work.resources.lostUpdates("unfenced");
    return {
      seed: cluster.seed,
      digest: cluster.digest(),
      events: cluster.events,
      simulatedMs: cluster.nowMs,
      cpuMs,
      counts: { ...this.#counts, ...cluster.truth.counts },
      sometimes: takeHits(),
      violation,
    };
  }
}
