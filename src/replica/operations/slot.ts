/** Runs of jobs. A claim is a grant like any other; it never waits. */
import type { ParamsOf, ResultOf } from "holdfast-protocol";
import type { CommandResult, Grant } from "../../state/index.js";
import type { ClientConnection } from "../connection.js";
import type { Failure } from "../coordinator/index.js";
import { identityOf } from "../identity.js";
import type { Proposer } from "../proposals/proposal.js";
import { endReason, grantedOf } from "../views.js";
import { type Handler, misfit, type PendingCall, writing } from "./call.js";
import { withRemaining } from "./lease.js";

class Claim implements Proposer {
  readonly #call: PendingCall<"slot.claim">;
  readonly #params: ParamsOf<"slot.claim">;
  readonly #arrivedMs: number;

  constructor(call: PendingCall<"slot.claim">, params: ParamsOf<"slot.claim">) {
    this.#call = call;
    this.#params = params;
    this.#arrivedMs = call.core.parts.time.nowMs();
  }

  get connection(): ClientConnection {
    return this.#call.connection;
  }

  start(): void {
    const { core, context, connection } = this.#call;
    const { job, slot, lease, ttlMs, owner, labels, onAbandon = "reclaim", lateMs } = this.#params;
    const full = connection.leaseRefusal(lease);
    if (full !== null) {
      this.#call.fail(full);
      return;
    }
    const identity = identityOf(context, "slot.claim", this.#params, connection.sessionLease);
    const refused = core.propose(
      {
        kind: "slot.claim",
        job,
        slot,
        lease: lease ?? { id: core.drawLease(), ttlMs: ttlMs ?? 0 },
        onAbandon,
        ...(lateMs === undefined ? {} : { lateMs }),
        ...(owner === undefined ? {} : { owner }),
        ...(labels === undefined ? {} : { labels }),
      },
      identity,
      this,
    );
    if (refused !== null) this.#call.fail(refused);
  }

  applied(result: CommandResult): void {
    if (result.kind === "refused") this.#call.refuse(result);
    else if (result.kind === "granted") this.#granted(result.grant);
    // Sent again under its request's id, when what it had claimed was over.
    else if (result.kind === "entryEnded") this.#call.fail(this.#over(endReason(result.reason)));
    else this.#call.fail(misfit("slot.claim", result.kind));
  }

  failed(failure: Failure): void {
    this.#call.fail(failure);
  }

  #granted(grant: Grant): void {
    const { core, connection } = this.#call;
    const { attachments, time } = core.parts;
    connection.attach(grant.lease);
    const nowMs = time.nowMs();
    // A lease that was made now has its full time, counted from before it was made.
    const known =
      core.justGranted === grant.lease && this.#params.lease === undefined
        ? Math.max(0, grant.ttlMs - (nowMs - this.#arrivedMs))
        : attachments.remainingMs(grant.lease, grant.ttlMs, nowMs);
    const answer = (remainingMs: number): void =>
      this.#call.succeed(grantedOf(grant, remainingMs) as ResultOf<"slot.claim">);
    if (known !== null) {
      answer(known);
      return;
    }
    const unknown = { core, fail: () => answer(0) };
    withRemaining(unknown, [grant.lease], ([remainingMs = 0]) => answer(remainingMs));
  }

  #over(reason: string): Failure {
    const { job, slot } = this.#params;
    const message = `the claim on run ${slot} of ${job} that this request got has ended (${reason})`;
    return { code: "NOT_HELD", message, details: { reason } };
  }
}

export const claim: Handler<"slot.claim"> = (call, params) => new Claim(call, params).start();

export const finish = writing<"slot.finish">(
  ({ outcome, note, ...grant }) => ({
    kind: "slot.finish",
    grant,
    outcome,
    ...(note === undefined ? {} : { note }),
  }),
  result => {
    if (result.kind !== "slotFinished") return null;
    const { job, slot, outcome } = result;
    return { job, slot, outcome };
  },
);
