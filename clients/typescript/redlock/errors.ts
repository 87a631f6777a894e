/** The two errors of redlock's surface. Wrong arguments are a `HoldfastError`, before anything is sent. */
import { HoldfastError } from "../core/index.js";
import type { Attempts } from "./surface.js";

/** Somebody else holds one of the resources. `cause` tells who, where the cluster said so. */
export class ResourceLockedError extends Error {
  override readonly name = "ResourceLockedError";
}

/**
 * An acquire, extend or release did not come about, or a lock was lost: `cause` says why. For a
 * lost lock that is a `LockLostError`.
 */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";
  readonly attempts: Attempts;
  /**
   * "unknown": the request was sent, and nobody can tell whether it took effect. What it may have
   * left behind ends by itself within the duration.
   */
  readonly outcome: "not-applied" | "unknown";

  constructor(message: string, attempts: Attempts, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.attempts = attempts;
    this.outcome = isUnknown(cause) ? "unknown" : "not-applied";
  }
}

function isUnknown(cause: unknown): boolean {
  return (
    (cause instanceof HoldfastError || cause instanceof ExecutionError) &&
    cause.outcome === "unknown"
  );
}

/** A wrong argument: the same code and details as the client's own. */
export function invalid(parameter: string, expected: string): HoldfastError {
  return new HoldfastError({
    code: "INVALID_PARAMETER",
    message: `${parameter} must be ${expected}`,
    details: { parameter },
  });
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
