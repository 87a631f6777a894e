/**
 * The progress of every node that gets the log, this one included, always in ascending order of
 * id. Kept in all roles, since what is known of links outlives a leadership.
 */
import type { LogIndex, NodeId } from "../../base/ids.js";
import type { NumberOf } from "../quorum/quorum.js";
import { Progress } from "./progress.js";

/** See `Member.since`. */
export interface Tracked {
  readonly id: NodeId;
  readonly since: LogIndex;
}

export class Tracker {
  private all: Progress[] = [];
  private byId = new Map<NodeId, Progress>();

  /** Ascending in id. */
  get list(): readonly Progress[] {
    return this.all;
  }

  find(id: NodeId): Progress | undefined {
    return this.byId.get(id);
  }

  /** The nodes changed; who stays keeps what is known of it. `nodes` ascends in id. */
  setNodes(nodes: readonly Tracked[], lastIndex: LogIndex): void {
    const all: Progress[] = [];
    for (const { id, since } of nodes) {
      let progress = this.byId.get(id);
      if (progress === undefined) {
        progress = new Progress(id, since);
        progress.reset(lastIndex);
      }
      all.push(progress);
    }
    this.all = all;
    this.byId = new Map(all.map(progress => [progress.id, progress]));
  }

  reset(lastIndex: LogIndex): void {
    for (const progress of this.all) progress.reset(lastIndex);
  }

  readonly matchOf: NumberOf = id => this.byId.get(id)?.match ?? 0;
  readonly roundOf: NumberOf = id => this.byId.get(id)?.answeredRound ?? 0;
  readonly heardOf = (id: NodeId): boolean => this.byId.get(id)?.recentlyHeard ?? false;
  readonly reachableOf = (id: NodeId): boolean => this.byId.get(id)?.reachable ?? false;
}
