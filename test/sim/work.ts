/**
 * What workloads share: what one run gives them, which failures they bear, and what an answer to a
 * single call says. The workloads themselves are in files of their own (workloads.ts).
 */
import { ERRORS, type ErrorCode } from "holdfast-protocol";
import { HoldfastError, LockLostError } from "../../clients/typescript/core/index.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import type { SimClient } from "./client.js";
import type { Recorder } from "./history.js";
import { PLAIN } from "./plain.js";
import type { Resources } from "./resource.js";
import { sometimes } from "./sometimes.js";
import { Violation } from "./truth.js";

/** What workloads of one run share. */
export interface Work {
  /** No new work: finish what was begun. */
  readonly isOver: () => boolean;
  readonly resources: Resources;
  /** What is asked and answered, for the checker. */
  readonly history: Recorder;
  /** Limits are drawn so small that answers are forgotten while somebody may still ask for them. */
  readonly forgets: boolean;
  nextNumber(): number;
  /** Counts what came of what, so that a run that did nothing is found out. */
  count(what: string): void;
}

export type Workload = (me: SimClient, work: Work) => Promise<void>;

/**
 * Expected failures are counted, everything else ends the run. `also`: codes that this call may be
 * answered with beside those that any call may; `value`: what it wanted written.
 */
export function tolerate(
  error: unknown,
  work: Work,
  value: string | null,
  me: SimClient,
  also: readonly ErrorCode[] = [],
): void {
  if (error instanceof Violation || !(error instanceof HoldfastError)) {
    if (error === ABORTED) {
      work.count("aborted");
      return;
    }
    throw error;
  }
  work.count(error.code);
  if (error instanceof LockLostError && error.reason === "unproven")
    sometimes("client believed to its very end");
  if (error.code === "OUTCOME_UNKNOWN") sometimes("outcome unknown");
  if (error.code === "HISTORY_GONE") sometimes("history gone for a watcher");
  if (!isExpected(error.code, also, work) && !isForgotten(error.code, me)) throw error;
  if (value !== null) doubt(error, value, me);
}

/** What `error` says of a value that was to be written. */
export function doubt(error: unknown, value: string, me: SimClient): void {
  if (!(error instanceof HoldfastError)) return;
  const { truth } = me.cluster;
  if (error.code === "OUTCOME_UNKNOWN" || error.code === "REQUEST_EXPIRED") truth.mayBe(value);
  if (error.outcome === "not-applied") truth.mustNotBe(value, `${error.code} (${error.message})`);
}

export const ABORTED = new Error("the caller has had enough");

export function abortAfter(me: SimClient, ms: number): AbortSignal {
  const controller = new AbortController();
  me.process.after(ms, () => controller.abort(ABORTED));
  return controller.signal;
}

export const pick = <T>(me: SimClient, from: readonly T[]): T =>
  from[me.random.below(from.length)] as T;

/** What is answered as not applied never may be. */
export function notDone(me: SimClient, outcome: Outcome | null, value: string): void {
  if (outcome === null || outcome.ok) return;
  const { code, message } = outcome.failure;
  if (ERRORS[code].outcome === "not-applied")
    me.cluster.truth.mustNotBe(value, `${code} (${message})`);
}

const TRANSIENT: readonly ErrorCode[] = [
  ...(["UNAVAILABLE", "NO_QUORUM", "OVERLOADED", "SHUTTING_DOWN"] as const),
  "OUTCOME_UNKNOWN",
];
/** Limits are drawn small. */
const FULL: readonly ErrorCode[] = ["STATE_FULL", "REQUESTS_FULL", "IDEMPOTENCY_FULL"];

/** To a call that takes a lock or leads, or that gives it back. */
export const TAKING: readonly ErrorCode[] = [
  "WAIT_TIMEOUT",
  "LOCK_HELD",
  "LEASE_ENDED",
  "NOT_HELD",
];

/** A session's own lease may have ended so long ago that nobody remembers, where few are kept. */
const isForgotten = (code: ErrorCode, { cluster }: SimClient): boolean =>
  code === "NO_SUCH_LEASE" && cluster.drawn.endedLeasesKept < PLAIN.endedLeasesKept;

/** Any other code would be somebody's mistake. */
const isExpected = (code: ErrorCode, also: readonly ErrorCode[], work: Work): boolean =>
  TRANSIENT.includes(code) ||
  FULL.includes(code) ||
  also.includes(code) ||
  (work.forgets && code === "REQUEST_EXPIRED");

export const isTransient = (outcome: Outcome): boolean =>
  !outcome.ok && TRANSIENT.includes(outcome.failure.code);

/** As `tolerate`, of a single call. */
export function resultOf(
  outcome: Outcome | null,
  work: Work,
  also: readonly ErrorCode[] = [],
): Record<string, unknown> | null {
  if (outcome === null) {
    work.count("plain: no answer");
    return null;
  }
  if (outcome.ok) return outcome.result as unknown as Record<string, unknown>;
  const { code, message } = outcome.failure;
  work.count(`plain: ${code}`);
  if (!isExpected(code, also, work))
    throw new Violation(`${code} came, and is no answer: ${message}`);
  return null;
}

/** Calls `end` when work is over and `done` holds; returns what takes it back. */
export function endWhen(
  me: SimClient,
  work: Work,
  done: () => boolean,
  end: () => void,
): () => void {
  let over = false;
  const look = (): void => {
    if (over) return;
    if (work.isOver() && done()) end();
    else me.process.after(100, look);
  };
  me.process.after(100, look);
  return () => {
    over = true;
  };
}
