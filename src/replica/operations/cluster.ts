/**
 * What a node says of itself and its cluster, at once and from its own memory; and changes of the
 * members, which go to the leader's log.
 */
import { formatNodeId } from "../../base/ids.js";
import type { CoordinatorStatus, Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { invalid, shuttingDown } from "../failure.js";
import { type MemberReply, type MemberRequest, viewOf } from "../members/request.js";
import type { Handler, PendingCall } from "./call.js";

const membersOf = ({ parts: { log, bytes } }: Core) =>
  log.members().map(member => viewOf(member, bytes));

/** `status` is the coordinator's. */
export const statusHandler =
  (status: (core: Core) => CoordinatorStatus): Handler<"cluster.status"> =>
  call => {
    const { bytes, version } = call.core.parts;
    const now = status(call.core);
    call.succeed({
      clusterId: now.clusterId,
      nodeId: formatNodeId(now.nodeId),
      name: bytes.utf8Encode(now.name),
      version,
      ...(now.leader === null ? {} : { leader: formatNodeId(now.leader) }),
      term: now.term,
      commitIndex: now.commitIndex,
      appliedIndex: now.appliedIndex,
      revision: now.revision,
      clusterTimeMs: now.clusterTimeMs,
      state: now.state,
      ...(now.waitingFor === undefined ? {} : { waitingFor: bytes.utf8Encode(now.waitingFor) }),
      members: membersOf(call.core),
    });
  };

export const members: Handler<"cluster.members"> = call =>
  call.succeed({ members: membersOf(call.core) });

type ChangeName = "cluster.add" | "cluster.promote" | "cluster.remove";

/** Nobody keeps answers of these: a key that would do nothing is refused. */
function refusalOf({ core, context, operation }: Refusable): Failure | null {
  if (core.parts.life.phase === "stopping") return shuttingDown();
  if (context.idempotencyKey === undefined) return null;
  const message = `no answers of ${operation} are kept; leave the key out, and look at the members`;
  return invalid("Idempotency-Key", `${message} when an answer was lost`);
}

type Refusable = Pick<PendingCall<"cluster.add">, "core" | "context" | "fail"> & {
  readonly operation: string;
};

function request(
  call: Refusable,
  wanted: MemberRequest,
  succeed: (reply: Extract<MemberReply, { ok: true }>) => void,
): void {
  const refusal = refusalOf(call);
  if (refusal !== null) {
    call.fail(refusal);
    return;
  }
  call.core.parts.members.request(wanted, reply => {
    if (reply.ok) succeed(reply);
    else call.fail(reply.failure);
  });
}

/** An operation whose answer is the members after it. */
const changing =
  <Name extends ChangeName>(
    wanted: (params: Parameters<Handler<Name>>[1]) => MemberRequest,
  ): Handler<Name> =>
  (call, params) =>
    request(call, wanted(params), ({ member, members }) => call.succeed({ member, members }));

export const add: Handler<"cluster.add"> = changing(({ name, peerUrls }) => ({
  kind: "add",
  name,
  peerUrls,
}));

export const promote: Handler<"cluster.promote"> = changing(({ member, replacing = null }) => ({
  kind: "promote",
  member,
  replacing,
}));

export const remove: Handler<"cluster.remove"> = changing(({ member }) => ({
  kind: "remove",
  member,
}));

export const transfer: Handler<"cluster.transfer"> = (call, { to = null }) =>
  request(call, { kind: "transfer", to }, ({ member }) => call.succeed({ leader: member }));
