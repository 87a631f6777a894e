/** Failures, as the doors tell them: from the error table, with an id that the node's log knows. */
import { ERRORS, type ErrorCode, type WireError } from "holdfast-protocol";
import type { Failure } from "../../replica/coordinator/index.js";
import type { Border } from "./text.js";

/** A call that a door refuses by itself, before it reaches the coordinator. */
export class Refusal extends Error implements Failure {
  override readonly name = "Refusal";
  readonly code: ErrorCode;
  readonly details?: Readonly<Record<string, unknown>>;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    if (failure.details !== undefined) this.details = failure.details;
  }
}

/** `failure` with what the table says of its code. */
export function wireError(failure: Failure, requestId: string, border: Border): WireError {
  const { retryable, outcome } = ERRORS[failure.code];
  const error = {
    code: failure.code,
    message: border.message(failure.message),
    retryable,
    outcome,
    requestId,
  };
  if (failure.details === undefined) return error;
  return { ...error, details: border.outward(failure.details) };
}

/** Of a read, which may be refused when it is done, since nothing was applied. */
export const tooMuchUnread = (limitBytes: number): Failure => ({
  code: "TOO_MANY_REQUESTS",
  message: `answers of more than ${limitBytes} bytes wait to be read; ask for less at once`,
  details: { limitBytes },
});

/** A failure with the table's own sentence. */
export const plainFailure = (code: ErrorCode): Failure => ({ code, message: ERRORS[code].message });
