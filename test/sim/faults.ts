/**
 * What goes wrong: drawn once a seed, which kinds, how often and how hard, and then struck at random
 * times until the safety phase is over. `heal` takes back all of it. The kinds are in faults/, one
 * file a concern; each draws from a stream of its own, so that a new one changes no other.
 */
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { SimCluster } from "./cluster.js";
import { Arena, type Fault, type Standing, type Sufferers } from "./faults/arena.js";
import { CLIENT_FAULTS } from "./faults/clients.js";
import { CLOCK_FAULTS } from "./faults/clocks.js";
import { DISK_FAULTS } from "./faults/disk.js";
import { NETWORK_FAULTS } from "./faults/network.js";
import { PROCESS_FAULTS } from "./faults/processes.js";

export const FAULT_KINDS: Readonly<Record<string, Fault>> = {
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...PROCESS_FAULTS,
  ...CLIENT_FAULTS,
};

/** In how few of the seeds that would have them: they suspend checks, or drown all else. */
const RARE: Readonly<Record<string, number>> = { clockRace: 4, crashLoop: 2, crashAll: 2 };

export class Faults {
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #arenas: ReadonlyMap<string, Arena>;
  readonly #everyMs: number;
  readonly #standing: Standing = { isOver: false, undos: new Set(), damaged: null };
  /** Struck, by kind. */
  readonly struck = new Map<string, number>();

  constructor(cluster: SimCluster, sufferers: Sufferers) {
    this.#cluster = cluster;
    this.#random = randomStream(cluster.seed, "faults");
    const all = Object.keys(FAULT_KINDS);
    const many = 1 + this.#random.below(all.length);
    this.#everyMs = [150, 500, 1_500, 4_000][this.#random.below(4)] ?? 500;
    const isOn = (kind: string): boolean => {
      const random = randomStream(cluster.seed, `kind/${kind}`);
      return random.below(all.length) < many && random.below(RARE[kind] ?? 1) === 0;
    };
    this.#arenas = new Map(
      all
        .filter(isOn)
        .map(kind => [kind, new Arena(cluster, sufferers, this.#standing, kind)] as const),
    );
    cluster.note(`faults every ${this.#everyMs} ms: ${[...this.#arenas.keys()].join(" ")}`);
    for (const node of cluster.nodes)
      node.onFailed = () => {
        const afterMs = this.#standing.isOver ? 1 : 1 + this.#random.below(2_000);
        cluster.loop.after(afterMs, () => {
          if (!node.isUp) node.start();
        });
      };
  }

  start(): void {
    if (this.#arenas.size > 0) this.#next();
  }

  #next(): void {
    this.#cluster.loop.after(1 + this.#random.below(2 * this.#everyMs), () => {
      if (this.#standing.isOver) return;
      const kinds = [...this.#arenas.keys()];
      const kind = kinds[this.#random.below(kinds.length)] as string;
      const arena = this.#arenas.get(kind) as Arena;
      if (FAULT_KINDS[kind]?.(arena) === true)
        this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
      this.#next();
    });
  }

  /** Everything stands and runs again. */
  heal(): void {
    const { undos } = this.#standing;
    this.#standing.isOver = true;
    this.#cluster.note("healed");
    for (const undo of [...undos]) undo();
    for (const node of this.#cluster.nodes) if (!node.isUp) node.start();
  }
}
