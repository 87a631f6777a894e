/**
 * Faults told as stories: a sequence of acts, each waiting for what the cluster does, on paths
 * where consensus has lost data before and where blind chance hardly ever comes. Each story, once
 * told, begins anew, and leaves everything up and connected.
 */
import type { SeededRandom } from "../../src/base/random.js";
import type { SimCluster } from "./cluster.js";
import type { SimNode } from "./node.js";
import { Trap } from "./trap.js";

const LOOK_MS = 2;
/** An act that does not come off for so long is given up. */
const PATIENCE_MS = 3_000;

export abstract class Story {
  protected readonly cluster: SimCluster;
  protected readonly random: SeededRandom;
  readonly #isOver: () => boolean;
  readonly #tells: () => void;

  /** `tells` is called each time that it is told. */
  constructor(cluster: SimCluster, random: SeededRandom, isOver: () => boolean, tells: () => void) {
    this.cluster = cluster;
    this.random = random;
    this.#isOver = isOver;
    this.#tells = tells;
  }

  begin(): void {
    this.after(300 + this.random.below(700), () => {
      this.whenLeads(this.cluster.nodes, leader => {
        this.#tells();
        this.tell(leader);
      });
    });
  }

  protected abstract tell(leader: SimNode): void;

  protected anew(): void {
    this.cluster.network.heal();
    for (const node of this.cluster.nodes) {
      if (node.isForgetful) this.#findDisk(node);
      this.start(node);
    }
    this.begin();
  }

  /** Looks again and again, and begins anew when it takes too long. */
  protected whenLeads(nodes: readonly SimNode[], then: (leader: SimNode) => void): void {
    const untilMs = this.cluster.nowMs + PATIENCE_MS;
    const look = (): void => {
      const leader = nodes.find(node => node.leads);
      if (leader !== undefined) then(leader);
      else if (this.cluster.nowMs > untilMs) this.anew();
      else this.after(LOOK_MS, look);
    };
    look();
  }

  /** Others hear nothing of it any more; its clients do. */
  protected muffle(node: SimNode): void {
    this.cluster.note(`muffle ${node.name}`);
    for (const other of this.others(node)) this.cluster.network.silence(node.name, other.name);
  }

  protected isolate(node: SimNode): void {
    this.cluster.note(`isolate ${node.name}`);
    this.cluster.network.isolate(
      node.name,
      this.others(node).map(({ name }) => name),
    );
  }

  protected crash(node: SimNode): void {
    if (!node.isUp) return;
    this.cluster.note(`crash ${node.name}`);
    node.crash(false);
  }

  protected start(node: SimNode): void {
    if (node.isUp) return;
    this.cluster.note(`start ${node.name}`);
    node.start();
  }

  protected others(...nodes: readonly SimNode[]): readonly SimNode[] {
    return this.cluster.nodes.filter(one => !nodes.includes(one));
  }

  protected after(ms: number, then: () => void): void {
    this.cluster.loop.after(ms, () => {
      if (!this.#isOver()) then();
    });
  }

  protected get isOver(): boolean {
    return this.#isOver();
  }

  #findDisk(node: SimNode): void {
    this.cluster.note(`the disk of ${node.name} is found`);
    if (node.isUp) node.kill();
    node.findDisk();
  }
}

/**
 * Figure 8 of the Raft paper: a leader keeps entries to itself and falls; its successor does the
 * same and falls; the first comes back, hands its old entries to the third node and falls again
 * just then; the second comes back. Whoever took those entries for committed has lost them now.
 */
export class FigureEight extends Story {
  protected override tell(first: SimNode): void {
    this.muffle(first);
    this.after(100 + this.random.below(350), () => {
      this.crash(first);
      this.whenLeads(this.others(first), second => this.#secondFalls(first, second));
    });
  }

  #secondFalls(first: SimNode, second: SimNode): void {
    this.muffle(second);
    this.after(5 + this.random.below(60), () => {
      this.crash(second);
      this.cluster.network.heal();
      this.start(first);
      this.whenLeads([first], () => this.#firstFallsAgain(first, second));
    });
  }

  #firstFallsAgain(first: SimNode, second: SimNode): void {
    this.after(this.random.below(40), () => {
      this.crash(first);
      this.start(second);
      this.after(1_500, () => this.anew());
    });
  }
}

/**
 * A voter gives its vote and loses its power at once, on a slow disk; the candidate has won with it
 * and is alone. A third node that has heard of nothing asks for a vote in the same term.
 */
export class DoubleVote extends Story {
  protected override tell(third: SimNode): void {
    this.crash(third);
    const voters = this.others(third);
    const slowMs = 30 + this.random.below(150);
    const undos = voters.map(node => node.slowDown(() => slowMs));
    const quick = (): void => {
      for (const undo of undos) undo();
    };
    this.cluster.loop.after(PATIENCE_MS, quick);
    this.whenLeads(voters, winner => {
      quick();
      this.isolate(winner);
      for (const voter of this.others(winner, third)) {
        this.crash(voter);
        this.after(1 + this.random.below(20), () => this.start(voter));
      }
      this.start(third);
      this.after(2_000, () => this.anew());
    });
  }
}

/**
 * A candidate loses its power as it asks for a vote, on a slow disk, and nobody hears of it. When
 * it is back, the other campaigns in the same term, and asks for the vote that it gave itself.
 */
export class HastyCandidate extends Story {
  protected override tell(leader: SimNode): void {
    this.crash(leader);
    const voters = this.others(leader);
    const slowMs = 30 + this.random.below(150);
    const undos = voters.map(node => node.slowDown(() => slowMs));
    const { consensus, loop } = this.cluster;
    const over = (): void => {
      consensus.onCandidate = () => {};
      for (const undo of undos) undo();
    };
    loop.after(PATIENCE_MS, over);
    consensus.onCandidate = id => {
      const candidate = voters.find(({ memberId, isUp }) => isUp && memberId === id);
      if (this.isOver || candidate === undefined || candidate.trap !== null) return;
      consensus.onCandidate = () => {};
      for (const { name } of voters)
        if (name !== candidate.name) this.cluster.network.silence(candidate.name, name);
      candidate.trap = new Trap("after send", 1, () => {
        over();
        this.crash(candidate);
        this.after(1 + this.random.below(20), () => {
          this.cluster.network.heal();
          this.start(candidate);
        });
      });
    };
    this.after(PATIENCE_MS, () => this.anew());
  }
}

/**
 * What two nodes have committed while the third was cut off is known to these two alone. Then one
 * comes up with an empty directory and the other is away: nobody may lead until one is back.
 */
export class EmptyDisk extends Story {
  /** Entries after which all members know each other's incarnations. */
  static readonly #SETTLED = 20;

  protected override tell(leader: SimNode): void {
    const [behind, forgetful] = this.others(leader);
    const isSettled = this.cluster.nodes.every(
      node => (node.log?.status().appliedIndex ?? 0) > EmptyDisk.#SETTLED,
    );
    if (!isSettled || behind === undefined || forgetful === undefined) {
      this.begin();
      return;
    }
    this.isolate(behind);
    this.after(150 + this.random.below(250), () => {
      if (!forgetful.isUp || forgetful.stopping) {
        this.anew();
        return;
      }
      this.cluster.note(`empty disk for ${forgetful.name}`);
      forgetful.kill();
      forgetful.loseDisk();
      this.crash(leader);
      this.cluster.network.heal();
      this.start(forgetful);
      this.after(1_500 + this.random.below(1_000), () => {
        this.start(leader);
        this.after(this.random.below(1_500), () => this.anew());
      });
    });
  }
}

/**
 * One follower is cut off, the leader's disk is slow: what the other follower acknowledges stands
 * on one disk alone. Then the leader loses its power, and that follower goes, too.
 */
export class LonelyCopy extends Story {
  protected override tell(leader: SimNode): void {
    const [behind, keeper] = this.others(leader);
    if (behind === undefined || keeper === undefined) return;
    const slowMs = 80 + this.random.below(200);
    this.isolate(behind);
    const quick = leader.slowDown(() => slowMs);
    this.cluster.loop.after(PATIENCE_MS, quick);
    this.after(100 + this.random.below(300), () => {
      quick();
      this.crash(leader);
      this.crash(keeper);
      this.cluster.network.heal();
      this.start(leader);
      this.after(2_000, () => this.anew());
    });
  }
}

/**
 * The leader is cut from the others, not from its clients, and stalls again and again, so that its
 * own ticks are slow to tell it that it leads no more. Meanwhile leases end under another.
 */
export class StallingLeader extends Story {
  protected override tell(leader: SimNode): void {
    const { process } = leader;
    const endMs = this.cluster.nowMs + 2_500 + this.random.below(3_000);
    this.isolate(leader);
    const stall = (): void => {
      if (this.cluster.nowMs >= endMs || !process.isAlive) {
        this.anew();
        return;
      }
      process.pause();
      this.cluster.loop.after(100 + this.random.below(800), () => {
        process.resume();
        this.after(1 + this.random.below(60), stall);
      });
    };
    stall();
  }
}

/**
 * Nothing comes from the leader to the others nor back, and no link tells so. It goes on for half a
 * second or more, and proposes what will be cut; just after its successor began, it is back.
 */
export class SilentLeader extends Story {
  protected override tell(leader: SimNode): void {
    this.cluster.note(`silence around ${leader.name}`);
    for (const { name } of this.others(leader)) {
      this.cluster.network.silence(leader.name, name);
      this.cluster.network.silence(name, leader.name);
    }
    this.after(700 + this.random.below(900), () => {
      this.cluster.network.heal();
      this.after(500 + this.random.below(1_000), () => this.anew());
    });
  }
}
