/** Failures that the client itself tells of a request: in words that say what to do. */
import { type ErrorCode, LIMITS } from "holdfast-protocol";
import type { Call } from "./call.js";
import {
  HoldfastError,
  OutcomeUnknownError,
  TRANSIENT,
  UnavailableError,
  WaitTimeoutError,
} from "./errors.js";

/** The caller's patience is over; `linkFailure` is why there is no connection, if there is none. */
export function outOfTime(call: Call, linkFailure: string): HoldfastError {
  const last = call.lastFailure;
  const told = whyOf(call, linkFailure);
  if (call.mayHaveTakenEffect) return outcomeUnknown(call, told);
  const message = `${call.op}: ${told}; nothing was applied, try again later`;
  // Of a call that was never in doubt each copy was answered, whatever the code says in general.
  const outcome = "not-applied";
  return new UnavailableError({
    code: transientCodeOf(call),
    message,
    outcome,
    ...(last === null ? {} : { cause: last }),
  });
}

/**
 * There was no lease in time, so what was to hang on it never left, and one that comes later is
 * given back: whatever became of `grant`, the caller's request had no effect.
 */
export function noLease(grant: Call, linkFailure: string): UnavailableError {
  const why = whyOf(grant, linkFailure);
  const message = `no lease: ${grant.op}: ${why}; nothing was applied, try again later`;
  const cause = grant.lastFailure;
  return new UnavailableError({
    code: transientCodeOf(grant),
    message,
    outcome: "not-applied",
    ...(cause === null ? {} : { cause }),
  });
}

function whyOf({ lastFailure }: Call, linkFailure: string): string {
  const why = lastFailure?.message ?? linkFailure;
  return why === "" ? "no node answered in time" : `no node could serve it in time: ${why}`;
}

function transientCodeOf({ lastFailure }: Call): ErrorCode {
  return lastFailure !== null && TRANSIENT.has(lastFailure.code) ? lastFailure.code : "UNAVAILABLE";
}

/** It was sent, and nobody will tell what became of it. */
export function outcomeUnknown(call: Call, why: string): OutcomeUnknownError {
  const message = `${call.op}: ${why}; it may or may not have taken effect, so read back first`;
  const cause = call.lastFailure;
  return new OutcomeUnknownError({
    code: "OUTCOME_UNKNOWN",
    message,
    ...(cause === null ? {} : { cause }),
  });
}

/** Its time in line was over before it stood there, or before it stood there anew. */
export function waitOver(call: Call): WaitTimeoutError {
  const message = `${call.op}: not granted within its waitMs; it has no place in line`;
  return new WaitTimeoutError({ code: "WAIT_TIMEOUT", message });
}

/** A wait without bound is not held back: nobody could tell when it would stand in line at all. */
export function tooManyWaits(call: Call, limit: number): UnavailableError {
  const message =
    `${call.op}: ${limit} waits of this client stand in line already; ` +
    "use another client for more, or bound it by waitMs";
  return new UnavailableError({ code: "TOO_MANY_REQUESTS", message, details: { limit } });
}

export function tooLarge(bytes: number): HoldfastError {
  const message = `the request has ${bytes} bytes and a frame at most ${LIMITS.frameBytes}: split it`;
  return new HoldfastError({
    code: "FRAME_TOO_LARGE",
    message,
    details: { limitBytes: LIMITS.frameBytes },
  });
}

export function notEncodable(error: unknown): HoldfastError {
  const why = error instanceof Error ? error.message : String(error);
  const message = `the request holds something that cannot be sent: ${why}`;
  return new HoldfastError({ code: "INVALID_PARAMETER", message, cause: error });
}
