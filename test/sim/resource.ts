/** Something outside of the cluster, guarded by a lock: it looks at tokens, or does not. */
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
