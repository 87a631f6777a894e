/**
 * The story of figure 8 of the Raft paper, played on purpose: a leader keeps entries to itself and
 * falls; its successor does the same and falls; the first comes back, hands its old entries to the
 * third node and falls again just then; the second comes back. Whoever took those entries for
 * committed has lost them now.
 */
import type { SeededRandom } from "../../src/base/random.js";
import type { SimCluster } from "./cluster.js";
import type { SimNode } from "./node.js";

const LOOK_MS = 2;
/** An act that does not come off for so long is given up, and the story begins anew. */
const PATIENCE_MS = 3_000;

export class FigureEight {
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #isOver: () => boolean;
  #first: SimNode | null = null;
  #second: SimNode | null = null;
  /** Stories told to their end. */
  told = 0;

  constructor(cluster: SimCluster, random: SeededRandom, isOver: () => boolean) {
    this.#cluster = cluster;
    this.#random = random;
    this.#isOver = isOver;
  }

  begin(): void {
    this.#after(300 + this.#random.below(700), () => {
      this.#whenLeads(this.#cluster.nodes, leader => this.#firstFalls(leader));
    });
  }

  #firstFalls(leader: SimNode): void {
    this.#first = leader;
    this.#muffle(leader);
    this.#after(100 + this.#random.below(350), () => {
      this.#crash(leader);
      this.#whenLeads(this.#others(leader), second => this.#secondFalls(second));
    });
  }

  #secondFalls(leader: SimNode): void {
    this.#second = leader;
    this.#muffle(leader);
    this.#after(5 + this.#random.below(60), () => {
      this.#crash(leader);
      this.#cluster.network.heal();
      const first = this.#first as SimNode;
      this.#start(first);
      this.#whenLeads([first], () => this.#firstFallsAgain(first));
    });
  }

  #firstFallsAgain(first: SimNode): void {
    this.#after(this.#random.below(40), () => {
      this.#crash(first);
      this.#start(this.#second as SimNode);
      this.told += 1;
      this.#after(1_500, () => this.#anew());
    });
  }

  #anew(): void {
    this.#cluster.network.heal();
    for (const node of this.#cluster.nodes) this.#start(node);
    this.begin();
  }

  /** Looks again and again, and begins anew when it takes too long. */
  #whenLeads(nodes: readonly SimNode[], then: (leader: SimNode) => void): void {
    const untilMs = this.#cluster.nowMs + PATIENCE_MS;
    const look = (): void => {
      const leader = nodes.find(node => node.leads);
      if (leader !== undefined) then(leader);
      else if (this.#cluster.nowMs > untilMs) this.#anew();
      else this.#after(LOOK_MS, look);
    };
    look();
  }

  /** Others hear nothing of it any more; its clients do. */
  #muffle(node: SimNode): void {
    this.#cluster.note(`muffle ${node.name}`);
    for (const other of this.#others(node)) this.#cluster.network.silence(node.name, other.name);
  }

  #crash(node: SimNode): void {
    if (!node.isUp) return;
    this.#cluster.note(`crash ${node.name}`);
    node.crash(false);
  }

  #start(node: SimNode): void {
    if (node.isUp) return;
    this.#cluster.note(`start ${node.name}`);
    node.start();
  }

  #others(node: SimNode): readonly SimNode[] {
    return this.#cluster.nodes.filter(one => one !== node);
  }

  #after(ms: number, then: () => void): void {
    this.#cluster.loop.after(ms, () => {
      if (!this.#isOver()) then();
    });
  }
}
