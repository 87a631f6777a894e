/** The replica's public face. What it does for the outside is the coordinator's contract. */
export { REPLICA_LIMITS, type ReplicaLimits } from "./limits.js";
export { createReplica, type Replica, type ReplicaOptions } from "./replica.js";
