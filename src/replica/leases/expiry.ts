/** The end of leases as a command: valid only in the term of the leader whose clocks ran out. */

import type { Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import type { Proposer } from "../proposals/proposal.js";
import type { ProposeExpiry } from "./lease-clock.js";

class Expiry implements Proposer {
  readonly #told: Parameters<ProposeExpiry>[2];

  constructor(told: Parameters<ProposeExpiry>[2]) {
    this.#told = told;
  }

  applied(): void {
    this.#told("applied");
  }

  failed(failure: Failure): void {
    this.#told(failure.code === "OUTCOME_UNKNOWN" ? "unknown" : "not-applied");
  }
}

/** `core` is asked for only when a lease is due. */
export const proposeExpiry =
  (core: () => Core): ProposeExpiry =>
  (leases, term, told) => {
    const asOfIndex = core().machine.appliedIndex;
    const command = { kind: "lease.expire", leases, asOfIndex } as const;
    const refused = core().propose(command, null, new Expiry(told), false, term);
    if (refused !== null) told("not-applied");
  };
