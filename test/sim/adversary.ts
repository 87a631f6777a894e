/**
 * Faults by somebody who watches: they strike when it hurts, where those of faults.ts strike blind.
 * A run has one such plan or none. Each is a path on which a consensus of this kind has lost data
 * somewhere before.
 */
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { SimCluster } from "./cluster.js";
import { LonelyChange, LonelyFarewell } from "./farewells.js";
import type { SimNode } from "./node.js";
import { PLANS, type Plan } from "./plain.js";
import {
  DoubleVote,
  EmptyDisk,
  FigureEight,
  HastyCandidate,
  LonelyCopy,
  SilentLeader,
  StallingLeader,
} from "./stories.js";
import { Trap } from "./trap.js";

/** Not the number of plans, so that another one changes no draw of the others. */
const SPREAD = 11;

/** What came later takes the place of its like in half of the seeds. */
function instead(seed: number, drawn: Plan | null): Plan | null {
  const isOther = randomStream(seed, "adversary/instead").below(2) === 0;
  return drawn === "doubleVote" && isOther ? "hastyCandidate" : drawn;
}

export class Adversary {
  readonly plan: Plan | null;
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #withins: SeededRandom;
  strikes = 0;
  #over = false;
  /** Who led when it last looked. */
  #hunted: SimNode | null = null;

  /** `plan`: in the place of the one drawn; "none" for none. */
  constructor(cluster: SimCluster, plan?: Plan | "none") {
    this.#cluster = cluster;
    this.#random = randomStream(cluster.seed, "adversary");
    this.#withins = randomStream(cluster.seed, "adversary/within");
    const drawn = PLANS.slice(0, SPREAD)[this.#random.below(2 * SPREAD)] ?? null;
    this.plan = plan === "none" ? null : (plan ?? instead(cluster.seed, drawn));
    cluster.note(`plan: ${String(this.plan)}`);
  }

  start(): void {
    const tells = (): void => {
      this.strikes += 1;
    };
    const told = [this.#cluster, this.#random, () => this.#over, tells] as const;
    if (this.plan === "figureEight") new FigureEight(...told).begin();
    else if (this.plan === "doubleVote") new DoubleVote(...told).begin();
    else if (this.plan === "lonelyCopy") new LonelyCopy(...told).begin();
    else if (this.plan === "stallingLeader") new StallingLeader(...told).begin();
    else if (this.plan === "silentLeader") new SilentLeader(...told).begin();
    else if (this.plan === "lonelyChange") new LonelyChange(...told).begin();
    else if (this.plan === "lonelyFarewell") new LonelyFarewell(...told).begin();
    else if (this.plan === "emptyDisk") new EmptyDisk(...told).begin();
    else if (this.plan === "hastyCandidate") new HastyCandidate(...told).begin();
    else if (this.plan === "leaderHunt") this.#hunt();
    else if (this.plan !== null) this.#again();
  }

  /** To be called before nodes that are down are started again for good. */
  heal(): void {
    this.#over = true;
    this.#cluster.network.heal();
    for (const node of this.#cluster.nodes) {
      if (!node.isForgetful) continue;
      if (node.isUp) node.kill();
      node.findDisk();
    }
  }

  #again(): void {
    this.#cluster.loop.after(200 + this.#random.below(2_500), () => {
      if (this.#over) return;
      this.strikes += 1;
      if (this.plan === "powerStorm") this.#powerStorm();
      else this.#musicalChairs();
      this.#again();
    });
  }

  /** All disks are slow, and then the power of some or all of them goes. */
  #powerStorm(): void {
    const { nodes, loop } = this.#cluster;
    const slowest = 5 + this.#random.below(150);
    const random = randomStream(this.#random.below(2 ** 32), "storm");
    const undos = nodes.map(node => node.slowDown(() => random.below(slowest)));
    this.#cluster.note(`power storm, syncs up to ${slowest} ms`);
    loop.after(20 + this.#random.below(400), () => {
      for (const undo of undos) undo();
      const most = this.#random.below(3);
      const isWithin = this.#withins.below(2) === 0;
      for (const node of nodes)
        if (!this.#over && this.#random.below(3) <= most) this.#crash(node, isWithin);
    });
  }

  /** Whoever comes to lead is ended or cut off a moment later. */
  #hunt(): void {
    this.#cluster.loop.after(5 + this.#random.below(60), () => {
      if (this.#over) return;
      const early = this.#random.below(2) === 0;
      const falls = (node: SimNode): boolean => (early ? node.leads : node.serves);
      const leader = this.#cluster.nodes.find(node => node.isUp && falls(node)) ?? null;
      if (leader !== null && leader !== this.#hunted) {
        this.strikes += 1;
        this.#hunted = leader;
        this.#cluster.loop.after(this.#random.below(120), () => this.#fell(leader));
      }
      this.#hunt();
    });
  }

  #fell(node: SimNode): void {
    if (this.#over || !node.isUp || node.stopping) return;
    const how = this.#random.below(3);
    if (how === 0) this.#crash(node);
    else if (how === 1) this.#cutOff(node, 300 + this.#random.below(1_500));
    else {
      const { process } = node;
      const ms = 200 + this.#random.below(1_500);
      this.#cluster.note(`pause ${node.name} for ${ms}`);
      process.pause();
      this.#cluster.loop.after(ms, () => process.resume());
    }
    this.#cluster.loop.after(2_000, () => {
      this.#hunted = null;
    });
  }

  /** The leader and one other are cut off from each other; the third sees both. */
  #musicalChairs(): void {
    const { nodes, names } = this.#cluster;
    const leader = nodes.find(node => node.isUp && node.serves);
    if (leader === undefined) return;
    const others = names.filter(name => name !== leader.name);
    const other = others[this.#random.below(others.length)] ?? leader.name;
    this.#cluster.note(`cut ${leader.name} from ${other}`);
    this.#cluster.network.isolate(leader.name, [other]);
    if (this.#random.below(2) === 0)
      this.#cluster.loop.after(this.#random.below(300), () => {
        const third = nodes.find(node => node !== leader && node.name !== other);
        if (third !== undefined && !this.#over) this.#crash(third);
      });
    this.#healAfter(500 + this.#random.below(2_500));
  }

  /** `isWithin`: when next its disk has something to do. */
  #crash(node: SimNode, isWithin = false): void {
    if (!node.isUp || node.isForgetful) return;
    const isSilent = this.#random.below(4) === 0;
    const downMs = 1 + this.#random.below(600);
    const crash = (): void => {
      if (this.#over) return;
      this.#cluster.note(
        `crash ${node.name}${isWithin ? ", within an operation of its disk" : ""}`,
      );
      node.crash(isSilent);
      this.#cluster.loop.after(downMs, () => {
        if (node.isUp || this.#over) return;
        this.#cluster.note(`start ${node.name}`);
        node.start();
      });
    };
    if (isWithin && node.trap === null) node.trap = new Trap("within disk", 1, crash);
    else if (!isWithin) crash();
  }

  #cutOff(node: SimNode, ms: number): void {
    this.#cluster.note(`cut off ${node.name} for ${ms}`);
    const { names, network } = this.#cluster;
    network.isolate(
      node.name,
      names.filter(name => name !== node.name),
    );
    this.#healAfter(ms);
  }

  #healAfter(ms: number): void {
    this.#cluster.loop.after(ms, () => {
      if (!this.#over) this.#cluster.network.heal();
    });
  }
}
