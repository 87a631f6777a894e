/**
 * From where a watch "from now" begins. Its node says so, once, in the answer on the wire; who
 * reads the watch is not told, and so this listens to a client's frames while such a watch begins.
 */
import { decodeFrame } from "../../clients/typescript/core/codec.js";
import type { SimClient } from "./client.js";

interface Message {
  readonly id?: number;
  readonly op?: string;
  readonly params?: { readonly from?: number };
  readonly ok?: { readonly revision?: number };
  readonly changes?: readonly { readonly modRevision: number }[];
}

export class Beginning {
  readonly #me: SimClient;
  readonly #askedAt: number;
  readonly #ids = new Set<number>();
  #revision: number | null = null;

  /** Of the watch that `me` begins next, and of no other meanwhile. */
  constructor(me: SimClient) {
    this.#me = me;
    this.#askedAt = me.cluster.truth.revision;
    me.onFrame = (frame, cameIn) => {
      for (const message of decodeFrame(frame) as readonly Message[])
        if (cameIn) this.#came(message);
        else this.#sent(message);
    };
  }

  /** All that comes after it is to be told; null: the watch does not stand. */
  get revision(): number | null {
    return this.#revision;
  }

  /** Once something was told, the beginning is fixed. */
  end(): void {
    this.#me.onFrame = null;
  }

  #sent({ id, op, params }: Message): void {
    if (op === "watch.start" && params?.from === undefined && id !== undefined) this.#ids.add(id);
  }

  #came({ id, ok, changes }: Message): void {
    if (id === undefined || !this.#ids.has(id)) return;
    if (ok?.revision !== undefined) this.#stands(ok.revision);
    const first = changes?.[0]?.modRevision;
    // A client would not tell of it.
    if (first !== undefined && this.#revision !== null && first <= this.#revision)
      this.#me.cluster.truth.fail(
        `${this.#me.name}'s watch from now begins at ${this.#revision}, and is told ${first}`,
      );
  }

  /** An answer that its client has no use for any more is followed by another one. */
  #stands(revision: number): void {
    const { truth } = this.#me.cluster;
    if (revision < this.#askedAt || revision > truth.revision)
      truth.fail(
        `${this.#me.name}'s watch from now begins at ${revision}, ` +
          `asked for at ${this.#askedAt} and answered at ${truth.revision}`,
      );
    this.#revision = revision;
  }
}
