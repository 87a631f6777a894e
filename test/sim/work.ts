/**
 * What workloads share: what one run gives them, which failures they bear, and what an answer to a
 * single call says. The workloads themselves are in files of their own (workloads.ts).
 */
import { ERRORS } from "holdfast-protocol";
import { HoldfastError, LockLostError } from "../../clients/typescript/core/index.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import type { SimClient } from "./client.js";
import type { Recorder } from "./history.js";
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
  nextNumber(): number;
  /** Counts what came of what, so that a run that did nothing is found out. */
  count(what: string): void;
}

export type Workload = (me: SimClient, work: Work) => Promise<void>;

/** Expected failures are counted, everything else ends the run. */
export function tolerate(error: unknown, work: Work, value: string | null, me: SimClient): void {
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
  if (error.code === "OUTCOME_UNKNOWN") {
    sometimes("outcome unknown");
    if (value !== null) me.cluster.truth.mayBe(value);
  }
  if (error.code === "HISTORY_GONE") sometimes("history gone for a watcher");
  if (error.code === "INTERNAL" || error.code === "INVALID_FRAME") throw error;
  if (value !== null && error.outcome === "not-applied")
    me.cluster.truth.mustNotBe(value, `${error.code} (${error.message})`);
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

export const isTransient = (outcome: Outcome): boolean =>
  !outcome.ok &&
  ["UNAVAILABLE", "NO_QUORUM", "OVERLOADED", "SHUTTING_DOWN", "OUTCOME_UNKNOWN"].includes(
    outcome.failure.code,
  );

export function resultOf(outcome: Outcome | null, work: Work): Record<string, unknown> | null {
  if (outcome === null) {
    work.count("plain: no answer");
    return null;
  }
  if (outcome.ok) return outcome.result as unknown as Record<string, unknown>;
  work.count(`plain: ${outcome.failure.code}`);
  if (outcome.failure.code === "INTERNAL") throw new Error(outcome.failure.message);
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
