/**
 * Branded ids. The brand exists for the compiler only; at run time an id is a number or a string.
 * The constructors assert the range where a value comes in; arithmetic goes through them as well.
 */
import { assert } from "./assert.js";

declare const brand: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A Raft term: 0 before the first election, then 1, 2, … */
export type Term = Branded<number, "Term">;
/** A position in the replicated log: 0 is before the first entry. */
export type LogIndex = Branded<number, "LogIndex">;
/** The keyspace's counter. An empty keyspace is at revision 1; the first write gives 2. */
export type Revision = Branded<number, "Revision">;
/** A node of the cluster: a positive integer below 2^53, shown to people as lowercase hex. */
export type NodeId = Branded<number, "NodeId">;
/** A lease: lowercase hex without leading zeros, at most 63 bits. */
export type LeaseId = Branded<string, "LeaseId">;

/** True for integers from 0 to 2^53-1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function count(value: number, what: string): number {
  assert(isCount(value), `${what} must be an integer from 0 to 2^53-1, is ${value}`);
  return value;
}

export const term = (value: number): Term => count(value, "a term") as Term;
export const logIndex = (value: number): LogIndex => count(value, "a log index") as LogIndex;
export const revision = (value: number): Revision => count(value, "a revision") as Revision;
export function nodeId(value: number): NodeId {
  assert(value > 0, "a node id must be positive");
  return count(value, "a node id") as NodeId;
}

/** A node id as people and the wire see it: lowercase hex. */
export const formatNodeId = (id: NodeId): string => id.toString(16);

const LEASE_ID_FORM = /^[1-9a-f][0-9a-f]{0,15}$/;

/** True for lowercase hex without leading zeros, of at most 63 bits. */
export function isLeaseId(value: string): value is LeaseId {
  return LEASE_ID_FORM.test(value) && (value.length < 16 || value < "8");
}
