/**
 * What is drawn for a cluster, by name, and what it has when nothing is. Imports nothing of the
 * product, so that the tool can read it without loading that.
 */

/** What is drawn, each under a name of its own, so that a script may set it. */
export interface Drawn {
  readonly snapshotAfterBytes: number;
  readonly snapshotSliceBytes: number;
  readonly tailBytes: number;
  readonly windowEntries: number;
  readonly messageBytes: number;
  readonly committedBytes: number;
  readonly segmentKiB: number;
  readonly pieceKiB: number;
  readonly synchronousBytes: number;
  readonly sliceEntries: number;
  readonly historyRevisions: number;
  readonly delayMs: readonly [number, number];
  readonly syncMs: readonly [number, number];
}

/** What a cluster has when nothing is drawn: a shrunk run goes back to it where it can. */
export const PLAIN: Drawn = {
  snapshotAfterBytes: 1_000_000,
  snapshotSliceBytes: 16 * 1024,
  tailBytes: 16 * 1024 * 1024,
  windowEntries: 1024,
  messageBytes: 1024 * 1024,
  committedBytes: 4 * 1024 * 1024,
  segmentKiB: 256,
  pieceKiB: 16,
  synchronousBytes: 0,
  sliceEntries: 256,
  historyRevisions: 400,
  delayMs: [0, 1],
  syncMs: [0, 1],
};

/** What the adversary may be up to: see adversary.ts. */
export const PLANS = [
  "powerStorm",
  "leaderHunt",
  "musicalChairs",
  "emptyDisk",
  "figureEight",
  "doubleVote",
  "lonelyCopy",
  "stallingLeader",
  "silentLeader",
] as const;
export type Plan = (typeof PLANS)[number];
