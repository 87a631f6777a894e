/**
 * The simulated world: nodes, network, time, the truth and what was drawn for this seed. Turns the
 * loop until nothing is left to do, and lets promises of clients run in between.
 */
import { createHash } from "node:crypto";
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { Leadership } from "../../src/log/port/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { Consensus } from "./consensus.js";
import type { Disorder, DisorderHost } from "./disorder.js";
import { Health } from "./health.js";
import { SimNetwork } from "./network.js";
import { SimNode } from "./node.js";
import type { Drawn } from "./plain.js";
import { Process } from "./process.js";
import { Roster } from "./roster.js";
import { draw, type Settings, settingsOf } from "./settings.js";
import { sometimes } from "./sometimes.js";
import { Truth } from "./truth.js";

/**
 * Lets promises run: so many steps that hardly any chain is longer, and one that is goes on at the
 * next event. Without the system's event loop, which would cost more than all the rest.
 */
const PROMISE_STEPS = 32;
async function drain(): Promise<void> {
  for (let step = 0; step < PROMISE_STEPS; step += 1) await null;
}

const MOST_NOTES = 400;
/** A run has tens of thousands; one that goes on like this does not come to an end. */
const MOST_EVENTS = 3_000_000;

export class SimCluster {
  readonly seed: number;
  readonly loop = new TurnedLoop();
  readonly network: SimNetwork;
  /** All that there are, members or not: newcomers come last. */
  readonly nodes: SimNode[];
  /** Names that newcomers may have; clients try them from the beginning. */
  spareNames: readonly string[] = [];
  readonly drawn: Drawn;
  readonly settings: Settings;
  readonly truth: Truth;
  readonly consensus: Consensus;
  readonly roster: Roster;
  readonly health: Health;
  /** What peers' messages suffer, by way. */
  readonly disorders = new Map<string, Disorder>();
  readonly disorderHost: DisorderHost;
  /** Newest last; printed with a failure. */
  readonly notes: string[] = [];
  readonly random: SeededRandom;
  events = 0;
  /** Nothing goes wrong and no member changes: who leads once leads to the end. */
  isStill = false;
  #servesInTerm: number | null = null;
  /** Thrown within promises of workloads, where nobody would see it. */
  failure: unknown = null;
  /** Leaders that came to serve, and when the last one's process ended; for sightings. */
  readonly leaders = { won: 0, endedMs: Number.NEGATIVE_INFINITY, proposedEnds: 0 };
  /** Is told every note as it comes. */
  onNote: ((atMs: number, what: string) => void) | null = null;
  /** Of a millisecond; 0 in half of the seeds. */
  readonly #fraction: () => number;
  readonly #syncs: SeededRandom;
  readonly #operations: SeededRandom;
  /** Of disks, nothing but a sync takes any time. */
  readonly #isInstant: boolean;
  readonly #equips: ((node: SimNode) => void)[] = [];
  readonly #digest = createHash("md5");
  #dirty = false;

  constructor(seed: number, overrides: Partial<Drawn> = {}, nodes = 3) {
    this.seed = seed;
    this.random = randomStream(seed, "cluster");
    this.drawn = { ...draw(this.random), ...overrides };
    this.settings = settingsOf(this.drawn);
    const network = new SimNetwork(this.loop, { random: randomStream(seed, "network") });
    const delays = randomStream(seed, "delays");
    const [least, most] = this.settings.delayMs;
    const fractions = randomStream(seed, "fractions");
    // Where all takes whole milliseconds, most of what happens is a tie.
    const isWhole = fractions.below(2) === 0;
    this.#fraction = () => (isWhole ? 0 : fractions.below(1_000) / 1_000);
    network.draw = () => least + delays.below(1 + most - Math.min(least, most)) + this.#fraction();
    this.network = network;
    const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
    this.truth = new Truth(this.settings.stateLimits, () => this.nowMs);
    this.consensus = new Consensus(this.truth);
    this.roster = new Roster(this.truth, this.consensus, names);
    this.consensus.onConfiguration = placed => this.roster.entered(placed);
    this.disorderHost = {
      loop: this.loop,
      random: randomStream(seed, "disorder"),
      disorder: (from, to) => this.disorders.get(`${from}>${to}`) ?? null,
      sent: payload => this.consensus.sent(payload),
      snapshotSent: to => this.health.snapshotSent(to),
      count: what => this.truth.count(`message ${what}`),
    };
    this.#syncs = randomStream(seed, "syncs");
    this.#operations = randomStream(seed, "operations");
    this.#isInstant = this.#operations.below(2) === 0;
    this.nodes = names.map(name => this.#made(new SimNode(this, name, names)));
    this.health = new Health(this);
    this.truth.onNote = what => this.note(what);
  }

  get names(): readonly string[] {
    return this.nodes.map(({ name }) => name);
  }

  /** Where clients look for a node. */
  get namesTried(): readonly string[] {
    return [...new Set([...this.names, ...this.spareNames])];
  }

  /** Those that are members, by what is committed. */
  get members(): readonly SimNode[] {
    return this.nodes.filter(node => this.roster.isMember(node));
  }

  /** Those that run, are removed, and know a member who runs: it can tell them. */
  get untold(): readonly SimNode[] {
    const running = this.members.filter(({ isUp }) => isUp).map(({ memberId }) => memberId);
    return this.nodes.filter(({ isUp, memberId, log }) => {
      const known = log?.members() ?? [];
      return (
        isUp && this.roster.wasRemoved(memberId) && known.some(({ id }) => running.includes(id))
      );
    });
  }

  /** One more node, which knows nothing and is down. */
  newcomer(name: string): SimNode {
    const node = this.#made(new SimNode(this, name, []));
    this.nodes.push(node);
    for (const equip of this.#equips) equip(node);
    return node;
  }

  /** For all nodes, those that are to come included. */
  equip(each: (node: SimNode) => void): void {
    this.#equips.push(each);
    for (const node of this.nodes) each(node);
  }

  #made(node: SimNode): SimNode {
    const [quickest, slowest] = this.settings.syncMs;
    const span = 1 + slowest - Math.min(quickest, slowest);
    node.usualSyncMs = () => quickest + this.#syncs.below(span) + this.#fraction();
    if (!this.#isInstant)
      node.otherMs = slowMs =>
        this.#operations.below(1 + Math.floor(slowMs ?? slowest)) + this.#fraction();
    return node;
  }

  /** What a reader of a failing run wants to know; and what two runs of a seed must agree in. */
  note(what: string): void {
    if (what.includes("never acknowledged is cut")) sometimes("torn tail cut at recovery");
    if (what.includes("peer protocol")) sometimes("a later version was refused");
    const line = `${this.loop.monotonicMs().toFixed(3)} ${what}`;
    this.#digest.update(line);
    this.onNote?.(this.nowMs, what);
    this.notes.push(line);
    if (this.notes.length > 2 * MOST_NOTES) this.notes.splice(0, MOST_NOTES);
  }

  digest(): string {
    this.#digest.update(`${this.events} ${this.truth.index} ${this.truth.machine.hash()}`);
    return this.#digest.digest("hex");
  }

  /** A process of a client. */
  process(name: string, originMs: number, driftPpm: number): Process {
    const { loop } = this;
    const onRun = (): void => {
      this.#dirty = true;
    };
    return new Process({ loop, name, originMs, driftPpm, onRun });
  }

  leadership(name: string, { term, leader, serving }: Leadership): void {
    this.note(`${name} sees term ${term} leader ${String(leader)}${serving ? " and serves" : ""}`);
    const served = this.#servesInTerm;
    if (this.isStill && served !== null && term > served)
      this.truth.fail(`term ${term} began while all was still and the leader of ${served} served`);
    if (serving) this.#servesInTerm = term;
  }

  get nowMs(): number {
    return this.loop.monotonicMs();
  }

  /** Runs all that is due within `ms`; stops early when `until` holds. Says whether it does. */
  async run(ms: number, until: () => boolean = () => false): Promise<boolean> {
    const endMs = this.loop.monotonicMs() + ms;
    await this.#settle();
    while (!until()) {
      if (!this.loop.turn(endMs)) {
        this.loop.advance(Math.max(0, endMs - this.loop.monotonicMs()));
        return until();
      }
      this.events += 1;
      if (this.events > MOST_EVENTS) this.truth.fail("never came: an end of events");
      if (this.#dirty) await this.#settle();
    }
    return true;
  }

  async #settle(): Promise<void> {
    this.#dirty = false;
    await drain();
    if (this.failure !== null) throw this.failure;
  }

  node(name: string): SimNode {
    const node = this.nodes.find(one => one.name === name);
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node;
  }

  describe(): string {
    return this.nodes.map(node => node.describe()).join("\n");
  }
}
