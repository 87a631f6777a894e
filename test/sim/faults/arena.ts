/**
 * What one strike of a fault works with: the world, a random stream of its own, how hard its kind
 * strikes in this seed, and the duty to take back what it did, in its own time or when all is
 * healed.
 */
import type { SeededRandom } from "../../../src/base/random.js";
import type { SimClient } from "../client.js";
import type { SimCluster } from "../cluster.js";
import type { SimNode } from "../node.js";

/** Whom faults of clients befall. */
export interface Sufferers {
  /** Names of all clients' hosts. */
  hosts(): readonly string[];
  /** Those that live. */
  clients(): readonly SimClient[];
  /** It dies, and another takes its place. */
  killClient(client: SimClient): void;
}

/** What all kinds share. */
export interface Standing {
  /** The time of faults is over. */
  isOver: boolean;
  /** What stands and is to be taken back. */
  readonly undos: Set<() => void>;
  /** The one node, if any, whose data were damaged: never more than a minority. */
  damaged: SimNode | null;
}

export class Arena {
  readonly cluster: SimCluster;
  readonly sufferers: Sufferers;
  readonly standing: Standing;
  readonly random: SeededRandom;
  /** 0, 1 or 2: mild, hard, harsh. The same for all strikes of the kind in one seed. */
  readonly hardness: number;

  constructor(
    cluster: SimCluster,
    sufferers: Sufferers,
    standing: Standing,
    random: SeededRandom,
    hardness: number,
  ) {
    this.cluster = cluster;
    this.sufferers = sufferers;
    this.standing = standing;
    this.random = random;
    this.hardness = hardness;
  }

  get isOver(): boolean {
    return this.standing.isOver;
  }

  note(what: string): void {
    this.cluster.note(what);
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.random.below(Math.max(1, from.length))];
  }

  /** Of this, by hardness. */
  byHardness<T>(mild: T, hard: T, harsh: T): T {
    return [mild, hard, harsh][this.hardness] as T;
  }

  /** A node that runs, or null when none was hit. */
  upNode(): SimNode | null {
    const node = this.node();
    return node.isUp && !node.stopping ? node : null;
  }

  node(): SimNode {
    return this.pick(this.cluster.nodes) as SimNode;
  }

  leader(): SimNode | null {
    return this.cluster.nodes.find(node => node.isUp && node.serves) ?? null;
  }

  client(): SimClient | null {
    return this.pick(this.sufferers.clients().filter(client => client.process.isRunning)) ?? null;
  }

  /** Nodes are twice as likely as clients. */
  host(): string {
    const { names } = this.cluster;
    return this.pick([...names, ...names, ...this.sufferers.hosts()]) as string;
  }

  othersThan(name: string): string[] {
    return this.cluster.names.filter(other => other !== name);
  }

  /** Shorter and longer than elections and leases are. */
  timeMs(): number {
    return 1 + this.random.below(this.pick([30, 300, 1_500, 6_000]) as number);
  }

  /** `undo` comes after `ms`, or when all is healed, and once. */
  standFor(ms: number, undo: () => void): void {
    const { undos } = this.standing;
    const once = (): void => {
      if (undos.delete(once)) undo();
    };
    undos.add(once);
    this.cluster.loop.after(ms, once);
  }

  /** As `standFor`; these nodes count as unwell meanwhile. */
  harmFor(ms: number, names: readonly string[], undo: () => void): void {
    const ends = names.map(name => this.cluster.health.harm(name));
    this.standFor(ms, () => {
      for (const end of ends) end();
      undo();
    });
  }

  /** Again and again until `ms` have passed or all is healed; `step` says after how long. */
  repeatFor(ms: number, step: () => number): void {
    const endMs = this.cluster.nowMs + ms;
    const next = (): void => {
      if (this.isOver || this.cluster.nowMs >= endMs) return;
      this.cluster.loop.after(step(), next);
    };
    next();
  }

  later(ms: number, then: () => void): void {
    this.cluster.loop.after(ms, () => {
      if (!this.isOver) then();
    });
  }

  /** Started again after a while; when all is healed, at once. */
  startLater(node: SimNode, mostMs = this.pick([20, 400, 3_000]) as number): void {
    this.later(1 + this.random.below(mostMs), () => this.start(node));
  }

  start(node: SimNode): void {
    if (node.isUp) return;
    this.note(`start ${node.name}`);
    node.start();
  }
}

/** Strikes, if it can now; says whether it did. */
export type Fault = (arena: Arena) => boolean;
