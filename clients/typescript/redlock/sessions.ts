/**
 * Sessions by their times. Locks of one duration share a lease, so that acquiring and giving back
 * cost one write each; a few leases that nobody uses are kept for the next. Called by `grant.ts`.
 */
import type { Session } from "../core/index.js";
import type { HoldfastClient } from "./surface.js";

/** So many may wait for their next use. Programs have a handful of durations. */
const MOST_IDLE = 4;

interface Shared {
  readonly key: string;
  readonly session: Session;
  users: number;
}

export interface Loan {
  readonly session: Session;
  /** When nothing of the borrower's hangs on it any more. The first call counts. */
  end(): void;
}

export class Sessions {
  readonly #client: HoldfastClient;
  /** Those that may be used; a session that is lost is over and leaves. */
  readonly #shared = new Map<string, Shared>();
  /** Longest idle first. */
  readonly #idle = new Set<Shared>();

  constructor(client: HoldfastClient) {
    this.#client = client;
  }

  /** Throws `INVALID_PARAMETER` for times that no lease has. */
  lend(ttlMs: number, marginMs: number): Loan {
    const shared = this.#find(`${ttlMs}/${marginMs}`, { ttlMs, marginMs });
    shared.users += 1;
    this.#idle.delete(shared);
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.#ended(shared);
      isOver = true;
    };
    return { session: shared.session, end };
  }

  async close(): Promise<void> {
    const all = [...this.#shared.values()];
    this.#shared.clear();
    this.#idle.clear();
    await Promise.all(all.map(({ session }) => session.close()));
  }

  #find(key: string, times: { readonly ttlMs: number; readonly marginMs: number }): Shared {
    const known = this.#shared.get(key);
    if (known !== undefined && !known.session.signal.aborted) return known;
    if (known !== undefined && this.#idle.delete(known)) void known.session.close();
    const shared = { key, session: this.#client.session(times), users: 0 };
    this.#shared.set(key, shared);
    return shared;
  }

  #ended(shared: Shared): void {
    shared.users -= 1;
    if (shared.users > 0) return;
    if (this.#shared.get(shared.key) === shared) this.#idle.add(shared);
    else void shared.session.close();
    if (this.#idle.size <= MOST_IDLE) return;
    for (const oldest of this.#idle) {
      this.#idle.delete(oldest);
      this.#shared.delete(oldest.key);
      void oldest.session.close();
      return;
    }
  }
}
