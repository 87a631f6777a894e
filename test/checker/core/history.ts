/**
 * The recorder: who asked what when, and what became of it. One clock for all of it, injected; one
 * thread, so that events are noted in the order in which they happened. Simulator and tests of real
 * processes feed it, `check` reads it.
 */
import { fromJsonl, HistoryError, toJsonl } from "./jsonl.js";
import type { AnswerOf, Kind, Op, Operation, OpOf } from "./operation.js";
import { judge } from "./shape.js";

/** A call under way. Exactly one of its ends is told, or none: then its outcome stays unknown. */
export interface Pending<K extends Kind> {
  /** Answered. */
  ok(answer: AnswerOf<K>): void;
  /** Provably without effect. */
  fail(): void;
  /** Given up; it may have taken effect, or still will, or never. */
  unknown(): void;
  /** A holder's proof of its hold moved to `atMs`; also after `ok`. Never back. */
  heldUntil(atMs: number): void;
}

/** What a clock that stands still is moved on by, so that what was noted later is later. */
const TICK_MS = 1e-6;

export class History {
  readonly #clock: () => number;
  readonly #operations: Operation[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** In the order in which they were begun. Calls under way are of unknown outcome. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  begin<K extends Kind>(process: string, op: OpOf<K> & { readonly kind: K }): Pending<K> {
    const at = this.#operations.length;
    // A union's member by its own kind: what the compiler cannot see through K.
    const asked = op as Op;
    this.add({ process, call: this.#now(), return: null, op: asked, result: "unknown" });
    let ended = false;
    const end = (result: AnswerOf<K> | "unknown" | "failed"): void => {
      if (ended) throw new HistoryError(`${process}: a ${op.kind} was ended twice`);
      this.#replace(at, { return: this.#now(), result });
      ended = true;
    };
    return {
      ok: end,
      fail: () => end("failed"),
      unknown: () => end("unknown"),
      heldUntil: atMs => this.#proveHold(at, atMs),
    };
  }

  /** An operation whose times are known already. */
  add(operation: Operation): void {
    refuseBad(operation);
    this.#operations.push(operation);
  }

  toJsonl(): string {
    return toJsonl(this.#operations);
  }

  /** Throws a HistoryError that names the first bad line. What was read takes no more calls. */
  static fromJsonl(text: string): History {
    const history = new History(() => {
      throw new HistoryError("a history that was read has no clock");
    });
    for (const operation of fromJsonl(text)) history.#operations.push(operation);
    return history;
  }

  #replace(at: number, change: Partial<Operation>): void {
    const before = this.#operations[at];
    if (before === undefined) throw new HistoryError("no such operation");
    const after = { ...before, ...change };
    refuseBad(after);
    this.#operations[at] = after;
  }

  #proveHold(at: number, atMs: number): void {
    const op = this.#operations[at]?.op;
    if (op?.kind !== "acquire" && op?.kind !== "lead") {
      throw new HistoryError(`a ${op?.kind} holds nothing`);
    }
    const heldUntil = Math.max(op.heldUntil ?? atMs, atMs);
    this.#replace(at, { op: { ...op, heldUntil } });
  }

  #now(): number {
    const tickMs = Math.max(TICK_MS, Math.abs(this.#lastMs) * Number.EPSILON);
    const nowMs = this.#clock();
    this.#lastMs = nowMs > this.#lastMs ? nowMs : this.#lastMs + tickMs;
    return this.#lastMs;
  }
}

function refuseBad(operation: Operation): void {
  const wrong = judge(operation);
  if (wrong !== null) throw new HistoryError(`${operation.process}: ${wrong}`);
}
