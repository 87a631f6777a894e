/**
 * Stories of members that change while nobody hears of it: a change that only its leader knows, and
 * a leader that is taken out and holds the only copy of that.
 */
import { nodeId } from "../../src/base/ids.js";
import type { MemberChange } from "../../src/log/port/index.js";
import type { SimNode } from "./node.js";
import { Story } from "./stories.js";

const TELL_AFTER_MS = 200;

abstract class MembersStory extends Story {
  /** Nobody listens to the answer. */
  protected remove(leader: SimNode, { memberId }: SimNode): void {
    if (memberId === null) return;
    this.cluster.roster.answered(`remove ${memberId}`, "unknown");
    change(leader, { kind: "remove", member: nodeId(memberId) });
  }
}

/**
 * A leader has handed everything on, is cut off, and takes a newcomer in or a member out, which
 * nobody hears. Another leads, and what it does stands in the place of that.
 */
export class LonelyChange extends MembersStory {
  protected override tell(leader: SimNode): void {
    const { lastIndex = 0, commitIndex = -1 } = leader.log?.status() ?? {};
    const { roster } = this.cluster;
    if (!leader.serves || lastIndex !== commitIndex || roster.current === null) {
      this.after(1, () => this.whenLeads(this.cluster.nodes, one => this.tell(one)));
      return;
    }
    this.isolate(leader);
    const other = this.others(leader)[0];
    const isAddition = this.random.below(2) === 0;
    const name = `lonely${this.cluster.nowMs.toFixed(0)}`;
    if (isAddition || other === undefined) {
      roster.answered(`add ${name}`, "unknown");
      change(leader, { kind: "add", name, peerUrls: [`http://${name}:2380`] });
    } else this.remove(leader, other);
    this.after(800 + this.random.below(1_200), () => this.anew());
  }
}

/**
 * Of two voters the leader is taken out. What it writes down last reaches its own disk alone, since
 * it falls; the other one still needs its vote. Only the one that is to go can end this.
 */
export class LonelyFarewell extends MembersStory {
  protected override tell(leader: SimNode): void {
    const { roster } = this.cluster;
    const [kept, goes] = this.others(leader);
    const isSettled = roster.current !== null && roster.isSettled && leader.serves;
    if (!isSettled || kept === undefined || goes === undefined) {
      this.begin();
      return;
    }
    if (!roster.wasRemoved(goes.memberId)) {
      this.remove(leader, goes);
      this.after(TELL_AFTER_MS, () => this.begin());
      return;
    }
    this.#farewell(leader, kept);
  }

  #farewell(leader: SimNode, kept: SimNode): void {
    const { network } = this.cluster;
    const { memberId } = leader;
    network.makeLate([leader.name, kept.name], () => LATE_MS);
    this.remove(leader, leader);
    const endMs = this.cluster.nowMs + 10 * LATE_MS;
    const look = (): void => {
      const members = leader.log?.members() ?? [];
      const hasLeft = members.length > 0 && members.every(({ id }) => id !== memberId);
      if (!hasLeft && this.cluster.nowMs < endMs) this.after(1, look);
      else this.after(LATE_MS / 2, () => this.#falls(leader, kept));
    };
    look();
  }

  /** What it has on the way is lost with it. */
  #falls(leader: SimNode, kept: SimNode): void {
    const { network } = this.cluster;
    network.silence(leader.name, kept.name);
    this.crash(leader);
    this.after(2 * LATE_MS, () => {
      network.makeLate([leader.name, kept.name], () => 0);
      network.heal();
      this.start(leader);
    });
  }
}

/** Longer than a sync takes. */
const LATE_MS = 60;

function change(leader: SimNode, what: MemberChange): void {
  leader.process.enter(() => leader.log?.changeMembers(what, () => {}));
}
