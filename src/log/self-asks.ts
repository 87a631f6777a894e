/**
 * Questions of this node to itself. They go through a turn like everybody's, and are given up after
 * the same time. Bounded by the caller, who is the host itself. Called by the embedded log.
 */
import type { Clock, EndOfTurn } from "../base/ports.js";
import { Ring } from "../base/ring.js";

interface SelfAsk {
  readonly deadlineMs: number;
  done: ((answer: Uint8Array | null) => void) | null;
}

/** Puts a question to the host. */
export type AskHost = (question: Uint8Array, answer: (bytes: Uint8Array) => void) => void;

export class SelfAsks {
  readonly #clock: Clock;
  readonly #endOfTurn: EndOfTurn;
  readonly #limitMs: number;
  readonly #askHost: AskHost;
  /** In the order asked, which is the order of their deadlines. */
  readonly #asks = new Ring<SelfAsk>();
  #closed = false;

  constructor(clock: Clock, endOfTurn: EndOfTurn, limitMs: number, askHost: AskHost) {
    this.#clock = clock;
    this.#endOfTurn = endOfTurn;
    this.#limitMs = limitMs;
    this.#askHost = askHost;
  }

  ask(question: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    const ask: SelfAsk = { deadlineMs: this.#clock.monotonicMs() + this.#limitMs, done };
    this.#asks.push(ask);
    this.#endOfTurn.schedule(() => {
      if (ask.done === null || this.#closed) return;
      this.#askHost(question, bytes => settle(ask, bytes));
    });
  }

  /** Gives up what is overdue and forgets what is answered. At ticks. */
  expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let first = this.#asks.peek(); first !== undefined; first = this.#asks.peek()) {
      if (first.done !== null && first.deadlineMs > nowMs) return;
      this.#asks.shift();
      settle(first, null);
    }
  }

  /** Answers everything open with null. */
  close(): void {
    this.#closed = true;
    for (let first = this.#asks.shift(); first !== undefined; first = this.#asks.shift()) {
      settle(first, null);
    }
  }
}

function settle(ask: SelfAsk, answer: Uint8Array | null): void {
  const { done } = ask;
  ask.done = null;
  done?.(answer);
}
