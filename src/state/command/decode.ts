/**
 * Bytes to commands. Throws `DecodeError` on anything that `encode.ts` would not have written, and
 * nothing else; whether a command makes sense (lengths of keys, existing leases) is apply's to
 * say.
 */
import type { Reader } from "../../base/codec.js";
import { LIMITS } from "../../base/limits.js";
import type {
  AcquireCommand,
  Command,
  Compare,
  Conditions,
  ConfigureCommand,
  GrantRef,
  KeySpan,
  Labels,
  RangeQuery,
  Txn,
  TxnStep,
} from "./command.js";
import {
  ACQUIRE_FLAG,
  COMMAND_NUMBER,
  COMPARE_OPERATORS,
  COMPARE_TARGETS,
  CONFIGURE_FLAG,
  GRANT_TAG,
  LOCK_MODE,
  RANGE_FLAG,
  SORT_FIELDS,
  SPAN_TAG,
  STEP_TAG,
  WRITE_FLAG,
} from "./number.js";

// Bounds of the format, generous: apply refuses by name what is too long for its own limits.
const TEXT = LIMITS.maxCommandBytes;
const LIST = 100_000;
const NESTED = 64;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads one body to its end. The fingerprint's end is put into `end.at`. */
export function readBody(from: Reader, number: number, end: { at: number }): Command {
  end.at = -1;
  const command = readNumbered(from, number, end);
  if (end.at < 0) end.at = from.offset;
  from.end("command");
  return command;
}

function readNumbered(from: Reader, number: number, end: { at: number }): Command {
  switch (number) {
    case COMMAND_NUMBER["kv.put"]:
      return readPut(from);
    case COMMAND_NUMBER["kv.append"]:
      return readAppend(from);
    case COMMAND_NUMBER["kv.delete"]:
      return readDelete(from);
    case COMMAND_NUMBER["kv.txn"]:
      return readTxnCommand(from);
    case COMMAND_NUMBER["lease.grant"]:
      return readLeaseGrant(from, end);
    case COMMAND_NUMBER["lease.revoke"]:
      return { kind: "lease.revoke", lease: from.string("lease", TEXT) };
    case COMMAND_NUMBER["lease.expire"]:
      return {
        kind: "lease.expire",
        asOfIndex: from.count("asOfIndex"),
        leases: readLeases(from),
      };
    case COMMAND_NUMBER["lock.acquire"]:
      return readAcquire(from, end);
    case COMMAND_NUMBER["lock.cancel"]:
      return { kind: "lock.cancel", key: from.string("key", TEXT) };
    case COMMAND_NUMBER["lock.release"]:
      return { kind: "lock.release", grant: readGrantRef(from) };
    case COMMAND_NUMBER["election.proclaim"]: {
      const grant = readGrant(from);
      if (grant === undefined) throw from.error("grant", "is missing");
      return { kind: "election.proclaim", grant, value: from.string("value", TEXT) };
    }
    case COMMAND_NUMBER["system.configure"]:
      return readConfigure(from);
    default:
      throw from.error("command", `has number ${number}, which this format does not know`);
  }
}

function readPut(from: Reader): Command {
  const flags = readFlags(from, 127);
  const key = from.string("key", TEXT);
  const value = from.string("value", TEXT);
  if (flags === 0) return { kind: "kv.put", key, value };
  const lease = (flags & WRITE_FLAG.lease) === 0 ? undefined : from.string("lease", TEXT);
  const conditions = readConditions(from, flags);
  const prev = (flags & WRITE_FLAG.prev) !== 0 ? { prev: true } : {};
  return {
    kind: "kv.put",
    key,
    value,
    ...(lease === undefined ? {} : { lease }),
    ...conditions,
    ...prev,
  };
}

function readAppend(from: Reader): Command {
  const prefix = from.string("prefix", TEXT);
  const value = from.string("value", TEXT);
  const lease = from.string("lease", TEXT);
  const heldBy = readGrantOrNone(from);
  return {
    kind: "kv.append",
    prefix,
    value,
    ...(lease === "" ? {} : { lease }),
    ...(heldBy === undefined ? {} : { heldBy }),
  };
}

function readDelete(from: Reader): Command {
  const flags = readFlags(from, 127 & ~WRITE_FLAG.lease);
  const span = readSpan(from);
  const conditions = readConditions(from, flags);
  const prev = (flags & WRITE_FLAG.prev) !== 0 ? { prev: true } : {};
  return { kind: "kv.delete", span, ...conditions, ...prev };
}

function readFlags(from: Reader, known: number): number {
  const flags = from.u8("flags");
  if ((flags & ~known) !== 0) throw from.error("flags", `${flags} has bits unknown to this format`);
  const both = WRITE_FLAG.prevExistTrue | WRITE_FLAG.prevExistFalse;
  if ((flags & both) === both) throw from.error("flags", "want a key that exists and does not");
  return flags;
}

function readConditions(from: Reader, flags: number): Conditions {
  const conditions: Mutable<Conditions> = {};
  if ((flags & WRITE_FLAG.prevExistTrue) !== 0) conditions.prevExist = true;
  if ((flags & WRITE_FLAG.prevExistFalse) !== 0) conditions.prevExist = false;
  if ((flags & WRITE_FLAG.prevRevision) !== 0) conditions.prevRevision = from.count("prevRevision");
  if ((flags & WRITE_FLAG.prevValue) !== 0) conditions.prevValue = from.string("prevValue", TEXT);
  if ((flags & WRITE_FLAG.heldBy) !== 0) conditions.heldBy = readGrantRef(from);
  return conditions;
}

function readSpan(from: Reader): KeySpan {
  const tag = from.u8("span");
  if (tag === SPAN_TAG.key) return { key: from.string("key", TEXT) };
  if (tag === SPAN_TAG.unbounded) return { from: from.string("from", TEXT), to: null };
  if (tag !== SPAN_TAG.bounded) throw from.error("span", `is of unknown kind ${tag}`);
  return { from: from.string("from", TEXT), to: from.string("to", TEXT) };
}

type AnyGrant = GrantRef | { readonly name: string; readonly lease: string };

function readGrant(from: Reader): AnyGrant | undefined {
  const tag = from.u8("grant");
  if (tag === GRANT_TAG.none) return undefined;
  if (tag === GRANT_TAG.key) return { key: from.string("key", TEXT) };
  const name = from.string("name", TEXT);
  if (tag === GRANT_TAG.token) return { name, token: from.count("token") };
  if (tag === GRANT_TAG.lease) return { name, lease: from.string("lease", TEXT) };
  throw from.error("grant", `is of unknown kind ${tag}`);
}

function readGrantOrNone(from: Reader): GrantRef | undefined {
  const grant = readGrant(from);
  if (grant !== undefined && "lease" in grant) throw from.error("grant", "is named by a lease");
  return grant;
}

function readGrantRef(from: Reader): GrantRef {
  const grant = readGrantOrNone(from);
  if (grant === undefined) throw from.error("grant", "is missing");
  return grant;
}

function readLabels(from: Reader): Labels {
  const size = from.items("labels", LIST, 2);
  const labels: [string, string][] = [];
  let last: string | null = null;
  for (let i = 0; i < size; i++) {
    const name = from.string("label", TEXT);
    if (last !== null && name <= last) throw from.error("labels", "are not in order");
    labels.push([name, from.string("label value", TEXT)]);
    last = name;
  }
  return Object.fromEntries(labels);
}

function readLeases(from: Reader): string[] {
  const size = from.items("leases", LIST, 2);
  const leases: string[] = [];
  for (let i = 0; i < size; i++) leases.push(from.string("lease", TEXT));
  return leases;
}

function readLeaseGrant(from: Reader, end: { at: number }): Command {
  const ttlMs = from.count("ttlMs");
  const owner = from.string("owner", TEXT);
  const labels = readLabels(from);
  end.at = from.offset;
  const lease = from.string("lease", TEXT);
  return { kind: "lease.grant", lease, ttlMs, owner, labels };
}

function readAcquire(from: Reader, end: { at: number }): Command {
  if (from.u8("mode") !== LOCK_MODE.exclusive)
    throw from.error("mode", "is unknown to this format");
  const flags = from.u8("flags");
  if (flags > 63) throw from.error("flags", `${flags} has bits unknown to this format`);
  const name = from.string("name", TEXT);
  const value = (flags & ACQUIRE_FLAG.value) === 0 ? "" : from.string("value", TEXT);
  const owner = (flags & ACQUIRE_FLAG.owner) === 0 ? "" : from.string("owner", TEXT);
  const labels = (flags & ACQUIRE_FLAG.labels) === 0 ? undefined : readLabels(from);
  const actor = (flags & ACQUIRE_FLAG.actor) === 0 ? "" : from.string("actor", TEXT);
  const wait = (flags & ACQUIRE_FLAG.wait) !== 0;
  let lease: AcquireCommand["lease"];
  if ((flags & ACQUIRE_FLAG.privateLease) === 0) {
    lease = from.string("lease", TEXT);
  } else {
    const ttlMs = from.count("ttlMs");
    end.at = from.offset;
    lease = { id: from.string("lease", TEXT), ttlMs };
  }
  const base = { kind: "lock.acquire", name, lease, value, owner, actor, wait } as const;
  return labels === undefined ? base : { ...base, labels };
}

function readConfigure(from: Reader): Command {
  const flags = from.u8("flags");
  if (flags > 7) throw from.error("flags", `${flags} has bits unknown to this format`);
  const command: Mutable<ConfigureCommand> = { kind: "system.configure" };
  if ((flags & CONFIGURE_FLAG.maxStateBytes) !== 0) command.maxStateBytes = from.count("bytes");
  if ((flags & CONFIGURE_FLAG.historyRevisions) !== 0)
    command.historyRevisions = from.count("revisions");
  if ((flags & CONFIGURE_FLAG.historyBytes) !== 0) command.historyBytes = from.count("bytes");
  return command;
}

function readTxnCommand(from: Reader): Command {
  const heldBy = readGrantOrNone(from);
  const txn = readTxn(from, 0);
  return { kind: "kv.txn", ...txn, ...(heldBy === undefined ? {} : { heldBy }) };
}

function readTxn(from: Reader, depth: number): Txn {
  if (depth > NESTED) throw from.error("txn", "is nested too deeply");
  const compares = from.items("compare", LIST, 3);
  const compare: Compare[] = [];
  for (let i = 0; i < compares; i++) compare.push(readCompare(from));
  return { compare, success: readSteps(from, depth), failure: readSteps(from, depth) };
}

function readSteps(from: Reader, depth: number): TxnStep[] {
  const size = from.items("steps", LIST, 3);
  const steps: TxnStep[] = [];
  for (let i = 0; i < size; i++) steps.push(readStep(from, depth));
  return steps;
}

function readCompare(from: Reader): Compare {
  const target = COMPARE_TARGETS[from.u8("target")];
  const op = COMPARE_OPERATORS[from.u8("operator")];
  if (target === undefined) throw from.error("target", "is unknown to this format");
  if (op === undefined) throw from.error("operator", "is unknown to this format");
  if (target === "heldBy") {
    if (op === "<" || op === ">") throw from.error("operator", "does not compare grants");
    return { target, op, grant: readGrantRef(from) };
  }
  const span = readSpan(from);
  if (target === "value" || target === "lease") {
    return { target, span, op, to: from.string("operand", TEXT) };
  }
  return { target, span, op, to: from.count("operand") };
}

function readStep(from: Reader, depth: number): TxnStep {
  const tag = from.u8("step");
  switch (tag) {
    case STEP_TAG.put: {
      const prev = from.boolean("prev");
      const key = from.string("key", TEXT);
      const value = from.string("value", TEXT);
      const lease = from.string("lease", TEXT);
      return {
        op: "put",
        key,
        value,
        ...(lease === "" ? {} : { lease }),
        ...(prev ? { prev } : {}),
      };
    }
    case STEP_TAG.append: {
      const prefix = from.string("prefix", TEXT);
      const value = from.string("value", TEXT);
      const lease = from.string("lease", TEXT);
      return { op: "append", prefix, value, ...(lease === "" ? {} : { lease }) };
    }
    case STEP_TAG.delete: {
      const prev = from.boolean("prev");
      return { op: "delete", span: readSpan(from), ...(prev ? { prev } : {}) };
    }
    case STEP_TAG.range:
      return { op: "range", query: readRange(from) };
    case STEP_TAG.txn:
      return { op: "txn", txn: readTxn(from, depth + 1) };
    default:
      throw from.error("step", `is of unknown kind ${tag}`);
  }
}

function readRange(from: Reader): RangeQuery {
  const flags = from.u16("flags");
  if (flags > 511) throw from.error("flags", `${flags} has bits unknown to this format`);
  const span = readSpan(from);
  const sortBy = SORT_FIELDS[from.u8("sortBy")];
  if (sortBy === undefined) throw from.error("sortBy", "is unknown to this format");
  const query: Mutable<RangeQuery> = { span };
  if (sortBy !== "key") query.sortBy = sortBy;
  if ((flags & RANGE_FLAG.limit) !== 0) query.limit = from.count("limit");
  if ((flags & RANGE_FLAG.after) !== 0) query.after = from.string("after", TEXT);
  if ((flags & RANGE_FLAG.descending) !== 0) query.descending = true;
  if ((flags & RANGE_FLAG.keysOnly) !== 0) query.keysOnly = true;
  if ((flags & RANGE_FLAG.countOnly) !== 0) query.countOnly = true;
  if ((flags & RANGE_FLAG.minCreateRevision) !== 0) query.minCreateRevision = from.count("least");
  if ((flags & RANGE_FLAG.maxCreateRevision) !== 0) query.maxCreateRevision = from.count("most");
  if ((flags & RANGE_FLAG.minModRevision) !== 0) query.minModRevision = from.count("least");
  if ((flags & RANGE_FLAG.maxModRevision) !== 0) query.maxModRevision = from.count("most");
  return query;
}
