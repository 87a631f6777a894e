/** What a node says of itself and its cluster, at once and from its own memory. */
import { formatNodeId } from "../../base/ids.js";
import type { LogMember } from "../../log/port/index.js";
import type { CoordinatorStatus } from "../coordinator/index.js";
import type { Core } from "../core.js";
import type { Handler } from "./call.js";

function memberOf(member: LogMember) {
  const { id, name, role, peerUrls, clientUrls } = member;
  return {
    id: formatNodeId(id),
    name,
    role,
    peerUrls: peerUrls.slice(),
    clientUrls: clientUrls.slice(),
  };
}

const membersOf = (core: Core) => core.parts.log.members().map(memberOf);

/** `status` is the coordinator's. */
export const statusHandler =
  (status: (core: Core) => CoordinatorStatus): Handler<"cluster.status"> =>
  call => {
    const now = status(call.core);
    call.succeed({
      clusterId: now.clusterId,
      nodeId: formatNodeId(now.nodeId),
      name: now.name,
      version: call.core.parts.version,
      ...(now.leader === null ? {} : { leader: formatNodeId(now.leader) }),
      term: now.term,
      commitIndex: now.commitIndex,
      appliedIndex: now.appliedIndex,
      revision: now.revision,
      clusterTimeMs: now.clusterTimeMs,
      state: now.state,
      ...(now.waitingFor === undefined ? {} : { waitingFor: now.waitingFor }),
      members: membersOf(call.core),
    });
  };

export const members: Handler<"cluster.members"> = call =>
  call.succeed({ members: membersOf(call.core) });
