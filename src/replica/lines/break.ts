/**
 * `lock.break`: at once, or in steps. The holder is asked, and has until what is left of its lease
 * when it was asked has gone by, however often it renews it since; the log ends the grant then. The
 * call waits until it has ended, one way or the other.
 */
import type { ParamsOf } from "holdfast-protocol";
import type { CommandResult, EndReason, GrantRef } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Dependent } from "../dependents.js";
import { overloaded } from "../failure.js";
import { identityOf } from "../identity.js";
import { type Handler, linearizable, misfit, type PendingCall } from "../operations/call.js";
import { withRemaining } from "../operations/lease.js";
import type { Proposer } from "../proposals/proposal.js";
import { endReason } from "../views.js";
import type { EndingWaiter } from "./endings.js";

/** For the holder of a grant that this node has not seen: a session's time unless it is told. */
const UNSEEN_MS = 15_000;

class Break implements Proposer, EndingWaiter, Dependent {
  before: Dependent | null = null;
  after: Dependent | null = null;
  readonly #call: PendingCall<"lock.break">;
  readonly #params: ParamsOf<"lock.break">;
  #key: string | null = null;
  /** Given up before it was said: it is said all the same, and not waited for. */
  #cancelled = false;

  constructor(call: PendingCall<"lock.break">, params: ParamsOf<"lock.break">) {
    this.#call = call;
    this.#params = params;
  }

  start(): void {
    const { force, by: _by, why: _why, ...grant } = this.#params;
    if (force === true) {
      this.#propose(0);
      return;
    }
    const { endings, parts } = this.#call.core;
    const { maxPlaces } = parts.limits;
    if (endings.size >= maxPlaces) {
      this.#call.fail(overloaded("breaks", maxPlaces));
      return;
    }
    this.#call.onCancel = () => {
      this.#cancelled = true;
    };
    linearizable(this.#call, () => this.#measure(grant));
  }

  /** Who does not hold is proposed all the same: an answer of before may be kept for this request. */
  #measure(grant: GrantRef): void {
    const standing = this.#call.core.machine.check(grant);
    if (!standing.held) {
      this.#propose(UNSEEN_MS);
      return;
    }
    withRemaining(this.#call, [standing.entry.lease], ([remainingMs = 0]) =>
      this.#propose(Math.max(1, remainingMs)),
    );
  }

  #propose(afterMs: number): void {
    const { core, context, connection } = this.#call;
    const { by, why, force: _force, ...grant } = this.#params;
    const identity = identityOf(context, "lock.break", this.#params, connection.sessionLease);
    const refused = core.propose(
      {
        kind: "lock.break",
        grant,
        ...(afterMs === 0 ? {} : { afterMs }),
        ...(by === undefined ? {} : { by }),
        ...(why === undefined ? {} : { why }),
      },
      identity,
      this,
    );
    if (refused !== null) this.#call.fail(refused);
  }

  applied(result: CommandResult): void {
    const { connection, core } = this.#call;
    if (result.kind === "refused") {
      this.#call.refuse(result);
    } else if (result.kind !== "broken") {
      this.#call.fail(misfit("lock.break", result.kind));
    } else if (result.pending === undefined) {
      const { broken, ended } = result;
      this.#call.succeed({
        broken,
        ...(ended === undefined ? {} : { ended: { reason: endReason(ended.reason) } }),
      });
    } else if (this.#cancelled) {
      this.#waitNoMore(result.pending.endsMs);
    } else if (!connection.closed) {
      const { key, endsMs } = result.pending;
      this.#key = key;
      connection.join(this);
      this.#call.onCancel = () => this.#waitNoMore(endsMs);
      core.endings.wait(key, endsMs, this);
    }
  }

  /** What was said stands: it will be broken. */
  #waitNoMore(endsMs: number): void {
    const { core, connection } = this.#call;
    if (this.#key !== null) core.endings.leave(this.#key, this);
    connection.leave(this);
    const breaksInMs = Math.max(0, endsMs - core.clusterNowMs());
    this.#call.succeed({ broken: false, breaksInMs });
  }

  failed(failure: Failure): void {
    this.#call.fail(failure);
  }

  grantEnded(reason: EndReason): void {
    this.#call.connection.leave(this);
    if (reason === "broken") this.#call.succeed({ broken: true });
    else this.#call.succeed({ broken: false, ended: { reason: endReason(reason) } });
  }

  connectionClosed(): void {
    if (this.#key !== null) this.#call.core.endings.leave(this.#key, this);
  }
}

export const breakGrant: Handler<"lock.break"> = (call, params) => new Break(call, params).start();
