/** Consensus. The contract is the README beside this; messages and entries are in ./message. */
export type { RaftStart, Role } from "./core.js";
export type { ChangeRefusal } from "./membership/admission.js";
export type { MembershipChange, NewMember } from "./membership/change.js";
export { DEFAULT_RAFT_OPTIONS, type RaftOptions } from "./options.js";
export * from "./raft.js";
export type { Leadership, ReadState, Ready, SnapshotRequest } from "./ready.js";
