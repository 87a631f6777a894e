/**
 * What goes wrong: drawn once a seed, which kinds, how often and how hard, and then struck at
 * random times until the safety phase is over. `heal` takes back all of it. The kinds are in
 * faults/, one file a concern; each draws from a stream of its own, so that a new one changes no
 * other.
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

/** Not the number of kinds, so that another kind changes no draw of the others. */
const SPREAD = 38;

/** What of the draw is not to strike. */
export interface FaultLimits {
  readonly without?: readonly string[];
  readonly blind?: boolean;
  /** Strikes by their number, from 1. */
  readonly skip?: readonly number[];
}

export class Faults {
  readonly #cluster: SimCluster;
  readonly #limits: FaultLimits;
  readonly #random: SeededRandom;
  readonly #sufferers: Sufferers;
  /** The kinds that are on, and how hard they strike. */
  readonly #hardness: ReadonlyMap<string, number>;
  readonly #everyMs: number;
  readonly #standing: Standing = { isOver: false, undos: new Set(), damaged: null };
  /** Struck, by kind; of all kinds there are. */
  readonly struck = new Map(Object.keys(FAULT_KINDS).map(kind => [kind, 0]));
  #strikes = 0;

  constructor(cluster: SimCluster, sufferers: Sufferers, limits: FaultLimits = {}) {
    this.#cluster = cluster;
    this.#limits = limits;
    this.#sufferers = sufferers;
    this.#random = randomStream(cluster.seed, "faults");
    const all = Object.keys(FAULT_KINDS);
    const many = 1 + this.#random.below(SPREAD);
    this.#everyMs = [150, 500, 1_500, 4_000][this.#random.below(4)] ?? 500;
    const kinds = all.flatMap((kind): [string, number][] => {
      const random = randomStream(cluster.seed, `kind/${kind}`);
      const isOn = random.below(SPREAD) < many && random.below(RARE[kind] ?? 1) === 0;
      return isOn ? [[kind, random.below(3)]] : [];
    });
    this.#hardness = new Map(kinds);
    const told = kinds.map(([kind, hardness]) => `${kind}/${hardness}`).join(" ");
    cluster.note(`faults every ${this.#everyMs} ms: ${told}`);
    const pauses = randomStream(cluster.seed, "restarts");
    cluster.equip(node => {
      node.onFailed = () => {
        const afterMs = this.#standing.isOver ? 1 : 1 + pauses.below(2_000);
        cluster.loop.after(afterMs, () => {
          if (!node.isUp) node.start();
        });
      };
    });
  }

  start(): void {
    const { blind = true } = this.#limits;
    if (blind && this.#hardness.size > 0) this.#next();
  }

  #next(): void {
    this.#cluster.loop.after(1 + this.#random.below(2 * this.#everyMs), () => {
      if (this.#standing.isOver) return;
      const kinds = [...this.#hardness.keys()];
      this.#strike(kinds[this.#random.below(kinds.length)] as string);
      this.#next();
    });
  }

  /** Each strike draws from a stream of its own, so that one that is left out changes no other. */
  #strike(kind: string): void {
    const { without = [], skip = [] } = this.#limits;
    this.#strikes += 1;
    const random = randomStream(this.#cluster.seed, `strike/${this.#strikes}`);
    const hardness = this.#hardness.get(kind) ?? 0;
    const arena = new Arena(this.#cluster, this.#sufferers, this.#standing, random, hardness);
    if (without.includes(kind) || skip.includes(this.#strikes)) return;
    if (FAULT_KINDS[kind]?.(arena) === true)
      this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  /** How many there were, those included that were left out. */
  get strikes(): number {
    return this.#strikes;
  }

  /** Everything stands and runs again. */
  heal(): void {
    const { undos } = this.#standing;
    this.#standing.isOver = true;
    this.#cluster.note("healed");
    for (const undo of [...undos]) undo();
    for (const node of this.#cluster.nodes) {
      if (node.asksInVain) {
        if (node.isUp) node.kill();
        node.askMembers();
      }
      if (!node.isUp) node.start();
    }
  }
}
