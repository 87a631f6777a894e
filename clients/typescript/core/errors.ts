/**
 * The errors that callers meet. They follow the protocol's error table; `instanceof` goes by a mark
 * on the object, so that it holds across two copies of the package.
 */
import {
  ERRORS,
  type ErrorCode,
  type Holder,
  isErrorCode,
  type WireError,
} from "holdfast-protocol";

const MARK = Symbol.for("holdfast-client.errors");

interface Marked {
  readonly [MARK]?: readonly string[];
}

export interface HoldfastErrorFields {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable?: boolean;
  readonly outcome?: "not-applied" | "unknown";
  readonly details?: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  readonly cause?: unknown;
}

/** Anything that a Holdfast cluster, or the way to it, refused or failed to do. */
export class HoldfastError extends Error {
  static readonly kind: string = "HoldfastError";
  override readonly name: string = "HoldfastError";
  /** From the error table (docs/ERRORS.md). */
  readonly code: ErrorCode;
  /** Whether the same call, made again unchanged, may succeed. */
  readonly retryable: boolean;
  /** What is known of the call's effect: it had none, or nobody can tell. */
  readonly outcome: "not-applied" | "unknown";
  readonly details: Readonly<Record<string, unknown>>;
  /** Names the call in the node's log. */
  declare readonly requestId?: string;

  constructor(fields: HoldfastErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    const declared = ERRORS[fields.code];
    this.code = fields.code;
    this.retryable = fields.retryable ?? declared.retryable;
    this.outcome = fields.outcome ?? declared.outcome;
    this.details = fields.details ?? {};
    if (fields.requestId !== undefined) this.requestId = fields.requestId;
    Object.defineProperty(this, MARK, { value: kindsOf(new.target) });
  }

  /** By the mark, not by the prototype: true for an error that another copy of the package made. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that was asked, not this one.
    return isMarked(this, value);
  }
}

/** The wait is over, or there was none (`LOCK_HELD`): not granted, and no place in line is kept. */
export class WaitTimeoutError extends HoldfastError {
  static override readonly kind: string = "WaitTimeoutError";
  override readonly name: string = "WaitTimeoutError";
  /** The place in line at the end; 1 was next. 0: the node did not say. */
  readonly position: number;
  readonly holders: readonly Holder[];

  constructor(fields: HoldfastErrorFields) {
    super(fields);
    const { position, holders } = this.details;
    this.position = typeof position === "number" ? position : 0;
    this.holders = Array.isArray(holders) ? (holders as readonly Holder[]) : [];
  }
}

/**
 * expired: the lease ran out. revoked: the lease was revoked, the session closed, or somebody else
 * released the grant. broken: somebody broke the grant or deleted its key. unproven: the cluster
 * was not heard of for so long that the lease may have run out (`details.cause` says what
 * happened).
 */
export type LossReason = "expired" | "revoked" | "broken" | "unproven";

/** A grant does not stand any more, or cannot be proven to. */
export class LockLostError extends HoldfastError {
  static override readonly kind: string = "LockLostError";
  override readonly name: string = "LockLostError";
  readonly reason: LossReason;

  constructor(reason: LossReason, fields: Omit<HoldfastErrorFields, "code">) {
    super({ ...fields, code: "NOT_HELD", details: { reason, ...fields.details } });
    this.reason = reason;
  }
}

/** The reason of a `yieldSignal`: somebody asked the holder to hand over, and nothing has ended. */
export class YieldAsked extends Error {
  override readonly name: string = "YieldAsked";
  /** Who asked, and why, as they said. */
  declare readonly by?: string | undefined;
  declare readonly why?: string | undefined;
  /** How long they mean to wait, from when this was heard. */
  readonly graceMs: number;

  constructor(lock: string, ask: Readonly<Record<string, unknown>>) {
    const { by, why, graceMs } = ask;
    const who = typeof by === "string" ? by : "somebody";
    super(`${lock}: ${who} asks to hand over${typeof why === "string" ? ` (${why})` : ""}`);
    if (typeof by === "string") this.by = by;
    if (typeof why === "string") this.why = why;
    this.graceMs = typeof graceMs === "number" ? graceMs : 0;
  }
}

/** It may or may not have taken effect: read back before doing it again. */
export class OutcomeUnknownError extends HoldfastError {
  static override readonly kind: string = "OutcomeUnknownError";
  override readonly name: string = "OutcomeUnknownError";
}

/** No node could serve it in time. It had no effect. */
export class UnavailableError extends HoldfastError {
  static override readonly kind: string = "UnavailableError";
  override readonly name: string = "UnavailableError";
}

type ErrorClass = typeof HoldfastError;

function isMarked(asked: ErrorClass, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  // A class that a user derived has no kind of its own: then the prototype decides, as usual.
  if (!Object.hasOwn(asked, "kind"))
    return Object.prototype.isPrototypeOf.call(asked.prototype, value);
  return (value as Marked)[MARK]?.includes(asked.kind) === true;
}

function kindsOf(start: ErrorClass): readonly string[] {
  const kinds: string[] = [];
  for (let at = start; ; at = Object.getPrototypeOf(at) as ErrorClass) {
    if (Object.hasOwn(at, "kind")) kinds.push(at.kind);
    if (at === HoldfastError) return kinds;
  }
}

/** What a node answers while it cannot serve, or not now: worth asking again. */
export const TRANSIENT: ReadonlySet<string> = new Set<ErrorCode>([
  "UNAVAILABLE",
  "NO_QUORUM",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "TOO_MANY_REQUESTS",
  "TOO_MANY_CONNECTIONS",
  "REQUESTS_FULL",
  "IDEMPOTENCY_FULL",
]);

/** A {@link WireError} as far as it was held against its shape. */
export type TakenError = Partial<Readonly<Record<keyof WireError, unknown>>>;

/**
 * An error from the wire as the class that callers catch. A code of a newer node is `INTERNAL`, and
 * so is one that is no text.
 */
export function errorFrom(wire: TakenError): HoldfastError {
  const told = typeof wire.code === "string" ? wire.code : "";
  const code: ErrorCode = isErrorCode(told) ? told : "INTERNAL";
  const details = {
    ...(typeof wire.details === "object" ? wire.details : {}),
    ...(isErrorCode(told) ? {} : { code: wire.code }),
  };
  const fields: HoldfastErrorFields = {
    code,
    message: typeof wire.message === "string" ? `${code}: ${wire.message}` : code,
    retryable: wire.retryable === true,
    outcome: wire.outcome === "unknown" ? "unknown" : "not-applied",
    details,
    ...(typeof wire.requestId === "string" ? { requestId: wire.requestId } : {}),
  };
  if (code === "WAIT_TIMEOUT" || code === "LOCK_HELD") return new WaitTimeoutError(fields);
  if (fields.outcome === "unknown") return new OutcomeUnknownError(fields);
  if (TRANSIENT.has(code)) return new UnavailableError(fields);
  return new HoldfastError(fields);
}

/** Why an entry or lease ended, in the four words that a holder needs. */
export function lossReason(endReason: unknown): LossReason {
  if (endReason === "broken" || endReason === "deleted") return "broken";
  if (endReason === "revoked" || endReason === "released") return "revoked";
  return "expired";
}
