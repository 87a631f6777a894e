/**
 * The numbers a Raft node runs by. Units stand in the names; a tick is whatever the caller makes
 * it (20 ms in Holdfast).
 */
import { assert } from "../base/assert.js";

export interface RaftOptions {
  readonly heartbeatTicks: number;
  /** Also the span of CheckQuorum, of a leader's stickiness, and of an attempt to hand over. */
  readonly electionTicksMin: number;
  /** Timeouts are drawn from min to max, both included. */
  readonly electionTicksMax: number;
  /** After the link to the leader closed: pre-vote after 0 to this many ticks. */
  readonly failoverTicksMax: number;
  /** Entries of one append message; a single larger entry still goes, alone. */
  readonly messageBytes: number;
  /** Sent to one follower and not yet acknowledged. */
  readonly windowEntries: number;
  readonly windowBytes: number;
  /** Past this much log that is not yet applied here, `propose` refuses with "full". */
  readonly unappliedBytes: number;
  /** Applied entries kept in memory for followers that lag. */
  readonly tailBytes: number;
  /**
   * At most so much is kept for followers that lag and are heard, and for those to whom a snapshot
   * is on its way, who will need what came meanwhile.
   */
  readonly laggardTailBytes: number;
  /** Committed entries handed out by one Ready; at least one. */
  readonly committedBytes: number;
}

const MEBIBYTE = 1024 * 1024;

export const DEFAULT_RAFT_OPTIONS: RaftOptions = {
  heartbeatTicks: 3,
  electionTicksMin: 25,
  electionTicksMax: 50,
  failoverTicksMax: 2,
  messageBytes: MEBIBYTE,
  windowEntries: 1024,
  windowBytes: 8 * MEBIBYTE,
  unappliedBytes: 64 * MEBIBYTE,
  tailBytes: 16 * MEBIBYTE,
  laggardTailBytes: 128 * MEBIBYTE,
  committedBytes: 4 * MEBIBYTE,
};

export function checkOptions(options: RaftOptions): void {
  for (const value of Object.values(options)) {
    assert(Number.isSafeInteger(value) && value >= 0, "Raft's options are whole numbers");
  }
  assert(options.heartbeatTicks >= 1, "a heartbeat takes at least one tick");
  assert(
    options.electionTicksMin > options.heartbeatTicks,
    "an election timeout is longer than a heartbeat",
  );
  assert(options.electionTicksMax >= options.electionTicksMin, "max is at least min");
  assert(options.windowEntries >= 1, "a window holds at least one entry");
}
