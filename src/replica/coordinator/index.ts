/**
 * The coordinator: the replica's one face to the outside. Operations go in as the protocol declares
 * them, already validated; answers and pushed events come out. Knows no HTTP, WebSocket or frame.
 *
 * Strings here are *byte strings* (code units 0–255, see base/ports): keys, values, names, owners,
 * labels, actors. The doors turn text into their UTF-8 form on the way in, and back on the way out:
 * every string of a result, an event, a failure's message or details is read as one.
 *
 * Callbacks never run inside the call that registered them.
 */
import type {
  EndReason,
  ErrorCode,
  OperationName,
  ParamsOf,
  PushedEvent,
  ResultOf,
} from "holdfast-protocol";
import type { LogStatus } from "../../log/port/index.js";

/**
 * A request's identity for at-most-once: sent again under the same identity it takes effect once.
 */
export interface RequestIdentity {
  /** 16 hex digits, 64 random bits a client process. */
  readonly client: string;
  /** The request's number in that process, from 1. */
  readonly number: number;
  /** The lowest number that is still unanswered: answers below it may be forgotten. */
  readonly low: number;
}

/** What comes with one call beside its parameters. */
export interface CallContext {
  /**
   * The number by which pushed events (`position`, `watch`, `observe`, `end`) name this call;
   * unique among the connection's calls under way. Absent is 0.
   */
  readonly id?: number;
  /** Absent: no layer sends the write again, and a lost answer is `OUTCOME_UNKNOWN`. */
  readonly request?: RequestIdentity;
  /** HTTP's own form of the same (1 … 255 bytes). At most one of the two is given. */
  readonly idempotencyKey?: string;
}

/** An operation's failure, as the error table of the protocol declares it. */
export interface Failure {
  readonly code: ErrorCode;
  /** Names what was wrong, where, and what to do. */
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export type Outcome<Name extends OperationName = OperationName> =
  | { readonly ok: true; readonly result: ResultOf<Name> }
  | { readonly ok: false; readonly failure: Failure };

/** A call under way. */
export interface Call {
  /**
   * Gives it up. A wait in line is withdrawn through the log, and `done` still brings the final
   * truth: granted if the grant came first. A stream that stands brings one last event, `end`. Does
   * nothing to a call that is past giving up.
   */
  cancel(): void;
}

/** `ended` when it is over, else `remainingMs`. */
export interface LeaseStanding {
  readonly lease: string;
  readonly remainingMs?: number;
  readonly ended?: { readonly reason: EndReason };
}

/**
 * What one connection (or one HTTP request) holds: its calls under way, its watches, the leases it
 * vouches for. Pushed events (`lost`, `position`, `watch`, …) go to `onEvent`.
 */
export interface Connection {
  /**
   * Starts an operation. `done` is called exactly once, unless the connection was closed before.
   */
  call<Name extends OperationName>(
    operation: Name,
    params: ParamsOf<Name>,
    context: CallContext,
    done: (outcome: Outcome<Name>) => void,
  ): Call;
  /**
   * This connection wants to hear of losses of grants that hang on these leases. Nothing happens on
   * one that takes no events.
   */
  attachLeases(leases: readonly string[]): void;
  /**
   * How these leases stand, in the order named, all with one read; null when no leader could tell
   * in time. It is no call: it counts among none and cannot be given up.
   */
  leaseStandings(
    leases: readonly string[],
    done: (standings: readonly LeaseStanding[] | null) => void,
  ): void;
  /**
   * What waits to be sent on this connection is too much: its streams (`watch`, `observe`) stand
   * still, cost nothing, and catch up from the history once `resumeStreams` is called. Answers and
   * other events still come.
   */
  holdStreams(): void;
  resumeStreams(): void;
  /**
   * The connection is gone; no callback follows. `abandon`: its caller has gone without the answer
   * (an HTTP request that was hung up). Places in line are given up, whatever their lease, and a
   * grant is released that came first and was not told, or told on a connection without events,
   * where it counts as taken only by `close(false)`. The lease itself is left alone, and so is what
   * an Idempotency-Key keeps. Without `abandon` places stay until their lease has run out.
   */
  close(abandon: boolean): void;
}

export interface CoordinatorStatus extends LogStatus {
  /** Where clients reach the leader; absent while none is known, or its URLs are not. */
  readonly leaderUrls?: readonly string[];
  readonly revision: number;
  readonly clusterTimeMs: number;
  /** "ready": serves linearizable requests as far as it knows; "no-quorum": no leader is known. */
  readonly state: "starting" | "ready" | "no-quorum" | "stopping";
  /** Counts by kind, for /metrics: names are stable, units stand in the name. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Durations, counted. */
export interface Tally {
  readonly boundsMs: readonly number[];
  /** How many were at most so long and longer than the bound before; one more, for all above. */
  readonly counts: ArrayLike<number>;
  readonly sumMs: number;
}

/** What became of the locks whose names have one first segment, while this node led. */
export interface LineTally {
  /** The segment; null: of all for which there was no room. */
  readonly group: string | null;
  /** How long those who were granted had stood in line. */
  readonly waited: Tally;
  readonly held: Tally;
  /** How often a grant ended, by its reason. */
  readonly ends: ReadonlyMap<EndReason, number>;
}

export interface Coordinator {
  /**
   * With null it takes no events and belongs to no one client: either many callers' short calls
   * share it, or it is a single call's own, which is closed with it (HTTP). No lease is attached to
   * it, and it has no bound of its own on calls and leases: whoever shares it out bounds each of
   * the callers, and what may be under way in a node (commands, reads, questions about leases,
   * waits) is bounded for all connections together.
   */
  connect(onEvent: ((event: PushedEvent) => void) | null): Connection;
  status(): CoordinatorStatus;
  /** For /metrics. */
  tallies(): readonly LineTally[];
  /** `done(true)` when a read round was confirmed by the leader and applied here. */
  probe(done: (confirmed: boolean) => void): void;
}
