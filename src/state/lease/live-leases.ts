/** The leases that live: found by id at once, walked in order of id. */
import { KeyMap } from "../kv/key-map.js";
import type { Lease } from "./lease.js";

export class LiveLeases {
  readonly #byId = new Map<string, Lease>();
  readonly #inOrder = new KeyMap<Lease>();
  /** The lease last looked for: a command asks for its own several times. */
  #last: Lease | null = null;

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Lease | undefined {
    const last = this.#last;
    if (last !== null && last.id === id) return last;
    const found = this.#byId.get(id);
    if (found !== undefined) this.#last = found;
    return found;
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  set(id: string, lease: Lease): void {
    this.#last = null;
    this.#byId.set(id, lease);
    this.#inOrder.set(id, lease);
  }

  delete(id: string): void {
    this.#last = null;
    this.#byId.delete(id);
    this.#inOrder.delete(id);
  }

  scan(from: string, to: string | null, visit: (id: string, lease: Lease) => boolean): void {
    this.#inOrder.scan(from, to, visit);
  }

  /** The leases of now, in O(1). */
  clone(): KeyMap<Lease> {
    return this.#inOrder.clone();
  }
}
