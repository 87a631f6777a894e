/**
 * What one client waits for, by the frames that pass: whether the clock should go on because it is
 * owed an answer that a healthy cluster gives at once. Waits in line and keep-alives are owed none:
 * those are what a test turns the clock for. It only looks; frames go their way without it.
 */
import { type ErrorCode, isOperationName, OPERATION_KINDS } from "holdfast-protocol";

/** What the client asks again after a while, without telling its caller. */
const ASKED_AGAIN: ReadonlySet<unknown> = new Set<ErrorCode>([
  "UNAVAILABLE",
  "NO_QUORUM",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "TOO_MANY_REQUESTS",
  "TOO_MANY_CONNECTIONS",
  "REQUESTS_FULL",
  "IDEMPOTENCY_FULL",
]);
/** The client's longest pause between two rounds of dialling, and a little. */
const LONGEST_PAUSE_MS = 2_100;

/** A message of either side, as far as it is looked at here. */
export interface Message {
  readonly id?: number;
  readonly op?: string;
  readonly params?: { readonly waitMs?: number };
  readonly low?: number;
  readonly ok?: unknown;
  readonly error?: { readonly code?: unknown };
  readonly welcome?: unknown;
}

interface Asked {
  readonly sinceMs: number;
  isOwed: boolean;
}

export class Traffic {
  /** So long after it was first asked a call is owed an answer; the client has given it up then. */
  readonly #patienceMs: number;
  readonly #asked = new Map<number, Asked>();
  #isOpen = false;
  /** When the search for a node began that goes on now. */
  #seeksSinceMs: number | null = null;
  #dialsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  isOwed(nowMs: number): boolean {
    if (!this.#isOpen) return nowMs < Math.min(this.#dialsUntilMs, this.#seekingEndsMs());
    for (const { isOwed, sinceMs } of this.#asked.values())
      if (isOwed && nowMs < sinceMs + this.#patienceMs) return true;
    return false;
  }

  /** It has asked for what is not answered yet, owed or not. */
  get waits(): boolean {
    return this.#asked.size > 0;
  }

  #seekingEndsMs(): number {
    return (this.#seeksSinceMs ?? Number.NEGATIVE_INFINITY) + this.#patienceMs;
  }

  /** It dials; sooner or later that is answered, or given up. */
  dialled(nowMs: number): void {
    this.#seeksSinceMs ??= nowMs;
    this.#dialsUntilMs = Number.POSITIVE_INFINITY;
  }

  /** Its connection is gone, or never stood: it may dial again after a pause, or rest. */
  lost(nowMs: number): void {
    this.#isOpen = false;
    this.#seeksSinceMs ??= nowMs;
    this.#dialsUntilMs = nowMs + LONGEST_PAUSE_MS;
  }

  sent(messages: readonly Message[], nowMs: number): void {
    for (const { id, op, params, low } of messages) {
      if (low !== undefined) this.#forgetBelow(low);
      if (id === undefined || op === undefined) continue;
      const sinceMs = this.#asked.get(id)?.sinceMs ?? nowMs;
      this.#asked.set(id, { sinceMs, isOwed: answersAtOnce(op, params?.waitMs) });
    }
  }

  came(messages: readonly Message[]): void {
    for (const { id, ok, error, welcome } of messages) {
      if (welcome !== undefined) this.#opened();
      if (id === undefined) continue;
      const asked = this.#asked.get(id);
      if (ok !== undefined || (error !== undefined && !ASKED_AGAIN.has(error.code)))
        this.#asked.delete(id);
      else if (error !== undefined && asked !== undefined) asked.isOwed = true;
    }
  }

  #opened(): void {
    this.#isOpen = true;
    this.#seeksSinceMs = null;
  }

  /** The client has an answer to each of these, or has given them up. */
  #forgetBelow(low: number): void {
    for (const id of this.#asked.keys()) if (id < low) this.#asked.delete(id);
  }
}

function answersAtOnce(op: string, waitMs: number | undefined): boolean {
  if (op === "lease.keepalive" || !isOperationName(op)) return false;
  return OPERATION_KINDS[op] !== "stream" && (waitMs ?? 0) === 0;
}
