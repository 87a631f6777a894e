/**
 * How many clients may be connected at once, by the descriptors that this process may have: each
 * connection takes one, and a log that cannot open its next file ends the node. Node itself raises
 * the soft limit to the hard one at its start, so what is read here is all there is. Linux only,
 * from /proc; elsewhere it is not known, and nothing is bounded.
 */
import { readFileSync } from "node:fs";
import { LIMITS } from "../base/limits.js";

/** Of Node itself (some 25), of the log, its snapshots and the listeners. */
const OWN = 64;
/** To and from each other member one, and the streams of snapshots. */
const PEERS = 2 * LIMITS.maxMembers + 2;
/** What is never given to clients. */
export const RESERVED = OWN + PEERS + LIMITS.maxStrangerConnections;

/** However small the limit, an operator gets in. */
const LEAST = 16;

/** The soft limit on open files in the text of /proc/<pid>/limits; null: unlimited, or not told. */
export function openFilesIn(limits: string): number | null {
  const soft = /^Max open files +(\d+) /m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}

export function descriptorsAllowed(): number | null {
  try {
    return openFilesIn(readFileSync("/proc/self/limits", "latin1"));
  } catch {
    return null; // no /proc here
  }
}

/** Null: as many as the limits of the doors allow, `wanted` in all. */
export function connectionsWithin(allowed: number | null, wanted: number): number | null {
  if (allowed === null || allowed - RESERVED >= wanted) return null;
  return Math.max(LEAST, allowed - RESERVED);
}
