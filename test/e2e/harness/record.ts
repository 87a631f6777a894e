/**
 * What clients saw while nodes died: who held what when, and what was acknowledged; written down
 * as it happens and judged afterwards. All times are of this one process, so intervals compare
 * exactly.
 */
import type { Held } from "holdfast-client";

/** From the acquire's answer to the release's call: certainly held, and maybe a little longer. */
interface Hold {
  readonly lock: string;
  readonly token: number;
  readonly fromMs: number;
  toMs: number;
}

export class Holds {
  readonly #all: Hold[] = [];

  get count(): number {
    return this.#all.length;
  }

  began(held: Held): () => void {
    const fromMs = performance.now();
    const hold: Hold = { lock: held.name, token: held.token, fromMs, toMs: fromMs };
    this.#all.push(hold);
    const ends = (): void => {
      hold.toMs = performance.now();
    };
    return ends;
  }

  /** What contradicts that there was one holder at a time with ever greater tokens, in words. */
  contradictions(): string[] {
    const last = new Map<string, Hold>();
    const found: string[] = [];
    for (const hold of this.#all) {
      const before = last.get(hold.lock);
      last.set(hold.lock, hold);
      if (before === undefined) continue;
      const both = `${hold.lock}: ${before.token} then ${hold.token}`;
      if (hold.fromMs < before.toMs) found.push(`${both} overlap`);
      if (hold.token <= before.token) found.push(`${both}, tokens do not increase`);
    }
    return found;
  }
}

/** Acknowledged writes and when: keys are written once each, so a lost one shows. */
export class Acknowledged {
  readonly writes = new Map<string, string>();
  readonly #atMs: number[] = [];

  add(key: string, value: string): void {
    this.writes.set(key, value);
    this.#atMs.push(performance.now());
  }

  /** The longest time between two acknowledgements that ended after `sinceMs`. */
  longestGapMs(sinceMs: number): number {
    let longest = 0;
    for (let i = 1; i < this.#atMs.length; i++) {
      const [before = 0, at = 0] = [this.#atMs[i - 1], this.#atMs[i]];
      if (at > sinceMs) longest = Math.max(longest, at - before);
    }
    return longest;
  }

  /** Those that `stored` does not hold as they were acknowledged. */
  missingFrom(stored: ReadonlyMap<string, string>): string[] {
    return [...this.writes]
      .filter(([key, value]) => stored.get(key) !== value)
      .map(([key, value]) => `${key}: acknowledged ${value}, stored ${stored.get(key)}`);
  }
}

/** A resource outside the cluster. Fenced, it takes no write below the highest token it has seen. */
export class Register {
  readonly #fenced: boolean;
  #value = 0;
  #highest = 0;
  /** Increments that somebody was told were done. */
  done = 0;

  constructor(fenced: boolean) {
    this.#fenced = fenced;
  }

  get value(): number {
    return this.#value;
  }

  read(token: number): number {
    this.#highest = Math.max(this.#highest, token);
    return this.#value;
  }

  write(token: number, value: number): void {
    if (this.#fenced && token < this.#highest) return;
    this.#highest = Math.max(this.#highest, token);
    this.#value = value;
    this.done++;
  }

  get lostUpdates(): number {
    return this.done - this.#value;
  }
}
