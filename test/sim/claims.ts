/**
 * Until when a holder can prove its hold, in the true time of the loop. A claim is made where a
 * client may look at its own proof (at the grant, before the release, at its death) and says what
 * that proof amounts to if nothing befalls the client; it ends where the client gives the grant up.
 * It counts no further than to where clocks of nodes begin to lie. Part of the history.
 */
import type { Held } from "../../clients/typescript/core/index.js";
import type { Pending } from "../checker/core/index.js";
import type { SimClient } from "./client.js";
import { MOST_DRIFT_PPM } from "./process.js";

/** A clock that keeps the promise runs no faster against true time. */
const FASTEST = 1 + MOST_DRIFT_PPM / 1_000_000;

export interface Claim {
  readonly me: SimClient;
  readonly pending: Pending<"acquire" | "lead">;
  /** What is left by the client's own clocks; 0: it does not believe in it any more. */
  readonly remainingMs: () => number;
  /** When the grant was heard of. */
  readonly fromMs: number;
  untilMs: number;
  /** Given up by its holder, and so no longer of its making. */
  ended: boolean;
}

export class Claims {
  readonly #claims = new Set<Claim>();
  readonly #byKey = new Map<string, Claim>();

  /** Of a grant that came just now. */
  make(me: SimClient, pending: Claim["pending"], key: string, remainingMs: () => number): Claim {
    const fromMs = me.cluster.nowMs;
    const claim = { me, pending, remainingMs, fromMs, untilMs: fromMs, ended: false };
    this.#claims.add(claim);
    this.#byKey.set(key, claim);
    look(claim);
    return claim;
  }

  /** As above, of a grant that can be lost unasked: it is given up with that. */
  makeOf(me: SimClient, pending: Claim["pending"], held: Held): void {
    const claim = this.make(me, pending, held.key, () => held.remainingMs);
    if (held.signal.aborted) giveUp(claim);
    else held.signal.addEventListener("abort", () => giveUp(claim), { once: true });
  }

  /** Its holder is about to give it up. */
  end(key: string): void {
    const claim = this.#byKey.get(key);
    if (claim === undefined) return;
    look(claim);
    giveUp(claim);
  }

  /** It dies now; what it could prove stands. */
  dies(me: SimClient): void {
    for (const claim of this.#claims) if (claim.me === me) look(claim);
  }

  /** Tells the history; `atMostMs` is where clocks of nodes began to lie. */
  tell(atMostMs: number): void {
    for (const { pending, fromMs, untilMs } of this.#claims) {
      const ms = Math.min(untilMs, atMostMs);
      if (ms > fromMs) pending.heldUntil(ms);
    }
    this.#claims.clear();
  }
}

/** Says nothing where the client stands still, or where its own clock lies. */
function look(claim: Claim): void {
  const { process, cluster } = claim.me;
  if (claim.ended || !process.isRunning || process.clocksLie) return;
  const remainingMs = claim.remainingMs();
  if (remainingMs <= 0) return;
  claim.untilMs = Math.max(claim.untilMs, cluster.nowMs + remainingMs / FASTEST);
}

function giveUp(claim: Claim): void {
  claim.ended = true;
  claim.untilMs = Math.min(claim.untilMs, claim.me.cluster.nowMs);
}
