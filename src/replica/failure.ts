/**
 * The failures that come about in this room, worded once. Those of the state machine come from it.
 */
import type { Failure } from "./coordinator/index.js";

export function unavailable(what: string, leader: string | null): Failure {
  return leader === null
    ? {
        code: "UNAVAILABLE",
        message: `${what}: no leader is known; nothing was done, try again or another node`,
      }
    : {
        code: "UNAVAILABLE",
        message: `${what}: leader ${leader} did not take it in time; nothing was done, try again`,
        details: { leader },
      };
}

export const noQuorum = (what: string): Failure => ({
  code: "NO_QUORUM",
  message: `${what}: this node leads but is cut from a majority; nothing was done, try another node`,
});

export const outcomeUnknown = (why: string): Failure => ({
  code: "OUTCOME_UNKNOWN",
  message: `${why}; the call may or may not have taken effect: read before you repeat it`,
});

export const overloaded = (what: string, limit: number): Failure => ({
  code: "OVERLOADED",
  message: `this node has ${limit} ${what} waiting and takes no more; nothing was done, try later`,
  details: { limit },
});

export const tooMany = (what: string, limit: number): Failure => ({
  code: "TOO_MANY_REQUESTS",
  message: `this connection has ${limit} ${what} and may have no more; wait for answers first`,
  details: { limit },
});

export const tooManyLeases = (limit: number): Failure => ({
  code: "TOO_MANY_REQUESTS",
  message: `this connection has ${limit} leases and may have no more; end one, or use another`,
  details: { limit },
});

export const starting = (): Failure => ({
  code: "UNAVAILABLE",
  message:
    "this node is starting and takes no part yet; nothing was done, try again or another node",
});

export const shuttingDown = (): Failure => ({
  code: "SHUTTING_DOWN",
  message: "this node is stopping; nothing was done, try another node",
});

export const invalid = (parameter: string, message: string): Failure => ({
  code: "INVALID_PARAMETER",
  message,
  details: { parameter },
});
