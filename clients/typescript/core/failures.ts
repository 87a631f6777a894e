/** Failures that the client itself tells of a request: in words that say what to do. */
import { LIMITS } from "holdfast-protocol";
import type { Call } from "./call.js";
import { HoldfastError, OutcomeUnknownError, TRANSIENT, UnavailableError } from "./errors.js";

/** The caller's patience is over; `linkFailure` is why there is no connection, if there is none. */
export function outOfTime(call: Call, linkFailure: string): HoldfastError {
  const last = call.lastFailure;
  const why = last?.message ?? linkFailure;
  const told = why === "" ? "no node answered in time" : `no node could serve it in time: ${why}`;
  if (call.mayHaveTakenEffect) return outcomeUnknown(call, told);
  const message = `${call.op}: ${told}; nothing was applied, try again later`;
  const code = last !== null && TRANSIENT.has(last.code) ? last.code : "UNAVAILABLE";
  // Of a call that was never in doubt each copy was answered, whatever the code says in general.
  const outcome = "not-applied";
  return new UnavailableError({
    code,
    message,
    outcome,
    ...(last === null ? {} : { cause: last }),
  });
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
