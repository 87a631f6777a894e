/**
 * The operations by name, without their schemas: all that a client needs at run time. Parameters
 * and results as types come from the schemas, which are declared in schemas/registry.ts.
 */
import type { Static } from "typebox";
import type { Registry } from "./schemas/registry.js";

/**
 * read: changes nothing. write: may change something, and goes by a request's identity. stream: one
 * answer when it stands, then pushed events until it is cancelled or ends.
 */
export type OperationKind = "read" | "write" | "stream";

export const OPERATION_KINDS = {
  "kv.put": "write",
  "kv.append": "write",
  "kv.get": "read",
  "kv.range": "read",
  "kv.delete": "write",
  "kv.txn": "write",
  "watch.start": "stream",
  "lease.grant": "write",
  "lease.keepalive": "write",
  "lease.revoke": "write",
  "lease.get": "read",
  "lease.list": "read",
  "lock.acquire": "write",
  "lock.release": "write",
  "lock.check": "read",
  "lock.inspect": "read",
  "lock.list": "read",
  "lock.annotate": "write",
  "lock.yield": "write",
  "lock.break": "write",
  "lock.configure": "write",
  "slot.claim": "write",
  "slot.finish": "write",
  "election.campaign": "write",
  "election.proclaim": "write",
  "election.resign": "write",
  "election.leader": "read",
  "election.observe": "stream",
  "cluster.status": "read",
  "cluster.members": "read",
  "cluster.add": "write",
  "cluster.promote": "write",
  "cluster.remove": "write",
  "cluster.transfer": "write",
} as const satisfies Record<keyof Registry, OperationKind>;

export type OperationName = keyof Registry;

export const OPERATION_NAMES = Object.keys(OPERATION_KINDS) as readonly OperationName[];

/** True for the name of an operation. */
export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(OPERATION_KINDS, name);
}

/**
 * True for the writes of which no answer is kept, since they change the cluster and not its
 * keyspace: sent again they are done again, or refused by name. So whoever lost an answer looks
 * first, and a request id or Idempotency-Key does nothing for them.
 */
export function isDoneAnew(name: OperationName): boolean {
  return OPERATION_KINDS[name] === "write" && name.startsWith("cluster.");
}

/** A type with everything in it read-only. */
export type Immutable<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Immutable<Item>[]
    : { readonly [Field in keyof T]: Immutable<T[Field]> };

type ParamsByName = {
  [Name in OperationName]: Immutable<Static<Registry[Name]["params"]>>;
};
type ResultsByName = {
  [Name in OperationName]: Immutable<Static<Registry[Name]["result"]>>;
};
// Interfaces, so that the compiler's messages name them instead of spelling them out.
export interface OperationParams extends ParamsByName {}
export interface OperationResults extends ResultsByName {}

/**
 * An operation's parameters and result within a node, where keys, values, names and texts are byte
 * strings. On the wire they are text or bytes: see {@link WireForm}.
 */
export type ParamsOf<Name extends OperationName> = OperationParams[Name];
export type ResultOf<Name extends OperationName> = OperationResults[Name];

/**
 * The fields that hold bytes, by name: the same name means bytes wherever it stands. In msgpack
 * such a field is a string (then its UTF-8 form is meant) or binary; an answer has a string where
 * the bytes are valid UTF-8. In JSON it is a string, or the same name with `Base64` after it.
 */
export const BYTE_FIELDS = [
  "key",
  "keys",
  "value",
  "prefix",
  "rangeEnd",
  "after",
  "name",
  "names",
  "next",
  "job",
  "toKey",
  "prevValue",
  "ignored",
] as const;
export type ByteField = (typeof BYTE_FIELDS)[number];

/** A type as it travels in msgpack: bytes may stand where {@link BYTE_FIELDS} have text. */
export type WireForm<T> = T extends readonly (infer Item)[]
  ? readonly WireForm<Item>[]
  : T extends object
    ? {
        readonly [Field in keyof T]: Field extends ByteField
          ? WireBytes<T[Field]>
          : WireForm<T[Field]>;
      }
    : T;

type WireBytes<T> = T extends string
  ? T | Uint8Array
  : T extends readonly string[]
    ? readonly (string | Uint8Array)[]
    : T;

export type WireParamsOf<Name extends OperationName> = WireForm<ParamsOf<Name>>;
export type WireResultOf<Name extends OperationName> = WireForm<ResultOf<Name>>;
