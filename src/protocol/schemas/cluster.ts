/** What a node tells of itself and its cluster, and how the cluster's members are changed. */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import { count, record } from "./fields.js";

const NodeId = Type.String({ pattern: "^[0-9a-f]+$", description: "A node's id: lowercase hex." });
const NodeName = Type.String({ "x-holdfast": "text", description: "The name the operator gave." });
const Urls = Type.Array(Type.String());

const Member = record({
  id: NodeId,
  name: NodeName,
  role: Type.Union([Type.Literal("voter"), Type.Literal("learner"), Type.Literal("leaving")], {
    description:
      "voter: counts for majorities. learner: gets the log and counts for nothing. leaving: " +
      "a change that takes it out is under way, and until its end it counts.",
  }),
  peerUrls: Urls,
  clientUrls: Type.Array(Type.String(), {
    description: "Where clients reach it; empty until its process has been up once.",
  }),
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

/** One that exists: the same form as a node's id, or what the operator called it. */
const memberRef = (what: string) =>
  Type.String({
    "x-holdfast": "text",
    minLength: 1,
    maxLength: LIMITS.textBytes,
    description: `${what}: a member's id, or its name; exactly one member must fit.`,
  });
const Changed = record({
  member: NodeId,
  members: Type.Array(Member, { description: "All members after the change." }),
});

export const ClusterAddParams = record({
  name: Type.String({
    "x-holdfast": "text",
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    description:
      "What its process gives as --name: 1 to 63 letters, digits, dots, dashes or underscores.",
  }),
  peerUrls: Type.Array(
    Type.String({
      pattern: "^http://(?:\\[[0-9a-f:.]+\\]|[a-z0-9._-]+):[0-9]{1,5}$",
      description: "Like http://10.0.0.4:2380: lowercase, with a port and without a path.",
    }),
    {
      minItems: 1,
      maxItems: LIMITS.peerUrls,
      description: "Where the other members will reach it.",
    },
  ),
});
export const ClusterAddResult = Changed;
export const ClusterPromoteParams = record({
  member: memberRef("The learner that shall vote"),
  replacing: Type.Optional(memberRef("Who is taken out in the same step")),
});
export const ClusterPromoteResult = Changed;
export const ClusterRemoveParams = record({ member: memberRef("Who is taken out") });
export const ClusterRemoveResult = Changed;
export const ClusterTransferParams = record({
  to: Type.Optional(memberRef("Who shall lead; absent: the follower that is furthest")),
});
export const ClusterTransferResult = record({ leader: NodeId });
