/**
 * How many bytes an answer may show of what callers made long, counted before anything of it is
 * built. The first thing always has its place; behind one that has none, nothing has.
 */
export class Allowance {
  readonly #limitBytes: number;
  #takenBytes = 0;
  #full = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** False: there is no place for it, nor for anything after it. */
  take(bytes: number): boolean {
    const isFirst = this.#takenBytes === 0;
    if (!isFirst && this.#takenBytes + bytes > this.#limitBytes) this.#full = true;
    if (this.#full) return false;
    this.#takenBytes += bytes;
    return true;
  }
}
