/**
 * The simulated world's network: delays of their own for each piece sent, hosts cut off from each
 * other, and links that are slow or that crawl. Each of these is taken back by what it returns, so
 * that several can stand at once. Connections keep their order all the same.
 */
import { MemoryNetwork } from "../../src/testing/memory-network.js";

/** From one host to another, one way. */
export type Way = readonly [from: string, to: string];

const keyOf = (from: string, to: string): string => `${from}>${to}`;

export class SimNetwork extends MemoryNetwork {
  /** How long the next piece takes. */
  draw: () => number = () => 0;
  readonly #cuts = new Map<string, number>();
  /** Silent until all is healed: what stories do. */
  readonly #silenced = new Set<string>();
  readonly #late = new Map<string, () => number>();
  readonly #crawls = new Map<string, number>();

  override delayBetween(from: string, to: string): number {
    return this.draw() + (this.#late.get(keyOf(from, to))?.() ?? 0);
  }

  override bytesEachMs(from: string, to: string): number | null {
    return this.#crawls.get(keyOf(from, to)) ?? null;
  }

  override isSilent(from: string, to: string): boolean {
    const key = keyOf(from, to);
    return this.#silenced.has(key) || (this.#cuts.get(key) ?? 0) > 0;
  }

  override silence(from: string, to: string): void {
    this.#silenced.add(keyOf(from, to));
  }

  /** Ends what `silence` began; cuts stand until they are taken back. */
  override heal(): void {
    this.#silenced.clear();
    super.heal();
  }

  /** Nothing gets through on these ways until this is taken back. */
  cutOff(ways: readonly Way[]): () => void {
    for (const [from, to] of ways) this.#count(keyOf(from, to), 1);
    return () => {
      for (const [from, to] of ways) this.#count(keyOf(from, to), -1);
      // What was held back arrives.
      super.heal();
    };
  }

  #count(key: string, by: number): void {
    const cuts = (this.#cuts.get(key) ?? 0) + by;
    if (cuts === 0) this.#cuts.delete(key);
    else this.#cuts.set(key, cuts);
  }

  /** What is sent that way takes longer, by what is drawn. */
  makeLate([from, to]: Way, draw: () => number): () => void {
    const key = keyOf(from, to);
    this.#late.set(key, draw);
    return () => {
      if (this.#late.get(key) === draw) this.#late.delete(key);
    };
  }

  /** Each connection that way carries so many bytes a millisecond. */
  letCrawl([from, to]: Way, bytesEachMs: number): () => void {
    const key = keyOf(from, to);
    this.#crawls.set(key, bytesEachMs);
    return () => {
      this.#crawls.delete(key);
    };
  }
}

/** Both ways between `name` and each of `others`. */
export const waysBetween = (name: string, others: readonly string[]): Way[] =>
  others.flatMap((other): Way[] => [
    [name, other],
    [other, name],
  ]);
