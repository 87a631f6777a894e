/**
 * What locks guard, outside of the cluster: for each lock's name one resource that looks at tokens,
 * which loses no update, and one that does not.
 */

export interface Guarded {
  readonly fenced: Resource;
  readonly unfenced: Resource;
}

export class Resources {
  readonly #byName = new Map<string, Guarded>();

  /** Nobody but the holders of that lock works on these two. */
  of(name: string): Guarded {
    let guarded = this.#byName.get(name);
    if (guarded === undefined) {
      guarded = { fenced: new Resource(true), unfenced: new Resource(false) };
      this.#byName.set(name, guarded);
    }
    return guarded;
  }

  lostUpdates(which: keyof Guarded): number {
    let sum = 0;
    for (const guarded of this.#byName.values()) sum += guarded[which].lostUpdates;
    return sum;
  }
}

/** It looks at tokens, or does not. */
export class Resource {
  value = 0;
  lostUpdates = 0;
  #newest = 0;
  readonly #checks: boolean;

  constructor(checks: boolean) {
    this.#checks = checks;
  }

  /** null: the token is older than one that was seen. */
  read(token: number): number | null {
    if (this.#checks && token < this.#newest) return null;
    this.#newest = Math.max(this.#newest, token);
    return this.value;
  }

  write(token: number, value: number): boolean {
    if (this.#checks && token < this.#newest) return false;
    this.#newest = Math.max(this.#newest, token);
    if (value !== this.value + 1) this.lostUpdates += 1;
    this.value = value;
    return true;
  }
}
