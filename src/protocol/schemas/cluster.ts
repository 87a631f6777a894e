/** What a node tells of itself and its cluster. */
import Type from "typebox";
import { count, record } from "./fields.js";

const NodeId = Type.String({ pattern: "^[0-9a-f]+$", description: "A node's id: lowercase hex." });
const NodeName = Type.String({ "x-holdfast": "text", description: "The name the operator gave." });
const Urls = Type.Array(Type.String());

const Member = record({
  id: NodeId,
  name: NodeName,
  role: Type.Union([Type.Literal("voter"), Type.Literal("learner"), Type.Literal("leaving")]),
  peerUrls: Urls,
  clientUrls: Urls,
});
export const ClusterStatusParams = record({});
export const ClusterStatusResult = record({
  clusterId: Type.String({ description: "16 hex digits." }),
  nodeId: NodeId,
  name: NodeName,
  version: Type.String(),
  leader: Type.Optional(NodeId),
  term: count("The term this node is in."),
  commitIndex: count("The last log index known to be committed."),
  appliedIndex: count("The last log index applied here."),
  revision: count("The keyspace's revision here."),
  clusterTimeMs: count("The cluster's own clock, as applied here."),
  state: Type.Union([
    Type.Literal("starting"),
    Type.Literal("ready"),
    Type.Literal("no-quorum"),
    Type.Literal("stopping"),
  ]),
  waitingFor: Type.Optional(Type.String({ "x-holdfast": "text" })),
  members: Type.Array(Member),
});
export const ClusterMembersParams = record({});
export const ClusterMembersResult = record({ members: Type.Array(Member) });
