/**
 * The error table: every failure that a client can meet, declared once. HTTP statuses, the
 * client's error classes and docs/ERRORS.md follow from it, and a test holds them equal. It is not
 * for bugs: a programmer's error stops the process and never becomes one of these, save `INTERNAL`.
 */

export interface ErrorDeclaration {
  /** The status that an HTTP answer with this error has. */
  readonly httpStatus: number;
  /** Whether the same call, sent again unchanged, may succeed. */
  readonly retryable: boolean;
  /** What is known of the call's effect: it certainly had none, or nobody can tell. */
  readonly outcome: "not-applied" | "unknown";
  /** One sentence for people; an answer's own message says which, where and what to do. */
  readonly message: string;
  /** What `details` holds, for docs; "" when it is absent. */
  readonly details: string;
}

type Outcome = ErrorDeclaration["outcome"];

function declare(
  httpStatus: number,
  retryable: boolean,
  outcome: Outcome,
  message: string,
  details = "",
): ErrorDeclaration {
  return { httpStatus, retryable, outcome, message, details };
}

const never = "not-applied";

export const ERRORS = {
  // Locks, elections and leases.
  LOCK_HELD: declare(
    409,
    true,
    never,
    "The lock is held, and the call did not want to wait.",
    "name, position, holders",
  ),
  WAIT_TIMEOUT: declare(
    409,
    true,
    never,
    "The time to wait is over; the place in line is given up.",
    "position, holders",
  ),
  NOT_HELD: declare(
    409,
    false,
    never,
    "The grant does not stand (any more), is still `waiting`, or was `never` made.",
    "reason, currentToken?, by?, why?",
  ),
  ALREADY_IN_LINE: declare(
    409,
    false,
    never,
    "This lease and actor already stand in this line; there is no reentrancy.",
    "key, mode",
  ),
  ONE_ENTRY_PER_LINE: declare(
    409,
    false,
    never,
    "A command may create only one entry in a line.",
    "name",
  ),
  RULE_MISMATCH: declare(
    409,
    false,
    never,
    "The line has another rule than the one asked for.",
    "name, rule",
  ),
  NO_UPGRADE: declare(
    409,
    false,
    never,
    "This lease and actor stand in this line in another mode: release that first, there is no upgrade.",
    "key, mode",
  ),
  DEADLOCK: declare(
    409,
    true,
    never,
    "The wait would never end: those who hold wait, over others, for this very actor.",
    "members (each with lease, actor, owner?, key?, waitsFor?)",
  ),
  AMBIGUOUS_GRANT: declare(
    409,
    false,
    never,
    "Shared grants have one token together: name this one by its key.",
    "name, token",
  ),
  NOT_IN_LINE: declare(
    409,
    false,
    never,
    "The entry that is to be next does not wait in that line.",
    "key, name?",
  ),
  NOT_MOVABLE: declare(
    409,
    false,
    never,
    "An entry ahead cannot be given another place: it stands in other lines too, or is a plain key.",
    "key",
  ),
  SLOT_TAKEN: declare(
    409,
    true,
    never,
    "Another has claimed this run and works on it.",
    "job, slot, holders",
  ),
  SLOT_CLOSED: declare(
    409,
    false,
    never,
    "This run is over, or so old that it is never granted again.",
    "job, slot, outcome?, note?, floor?",
  ),
  SLOT_LATE: declare(
    409,
    false,
    never,
    "It is later than the run was scheduled for by more than the claim allows.",
    "job, slot, lateMs",
  ),
  NOT_A_CLAIM: declare(409, false, never, "The grant is no claim of a job's run.", "key"),
  NO_SUCH_GRANT: declare(
    404,
    false,
    never,
    "There never was such a grant.",
    "name?, token?, key?, reason?",
  ),
  CANCELLED: declare(409, false, never, "The caller gave the wait up before it was granted.", ""),
  LEASE_ENDED: declare(410, false, never, "The lease has ended.", "lease, reason"),
  LEASE_EXISTS: declare(409, false, never, "A lease with this id exists already.", "lease"),
  NO_SUCH_LEASE: declare(
    404,
    false,
    never,
    "There is no such lease, or it ended so long ago that it is forgotten.",
    "lease",
  ),
  LEASE_FULL: declare(429, false, never, "The lease carries as many keys as a lease may.", "limit"),
  // The keyspace.
  NO_SUCH_KEY: declare(404, false, never, "There is no such key.", "key, revision"),
  CONDITION_FAILED: declare(
    412,
    false,
    never,
    "A condition of the call is false.",
    "current? (the record as it is), revision",
  ),
  ENTRY_PROTECTED: declare(
    409,
    false,
    never,
    "The key is an entry of a line: a put may change its value only, never its lease.",
    "key",
  ),
  RESERVED_NAME: declare(
    400,
    false,
    never,
    "A key whose last segment is 20 digits can only be made by kv.append.",
    "key",
  ),
  HISTORY_GONE: declare(
    410,
    false,
    never,
    "The revision asked for has left the window of history; `revision` is the present one.",
    "oldestRevision, revision",
  ),
  REVISION_IN_FUTURE: declare(
    400,
    false,
    never,
    "The revision asked for has not been reached.",
    "revision",
  ),
  STATE_FULL: declare(
    429,
    false,
    never,
    "The state has reached its byte limit (`limitBytes`), or has as many leases, or entries of " +
      "those who stand in several lines, as it may (`limit`), or has looked for circles among many of " +
      "those as often as it does at once (`looks`); deletes, releases and ends of leases still work. " +
      "Once there is room, ask under a new Idempotency-Key: the old one keeps this answer.",
    "limitBytes? or limit? or looks?",
  ),
  TOO_MANY_KEYS: declare(
    400,
    false,
    never,
    "One command may change at most so many keys, and look at at most so many in its steps; it asks " +
      "at most so many who hold, and lets one go before at most so many who stand ahead.",
    "limit, holderCount?, ahead?",
  ),
  // Requests.
  REQUEST_EXPIRED: declare(
    409,
    false,
    "unknown",
    "The request's number is below the window of kept answers: not executed now, before unknown.",
    "low",
  ),
  REQUEST_ID_REUSED: declare(
    422,
    false,
    never,
    "The request id or Idempotency-Key was used for another request before.",
    "",
  ),
  IDEMPOTENCY_FULL: declare(
    429,
    true,
    "unknown",
    "The table of Idempotency-Keys is full; none is dropped early. This copy of the call did " +
      "nothing, one sent before may: ask again under the same key.",
    "limit",
  ),
  REQUESTS_FULL: declare(
    429,
    true,
    "unknown",
    "The table of clients' answers is full; none is dropped early. This copy of the call did " +
      "nothing, one sent before may: ask again under the same number.",
    "limit",
  ),
  // The cluster.
  UNAVAILABLE: declare(
    503,
    true,
    never,
    "The node cannot serve: no leader is known, or none confirmed in time.",
    "leader?",
  ),
  NO_QUORUM: declare(503, true, never, "The node leads but is cut from a majority.", ""),
  OVERLOADED: declare(503, true, never, "The node has as much work waiting as it takes.", "limit?"),
  SHUTTING_DOWN: declare(503, true, never, "The node is stopping.", ""),
  NO_SUCH_MEMBER: declare(
    404,
    false,
    never,
    "The cluster has no member of that id or name.",
    "member",
  ),
  MEMBER_EXISTS: declare(
    409,
    false,
    never,
    "A member of the cluster has that name or one of those peer URLs.",
    "member, name",
  ),
  MEMBERS_FULL: declare(
    429,
    false,
    never,
    "The cluster has as many members as it may have.",
    "limit",
  ),
  NOT_A_LEARNER: declare(409, false, never, "The member votes already.", "member"),
  LEARNER_BEHIND: declare(
    409,
    true,
    never,
    "The learner has not started, or not caught up with the log.",
    "member",
  ),
  CHANGE_PENDING: declare(
    409,
    true,
    never,
    "Another change of the members is under way; there is one at a time.",
    "",
  ),
  WOULD_LOSE_QUORUM: declare(
    409,
    true,
    never,
    "Too few of those who would vote after the change can be reached now.",
    "member",
  ),
  LAST_VOTER: declare(409, false, never, "Nobody would be left who votes.", "member"),
  NOT_A_VOTER: declare(409, false, never, "Only a voter can lead.", "member"),
  NOT_TAKEN_OVER: declare(
    503,
    true,
    never,
    "Nobody took leadership over within an election timeout.",
    "member?",
  ),
  OUTCOME_UNKNOWN: declare(
    504,
    false,
    "unknown",
    "The call was sent on and its answer was lost: it may or may not have taken effect.",
    "",
  ),
  INTERNAL: declare(
    500,
    false,
    "unknown",
    "The node has met a bug of its own; its log tells more under the request id.",
    "",
  ),
  // The call itself.
  INVALID_PARAMETER: declare(
    400,
    false,
    never,
    "A parameter is missing, of the wrong type or out of its bounds.",
    "parameter",
  ),
  UNKNOWN_FIELD: declare(
    400,
    false,
    never,
    "The call has a field that the operation does not know.",
    "field, didYouMean?",
  ),
  UNKNOWN_OPERATION: declare(
    404,
    false,
    never,
    "There is no such operation.",
    "operation, didYouMean?",
  ),
  NOT_FOUND: declare(404, false, never, "There is nothing at this path.", ""),
  METHOD_NOT_ALLOWED: declare(405, false, never, "This path does not answer this method.", "allow"),
  INVALID_REQUEST: declare(
    400,
    false,
    never,
    "The request is not one that the node can read: broken HTTP, an encoding or upgrade it lacks.",
  ),
  INVALID_JSON: declare(400, false, never, "The body is not JSON.", ""),
  INVALID_FRAME: declare(
    400,
    false,
    never,
    "A frame or a message in it cannot be decoded; the connection is closed.",
    "",
  ),
  KEY_TOO_LARGE: declare(
    413,
    false,
    never,
    "The key, prefix or name is longer than keys may be.",
    "limitBytes",
  ),
  VALUE_TOO_LARGE: declare(
    413,
    false,
    never,
    "The value is longer than values may be.",
    "limitBytes",
  ),
  BODY_TOO_LARGE: declare(
    413,
    false,
    never,
    "The body is longer than bodies may be.",
    "limitBytes",
  ),
  FRAME_TOO_LARGE: declare(
    413,
    false,
    never,
    "The frame is longer than frames may be.",
    "limitBytes",
  ),
  RESULT_TOO_LARGE: declare(
    413,
    false,
    never,
    "The answer would not fit in a frame, or needs a look at too many keys; ask for less at a time.",
    "limitBytes? or limit?",
  ),
  TOO_MANY_REQUESTS: declare(
    429,
    true,
    never,
    "The connection has as many requests under way, as many leases, or as many bytes of answers " +
      "to read as it may have.",
    "limit? or limitBytes?",
  ),
  TOO_MANY_CONNECTIONS: declare(
    429,
    true,
    never,
    "The node has as many connections as it takes.",
    "limit",
  ),
  TOO_MANY_WATCHES: declare(
    429,
    false,
    never,
    "The connection or the node has as many watches as it may have.",
    "limit",
  ),
  SLOW_READER: declare(
    429,
    true,
    "unknown",
    "The connection reads too slowly; what waited for it passed the limit and it is closed.",
    "limitBytes",
  ),
  HEADERS_TOO_LARGE: declare(
    431,
    false,
    never,
    "The request's line and headers are longer than the node takes; long keys go into a body.",
    "limitBytes",
  ),
  REQUEST_TIMEOUT: declare(
    400,
    true,
    never,
    "The request did not arrive in time; the connection is closed.",
    "",
  ),
  FORBIDDEN_ORIGIN: declare(
    403,
    false,
    never,
    "A browser's page from this origin may not use the node; see --allowed-origins.",
    "origin",
  ),
  FORBIDDEN_HOST: declare(
    403,
    false,
    never,
    "The Host header names none of this node's hosts; see --allowed-hosts.",
    "host",
  ),
} as const satisfies Record<string, ErrorDeclaration>;

export type ErrorCode = keyof typeof ERRORS;

/** True for the codes of this table: an unknown one comes from a newer node. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERRORS, value);
}

/** An error as it travels, over HTTP within `{"error": …}`, over WebSocket within `{id, error}`. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly outcome: Outcome;
  /** Names the call in the node's log. */
  readonly requestId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}
