/**
 * What can be seen of a node from outside, by what its log tells its host and by its status: marks
 * rare paths, and decides nothing. One for each life of a node.
 */
import type { Leadership } from "../../src/log/port/index.js";
import type { SimCluster } from "./cluster.js";
import type { SimNode } from "./node.js";
import { sometimes } from "./sometimes.js";

/** After its end a leader is replaced in half a second when its links' closing told of it. */
const FAST_MS = 500;

export class Sightings {
  readonly #cluster: SimCluster;
  readonly #node: SimNode;
  #led = false;
  #proposedBefore = 0;
  /** A leader of `tailTerm` or later may replace what stands up to here. */
  #tailEnd = 0;
  #tailTerm = 0;
  #begun = false;

  constructor(cluster: SimCluster, node: SimNode) {
    this.#cluster = cluster;
    this.#node = node;
  }

  /** The log has opened; entries or a snapshot follow. */
  leadershipChanged({ term, serving }: Leadership): void {
    const { leaders } = this.#cluster;
    const status = this.#node.log?.status();
    if (status === undefined) return;
    if (!this.#begun && status.lastIndex > status.commitIndex && status.commitIndex > 0)
      sometimes("an uncommitted tail survived a restart");
    this.#begun = true;
    if (this.#led && !serving && status.lastIndex > status.commitIndex)
      sometimes("leader deposed with an uncommitted tail");
    if (this.#led && !serving) this.#lostLead();
    this.#led = serving;
    if (term > this.#tailTerm && !serving) {
      this.#tailTerm = term;
      this.#tailEnd = status.lastIndex;
    }
    if (!serving) return;
    leaders.won += 1;
    if (leaders.won === 7) sometimes("seven terms");
    const { nodes, nowMs } = this.#cluster;
    const others = nodes.filter(node => node !== this.#node);
    if (others.some(node => node.serves)) sometimes("two nodes took themselves for leaders");
    if (others.some(node => node.stopping && node.isUp))
      sometimes("leadership handed over on stop");
    if (nowMs - leaders.endedMs < FAST_MS) sometimes("fast fail-over");
    leaders.endedMs = Number.NEGATIVE_INFINITY;
  }

  /** An entry of a new leader at a place where this node held another's. */
  committed(index: number, term: number): void {
    if (index <= this.#tailEnd && term >= this.#tailTerm) {
      sometimes("conflicting tail cut");
      this.#tailEnd = 0;
    }
  }

  restored(index: number): void {
    const status = this.#node.log?.status();
    sometimes(this.#begun ? "snapshot installed by a laggard" : "state restored at start");
    if (this.#begun && status !== undefined && status.lastIndex > index)
      sometimes("snapshot and appends raced");
    this.#begun = true;
  }

  #lostLead(): void {
    const { lease_expiries_proposed_total: proposed = 0 } = this.#node.counters();
    this.#cluster.leaders.proposedEnds += proposed - this.#proposedBefore;
    this.#proposedBefore = proposed;
    if (this.#cluster.leaders.proposedEnds > (this.#cluster.truth.counts.expired ?? 0))
      sometimes("expiry lost with the leader");
  }

  /** The process ends now, however. */
  ended(): void {
    if (this.#led) {
      this.#cluster.leaders.endedMs = this.#cluster.nowMs;
      this.#lostLead();
    }
    const { members } = this.#cluster;
    const up = members.filter(node => node !== this.#node && node.isUp).length;
    if (up === 0) sometimes("all nodes down at once");
    if (up === 1 && members.length > 2) sometimes("minority alone");
  }
}
