/** States by number, so that the search compares and remembers numbers; equal states share one. */
import type { Model } from "./model.js";

export class States {
  readonly #model: Model;
  readonly #numbers = new Map<string, number>();
  readonly #states: unknown[] = [];
  readonly #kins = new Map<string, number>();
  readonly #kinOf: number[] = [];

  constructor(model: Model) {
    this.#model = model;
  }

  numberOf(state: unknown): number {
    const text = this.#model.identify(state);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const kin = this.#model.kin(state);
    if (!this.#kins.has(kin)) this.#kins.set(kin, this.#kins.size);
    this.#kinOf.push(this.#kins.get(kin) ?? 0);
    this.#numbers.set(text, this.#states.length);
    return this.#states.push(state) - 1;
  }

  at(number: number): unknown {
    if (number >= this.#states.length) throw new RangeError(`no state ${number}`);
    return this.#states[number];
  }

  /** States of which none allows more than another are of different kin, by number. */
  kinOf(number: number): number {
    return this.#kinOf[number] ?? 0;
  }

  allowsMore(more: number, less: number): boolean {
    return more === less || this.#model.allowsMore(this.at(more), this.at(less));
  }
}
