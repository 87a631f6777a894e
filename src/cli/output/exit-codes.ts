/**
 * How the command ends, as a number. Two tables: for commands by themselves, and for those that
 * run another command, whose own code must stay visible.
 */
import type { HoldfastError } from "holdfast-client";

export const EXIT = {
  done: 0,
  /** No such key, condition false, nothing there. */
  negative: 1,
  usage: 2,
  /** Unreachable or no quorum; nothing was applied. */
  unreachable: 3,
  /** Refused: limit, invalid, conflict. */
  refused: 4,
  outcomeUnknown: 5,
  /** The answer came, and could not be written to stdout. */
  notWritten: 6,
} as const;

/** For `lock`, `elect` and `once`, which run a command. */
export const HELD_EXIT = {
  notAcquired: 120,
  /** Lost while CMD ran; CMD was stopped. */
  lost: 121,
  /** CMD was not started. */
  outcomeUnknown: 122,
  /** CMD was not started. */
  unreachable: 123,
  ownFailure: 125,
  notExecutable: 126,
  notFound: 127,
} as const;

const NEGATIVE_CODES = new Set([
  "NO_SUCH_KEY",
  "CONDITION_FAILED",
  "NOT_HELD",
  "NO_SUCH_GRANT",
  "NO_SUCH_LEASE",
  "LEASE_ENDED",
  "NO_SUCH_MEMBER",
]);
const UNREACHABLE_CODES = new Set(["UNAVAILABLE", "NO_QUORUM", "SHUTTING_DOWN"]);

/** The exit code that tells what `error` was about. */
export function exitCodeOf(error: HoldfastError): number {
  if (error.outcome === "unknown") return EXIT.outcomeUnknown;
  if (UNREACHABLE_CODES.has(error.code)) return EXIT.unreachable;
  if (NEGATIVE_CODES.has(error.code)) return EXIT.negative;
  return EXIT.refused;
}

/** The same before CMD was started. */
export function heldExitCodeOf(error: HoldfastError): number {
  const code = exitCodeOf(error);
  if (code === EXIT.outcomeUnknown) return HELD_EXIT.outcomeUnknown;
  if (code === EXIT.unreachable) return HELD_EXIT.unreachable;
  return HELD_EXIT.ownFailure;
}
