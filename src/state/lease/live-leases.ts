/** The leases that live: found by id at once, walked in order of id. */
import { KeyMap } from "../kv/key-map.js";
import type { Lease } from "./lease.js";

export class LiveLeases {
  readonly #byId = new Map<string, Lease>();
  readonly #inOrder = new KeyMap<Lease>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Lease | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  set(id: string, lease: Lease): void {
    this.#byId.set(id, lease);
    this.#inOrder.set(id, lease);
  }

  delete(id: string): void {
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
