/**
 * What the leader knows of one follower's log. Knows no messages and no other follower.
 *
 *   probe      one append at a time, until one is accepted
 *   replicate  appends are sent as they come, optimistically, within a window
 *   snapshot   nothing is sent; a snapshot is on its way
 */
import { assert } from "../../base/assert.js";
import { type LogIndex, logIndex, type NodeId } from "../../base/ids.js";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  state: ProgressState = "probe";
  /** The follower holds our log up to here, durably. Never falls within a term. */
  match: LogIndex = logIndex(0);
  /** The next entry to send: 0 <= match < next. In `probe` it is a guess. */
  next: LogIndex = logIndex(1);
  /** In `probe`: one append is out, wait for its answer or a sign of life. */
  paused = false;
  /** The greatest commit index it was sent. */
  sentCommit: LogIndex = logIndex(0);
  /** The newest read round it has answered. */
  answeredRound = 0;
  /** It was heard since CheckQuorum last looked. */
  recentlyHeard = false;
  /** Ticks since it was heard; that it was never heard counts from the beginning of the term. */
  silentTicks = 0;
  /** No link to it is known to be down. Unlike all else here, this outlives terms. */
  reachable = true;
  /** In `snapshot`: the least index the snapshot must have. */
  snapshotIndex: LogIndex = logIndex(0);
  /** In `snapshot`, once it was delivered: ticks left for the follower to say so itself. */
  snapshotTicks = 0;
  /** What `match` was at the last heartbeat answer; if it has not moved since, something was lost. */
  matchAtHeartbeat: LogIndex = logIndex(0);

  /** Its log begins with a snapshot at or after `since`; 0 for a log from the beginning. */
  constructor(
    readonly id: NodeId,
    readonly since: LogIndex,
  ) {}

  /** A new leader knows nothing but its own last index. */
  reset(lastIndex: LogIndex): void {
    this.state = "probe";
    this.match = logIndex(0);
    this.next = logIndex(lastIndex + 1);
    this.paused = false;
    this.sentCommit = logIndex(0);
    this.answeredRound = 0;
    this.heard();
    this.snapshotTicks = 0;
    this.matchAtHeartbeat = logIndex(0);
  }

  heard(): void {
    this.recentlyHeard = true;
    this.silentTicks = 0;
  }

  /** What it has acknowledged is a place to begin; who has not spoken yet in this term is guessed at. */
  becomeProbe(): void {
    const isUnheard = this.state === "probe" && this.match === 0;
    if (!isUnheard) this.next = logIndex(this.match + 1);
    this.state = "probe";
    this.paused = false;
    this.sentCommit = this.match < this.sentCommit ? this.match : this.sentCommit;
  }

  becomeSnapshot(atLeast: LogIndex): void {
    this.state = "snapshot";
    this.snapshotIndex = atLeast;
    this.snapshotTicks = 0;
  }

  /** It holds the log up to `index`. True if that is news. */
  accepted(index: LogIndex): boolean {
    const news = index > this.match;
    if (news) this.match = index;
    if (this.next <= this.match) this.next = logIndex(this.match + 1);
    if (this.state === "probe" && index >= this.match) {
      this.state = "replicate";
      this.next = logIndex(this.match + 1);
    }
    assert(this.next > this.match, "next stays beyond match");
    return news;
  }

  /**
   * It refused an append that followed `index`; up to `agreeing` the logs may still agree. True if
   * the next to be sent moved back; false if the refusal is old news.
   */
  refused(index: LogIndex, agreeing: LogIndex): boolean {
    if (this.state === "snapshot" || index <= this.match) return false;
    if (this.state === "replicate") {
      this.state = "probe";
      this.sentCommit = this.match < this.sentCommit ? this.match : this.sentCommit;
    } else if (index !== this.next - 1) {
      return false;
    }
    this.next = logIndex(Math.max(Math.min(index, agreeing + 1), this.match + 1));
    this.paused = false;
    return true;
  }

  /** `count` entries left for it. */
  sent(count: number): void {
    if (this.state === "replicate") this.next = logIndex(this.next + count);
    else this.paused = true;
  }

  get inFlight(): number {
    return this.next - 1 - this.match;
  }
}
