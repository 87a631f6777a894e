/**
 * The leases' operations. Grants and ends go through the log, times come from the leader's clock.
 */
import type { ParamsOf, ResultOf } from "holdfast-protocol";
import type { Command, CommandResult, LeaseDetails } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import { overloaded, unavailable } from "../failure.js";
import { identityOf } from "../identity.js";
import type { LeaseWaiter } from "../leases/leader-query.js";
import type { LeaseReply } from "../leases/replies.js";
import type { Proposer } from "../proposals/proposal.js";
import { endReason } from "../views.js";
import { type Handler, linearizable, misfit, type PendingCall, writing } from "./call.js";

/** A grant, whose id this node draws where the caller chose none. */
class LeaseGrant implements Proposer {
  readonly #call: PendingCall<"lease.grant">;
  readonly #params: ParamsOf<"lease.grant">;
  readonly #arrivedMs: number;

  constructor(call: PendingCall<"lease.grant">, params: ParamsOf<"lease.grant">) {
    this.#call = call;
    this.#params = params;
    this.#arrivedMs = call.core.parts.time.nowMs();
  }

  start(): void {
    const { ttlMs, lease, owner, labels } = this.#params;
    const { core, context, connection } = this.#call;
    const full = connection.leaseRefusal(lease);
    if (full !== null) {
      this.#call.fail(full);
      return;
    }
    const command: Command = {
      kind: "lease.grant",
      lease: lease ?? core.drawLease(),
      ttlMs,
      ...(owner === undefined ? {} : { owner }),
      ...(labels === undefined ? {} : { labels }),
    };
    const { stamp: _stamp, ...identifying } = this.#params;
    const identity = identityOf(context, "lease.grant", identifying, connection.sessionLease);
    const refused = core.propose(command, identity, this);
    if (refused !== null) this.#call.fail(refused);
  }

  applied(result: CommandResult): void {
    const call = this.#call;
    if (result.kind === "refused") {
      call.refuse(result);
      return;
    }
    if (result.kind !== "leaseGranted") {
      call.fail(misfit("lease.grant", result.kind));
      return;
    }
    const { lease, ttlMs } = result;
    // One that ended since an earlier sending of this request is gone: nobody would tell of it.
    if (call.core.machine.lease(lease) !== undefined) call.connection.attach(lease);
    if (call.core.justGranted === lease) {
      call.core.parts.attachments.extended(lease, this.#arrivedMs);
      this.#answer(lease, ttlMs, ttlMs);
      return;
    }
    // Granted to an earlier sending of this request: it has run since then.
    const unknown = { core: call.core, fail: () => this.#answer(lease, ttlMs, 0) };
    withRemaining(unknown, [lease], ([remainingMs = 0]) => this.#answer(lease, ttlMs, remainingMs));
  }

  #answer(lease: string, ttlMs: number, remainingMs: number): void {
    const { stamp } = this.#params;
    const granted = { lease, ttlMs, remainingMs };
    this.#call.succeed(stamp === undefined ? granted : { ...granted, stamp });
  }

  failed(failure: Failure): void {
    this.#call.fail(failure);
  }
}

export const grant: Handler<"lease.grant"> = (call, params) => new LeaseGrant(call, params).start();

class KeepAlive implements LeaseWaiter {
  readonly #call: PendingCall<"lease.keepalive">;
  readonly #params: ParamsOf<"lease.keepalive">;
  readonly #leases: readonly string[];
  readonly #arrivedMs: number;

  constructor(call: PendingCall<"lease.keepalive">, params: ParamsOf<"lease.keepalive">) {
    this.#call = call;
    this.#params = params;
    this.#leases = "leases" in params ? params.leases : [params.lease];
    this.#arrivedMs = call.core.parts.time.nowMs();
  }

  start(): void {
    const { keepAlives, limits } = this.#call.core.parts;
    if (!keepAlives.ask(this.#leases, this)) {
      this.#call.fail(overloaded("keep-alives", limits.maxPendingKeepAlives));
    }
  }

  told(replies: readonly LeaseReply[] | null): void {
    if (replies === null) {
      this.#call.fail(unavailable("the keep-alive was not confirmed", null));
      return;
    }
    const { stamp } = this.#params;
    const { attachments } = this.#call.core.parts;
    for (let i = 0; i < replies.length; i++) {
      const lease = this.#leases[i];
      if (lease !== undefined && typeof replies[i] === "number") {
        attachments.extended(lease, this.#arrivedMs);
      }
    }
    const echoed = stamp === undefined ? {} : { stamp };
    if ("leases" in this.#params) {
      this.#call.succeed({ leases: replies.map((reply, i) => this.#one(i, reply)), ...echoed });
      return;
    }
    const [reply = "forgotten"] = replies;
    if (typeof reply !== "number") this.#call.fail(leaseEnded(this.#params.lease, reply));
    else
      this.#call.succeed({
        lease: this.#params.lease,
        ttlMs: reply,
        remainingMs: reply,
        ...echoed,
      });
  }

  #one(place: number, reply: LeaseReply): OneOfMany {
    const lease = this.#leases[place] ?? "";
    if (typeof reply === "number") return { lease, ttlMs: reply, remainingMs: reply };
    return { lease, ended: { reason: endReason(reply) } };
  }
}

type OneOfMany = Extract<
  ResultOf<"lease.keepalive">,
  { readonly leases: readonly unknown[] }
>["leases"][number];

export const keepAlive: Handler<"lease.keepalive"> = (call, params) =>
  new KeepAlive(call, params).start();

export function leaseEnded(lease: string, reason: Exclude<LeaseReply, number>): Failure {
  if (reason === "forgotten") {
    const message = `there is no lease ${lease}, or it ended long ago; get one with lease.grant`;
    return { code: "NO_SUCH_LEASE", message, details: { lease } };
  }
  return {
    code: "LEASE_ENDED",
    message: `lease ${lease} has ended (${endReason(reason)}); get a new one with lease.grant`,
    details: { lease, reason: endReason(reason) },
  };
}

export const revoke = writing<"lease.revoke">(
  ({ lease }) => ({ kind: "lease.revoke", lease }),
  result => {
    if (result.kind !== "leaseRevoked") return null;
    const { lease, revoked, ended } = result;
    if (ended === undefined) return { lease, revoked };
    return { lease, revoked, ended: { reason: endReason(ended.reason) } };
  },
);

/** Asks the leader what is left of leases; `use` gets milliseconds in order, 0 for ended ones. */
class Remaining implements LeaseWaiter {
  readonly #fail: (failure: Failure) => void;
  readonly #use: (remainingMs: readonly number[]) => void;

  constructor(fail: (failure: Failure) => void, use: (remainingMs: readonly number[]) => void) {
    this.#fail = fail;
    this.#use = use;
  }

  told(replies: readonly LeaseReply[] | null): void {
    if (replies === null) this.#fail(unavailable("the leader was asked what is left", null));
    else this.#use(replies.map(reply => (typeof reply === "number" ? reply : 0)));
  }
}

export function withRemaining(
  call: Pick<PendingCall<"lease.get">, "core" | "fail">,
  leases: readonly string[],
  use: (remainingMs: readonly number[]) => void,
): void {
  const { remaining, limits } = call.core.parts;
  const waiter = new Remaining(failure => call.fail(failure), use);
  if (!remaining.ask(leases, waiter)) {
    call.fail(overloaded("questions about leases", limits.maxPendingKeepAlives));
  }
}

export const get: Handler<"lease.get"> = (call, { lease }) => {
  linearizable(call, () => {
    const { machine } = call.core;
    const found = machine.lease(lease);
    if (found === undefined) {
      const reason = machine.endedLease(lease);
      if (reason === undefined) call.fail(leaseEnded(lease, "forgotten"));
      else call.succeed({ lease, ended: { reason: endReason(reason) } });
      return;
    }
    const { keys, keyCount } = machine.listLeaseKeys(lease);
    const { ttlMs, owner, labels } = found;
    withRemaining(call, [lease], ([remainingMs = 0]) =>
      call.succeed({ lease, ttlMs, remainingMs, owner, labels, keys, keyCount }),
    );
  });
};

const DEFAULT_LISTED = 1000;

export const list: Handler<"lease.list"> = (call, { after = "", limit = DEFAULT_LISTED }) => {
  linearizable(call, () => {
    const { leases, more } = call.core.machine.leases(after, limit);
    const ids = leases.map(({ lease }) => lease.id);
    if (ids.length === 0) {
      call.succeed({ leases: [], more });
      return;
    }
    withRemaining(call, ids, times =>
      call.succeed({ leases: leases.map((one, i) => listed(one, times[i] ?? 0)), more }),
    );
  });
};

function listed({ lease, keyCount }: LeaseDetails, remainingMs: number) {
  const { id, ttlMs, owner, labels } = lease;
  return { lease: id, ttlMs, remainingMs, owner, labels, keyCount };
}
