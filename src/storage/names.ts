/** The names of the files in a data directory, and which are which. Zero-padded, so that they sort. */
import { type LogIndex, logIndex, type Term, term } from "../base/ids.js";

export const IDENTITY_NAME = "identity";
export const PART_SUFFIX = ".part";
export const DAMAGED_SUFFIX = ".damaged";

const digits = (value: number): string => String(value).padStart(16, "0");

export const segmentName = (sequence: number): string => `segment-${digits(sequence)}`;
export const snapshotName = (index: LogIndex, atTerm: Term): string =>
  `snapshot-${digits(index)}-${digits(atTerm)}`;

export interface SnapshotName {
  readonly name: string;
  readonly index: LogIndex;
  readonly term: Term;
}

/** A directory's files sorted out; names of no known form are nobody's business and left alone. */
export interface DirectoryListing {
  readonly hasIdentity: boolean;
  /** Ascending. */
  readonly segments: readonly number[];
  /** Newest first. */
  readonly snapshots: readonly SnapshotName[];
  readonly parts: readonly string[];
}

const SEGMENT_FORM = /^segment-(\d{16})$/;
const SNAPSHOT_FORM = /^snapshot-(\d{16})-(\d{16})$/;

export function sortNames(names: readonly string[]): DirectoryListing {
  const segments: number[] = [];
  const snapshots: SnapshotName[] = [];
  for (const name of names) {
    const segment = SEGMENT_FORM.exec(name);
    if (segment !== null) segments.push(Number(segment[1]));
    const snapshot = SNAPSHOT_FORM.exec(name);
    if (snapshot === null) continue;
    const index = Number(snapshot[1]);
    const atTerm = Number(snapshot[2]);
    if (!Number.isSafeInteger(index) || !Number.isSafeInteger(atTerm)) continue;
    snapshots.push({ name, index: logIndex(index), term: term(atTerm) });
  }
  segments.sort((a, b) => a - b);
  snapshots.sort((a, b) => b.index - a.index || b.term - a.term);
  return {
    hasIdentity: names.includes(IDENTITY_NAME),
    segments,
    snapshots,
    parts: names.filter(name => name.endsWith(PART_SUFFIX)),
  };
}
