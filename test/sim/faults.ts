/**
 * What goes wrong: drawn once a seed, which kinds and how often, and then struck at random times
 * until the safety phase is over. `heal` ends all of it.
 */
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { SimCluster } from "./cluster.js";
import type { SimNode } from "./node.js";

export interface Sufferer {
  readonly hosts: () => readonly string[];
  pauseClient(ms: number): void;
  suspendClient(ms: number): void;
  killClient(): void;
}

/** What of the draw is not to strike. */
export interface FaultLimits {
  readonly without?: readonly string[];
  readonly skip?: readonly number[];
}

type Fault = (faults: Faults) => void;

const KINDS: Readonly<Record<string, Fault>> = {
  reset: faults => faults.reset(),
  cut: faults => faults.cutWithin(),
  silence: faults => faults.silence(),
  partition: faults => faults.partition(),
  kill: faults => faults.end("kill"),
  crash: faults => faults.end("crash"),
  vanish: faults => faults.end("vanish"),
  crashAll: faults => faults.endAll(),
  stop: faults => faults.stop(),
  pause: faults => faults.pause(),
  depose: faults => faults.depose(),
  slowDisk: faults => faults.slowDisk(),
  pauseClient: faults => faults.pauseClient(),
  suspendClient: faults => faults.suspendClient(),
  killClient: faults => faults.killClient(),
};

export class Faults {
  readonly #cluster: SimCluster;
  readonly #sufferer: Sufferer;
  /** Of the present strike alone, so that one that is left out changes no other. */
  #random: SeededRandom;
  readonly #limits: FaultLimits;
  readonly #kinds: readonly string[];
  readonly #everyMs: number;
  /** Struck, by kind. */
  readonly struck = new Map<string, number>();
  #over = false;
  #strikes = 0;

  constructor(cluster: SimCluster, sufferer: Sufferer, limits: FaultLimits = {}) {
    this.#limits = limits;
    this.#cluster = cluster;
    this.#sufferer = sufferer;
    this.#random = randomStream(cluster.seed, "faults");
    const all = Object.keys(KINDS);
    const many = 1 + this.#random.below(all.length);
    this.#kinds = all.filter(() => this.#random.below(all.length) < many);
    this.#everyMs = [150, 500, 1_500, 4_000][this.#random.below(4)] ?? 500;
    cluster.note(`faults every ${this.#everyMs} ms: ${this.#kinds.join(" ")}`);
  }

  get strikes(): number {
    return this.#strikes;
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  #next(): void {
    this.#strikes += 1;
    this.#random = randomStream(this.#cluster.seed, `strike/${this.#strikes}`);
    this.#cluster.loop.after(1 + this.#random.below(2 * this.#everyMs), () => {
      if (this.#over) return;
      this.#strike(this.#kinds[this.#random.below(this.#kinds.length)] as string);
      this.#next();
    });
  }

  #strike(kind: string): void {
    const { without = [], skip = [] } = this.#limits;
    if (without.includes(kind) || skip.includes(this.#strikes)) return;
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
    KINDS[kind]?.(this);
  }

  /** Everything stands and runs again. */
  heal(): void {
    this.#over = true;
    this.#cluster.note("healed");
    this.#cluster.network.heal();
    for (const node of this.#cluster.nodes) if (!node.isUp) this.#start(node);
  }

  reset(): void {
    const [a, b] = [this.#host(), this.#node().name];
    this.#cluster.note(`reset ${a} ${b}`);
    this.#cluster.network.reset(a, b);
  }

  cutWithin(): void {
    const [a, b] = [this.#node().name, this.#host()];
    const bytes = this.#random.below(300);
    this.#cluster.note(`cut ${a} ${b} after ${bytes}`);
    this.#cluster.network.cutAfter(a, b, bytes);
  }

  silence(): void {
    const [a, b] = [this.#host(), this.#host()];
    if (a === b) return;
    const ms = this.#time();
    this.#cluster.note(`silence ${a} to ${b} for ${ms}`);
    this.#cluster.network.silence(a, b);
    this.#healLater(ms);
  }

  partition(): void {
    const { name } = this.#node();
    const ms = this.#time();
    this.#cluster.note(`isolate ${name} for ${ms}`);
    this.#cluster.network.isolate(
      name,
      [...this.#cluster.names, ...this.#sufferer.hosts()].filter(
        other => other !== name && this.#random.below(4) > 0,
      ),
    );
    this.#healLater(ms);
  }

  end(how: "kill" | "crash" | "vanish"): void {
    const node = this.#node();
    if (!node.isUp) return;
    this.#cluster.note(`${how} ${node.name}`);
    if (how === "kill") node.kill();
    else node.crash(how === "vanish");
    this.#startLater(node);
  }

  endAll(): void {
    this.#cluster.note("crash of all");
    for (const node of this.#cluster.nodes) {
      if (!node.isUp) continue;
      node.crash(false);
      this.#startLater(node);
    }
  }

  stop(): void {
    const leader = this.#cluster.nodes.find(node => node.serves);
    const node = leader ?? this.#node();
    if (!node.isUp || node.stopping) return;
    this.#cluster.note(`stop ${node.name}`);
    node.stop(() => {
      this.#cluster.note(`stopped ${node.name}`);
      if (this.#over) this.#start(node);
      else this.#startLater(node);
    });
  }

  pause(): void {
    const node = this.#node();
    if (!node.isUp) return;
    const { process } = node;
    const ms = this.#time();
    this.#cluster.note(`pause ${node.name} for ${ms}`);
    process.pause();
    this.#cluster.loop.after(ms, () => process.resume());
  }

  /**
   * The leader is cut from the others, not from its clients, and stands still again and again, so
   * that its own ticks are slow to tell it that it leads no more.
   */
  depose(): void {
    const node = this.#cluster.nodes.find(one => one.serves);
    if (node === undefined || !node.isUp) return;
    const { process } = node;
    const forMs = 2_000 + this.#random.below(4_000);
    this.#cluster.note(`depose ${node.name} for ${forMs}`);
    this.#cluster.network.isolate(
      node.name,
      this.#cluster.names.filter(name => name !== node.name),
    );
    const endMs = this.#cluster.nowMs + forMs;
    const stall = (): void => {
      if (this.#over || this.#cluster.nowMs >= endMs || !process.isAlive) return;
      process.pause();
      this.#cluster.loop.after(100 + this.#random.below(900), () => {
        process.resume();
        this.#cluster.loop.after(1 + this.#random.below(60), stall);
      });
    };
    stall();
    this.#healLater(forMs);
  }

  slowDisk(): void {
    const node = this.#node();
    const before = node.syncMs;
    const most = 20 + this.#random.below(500);
    const random = randomStream(this.#random.below(2 ** 32), "slow");
    this.#cluster.note(`slow disk ${node.name} up to ${most}`);
    node.syncMs = () => random.below(most);
    this.#cluster.loop.after(this.#time(), () => {
      node.syncMs = before;
    });
  }

  pauseClient(): void {
    this.#sufferer.pauseClient(this.#time());
  }

  suspendClient(): void {
    this.#sufferer.suspendClient(this.#time());
  }

  killClient(): void {
    this.#sufferer.killClient();
  }

  #node(): SimNode {
    const { nodes } = this.#cluster;
    return nodes[this.#random.below(nodes.length)] as SimNode;
  }

  #host(): string {
    const hosts = [...this.#cluster.names, ...this.#cluster.names, ...this.#sufferer.hosts()];
    return hosts[this.#random.below(hosts.length)] as string;
  }

  /** Shorter and longer than elections and leases are. */
  #time(): number {
    const most = [30, 300, 1_500, 6_000][this.#random.below(4)] ?? 300;
    return 1 + this.#random.below(most);
  }

  #healLater(ms: number): void {
    this.#cluster.loop.after(ms, () => {
      if (!this.#over) this.#cluster.network.heal();
    });
  }

  #startLater(node: SimNode): void {
    const most = [20, 400, 3_000][this.#random.below(3)] ?? 400;
    this.#cluster.loop.after(1 + this.#random.below(most), () => {
      if (!node.isUp && !this.#over) this.#start(node);
    });
  }

  #start(node: SimNode): void {
    this.#cluster.note(`start ${node.name}`);
    node.start();
  }
}
