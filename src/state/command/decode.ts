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
  LockConfigureCommand,
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
  LINE_FLAG,
  LOCK_MODES,
  RANGE_FLAG,
  SLOT_FLAG,
  SLOT_OUTCOMES,
  SORT_FIELDS,
  SPAN_TAG,
  STEP_TAG,
  WRITE_FLAG,
} from "./number.js";

// Bounds of the format, generous: apply refuses by name what is too long for its own limits.
const TEXT = LIMITS.maxCommandBytes;
const LIST = 100_000;
const NESTED = 64;

const NEW_IN_2: ReadonlySet<number> = new Set([
  COMMAND_NUMBER["lock.configure"],
  COMMAND_NUMBER["lock.annotate"],
  COMMAND_NUMBER["lock.yield"],
  COMMAND_NUMBER["lock.break"],
  COMMAND_NUMBER["lock.handOver"],
  COMMAND_NUMBER["slot.claim"],
  COMMAND_NUMBER["slot.finish"],
]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads one body to its end, in an entry of this format. The fingerprint's end is put into
 * `end.at`.
 */
export function readBody(
  from: Reader,
  number: number,
  format: number,
  end: { at: number },
): Command {
  end.at = -1;
  const command = readNumbered(from, number, format, end);
  if (end.at < 0) end.at = from.offset;
  from.end("command");
  return command;
}

function readNumbered(from: Reader, number: number, format: number, end: { at: number }): Command {
  if (format < 2 && NEW_IN_2.has(number)) {
    throw from.error("command", `has number ${number}, which this format does not know`);
  }
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
      return readAcquire(from, format, end);
    case COMMAND_NUMBER["lock.cancel"]:
      return { kind: "lock.cancel", key: from.string("key", TEXT) };
    case COMMAND_NUMBER["lock.release"]:
      return { kind: "lock.release", grant: readGrantRef(from) };
    case COMMAND_NUMBER["lock.handOver"]:
      return {
        kind: "lock.handOver",
        grant: readGrantRef(from),
        to: from.string("to", TEXT),
      };
    case COMMAND_NUMBER["lock.configure"]:
      return readLineRule(from);
    case COMMAND_NUMBER["lock.annotate"]:
      return {
        kind: "lock.annotate",
        grant: readGrantRef(from),
        progress: from.string("progress", TEXT),
      };
    case COMMAND_NUMBER["lock.yield"]:
      return readYield(from);
    case COMMAND_NUMBER["lock.break"]:
      return readBreak(from, end);
    case COMMAND_NUMBER["slot.claim"]:
      return readSlotClaim(from, end);
    case COMMAND_NUMBER["slot.finish"]:
      return readSlotFinish(from);
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

type OfLease = { readonly name: string; readonly lease: string };

/** Of a line's, by nobody's name: only where all who hold are meant. */
function readAnyGrant(from: Reader): GrantRef | OfLease | { readonly name: string } | undefined {
  const tag = from.u8("grant");
  if (tag === GRANT_TAG.none) return undefined;
  if (tag === GRANT_TAG.key) return { key: from.string("key", TEXT) };
  const name = from.string("name", TEXT);
  if (tag === GRANT_TAG.token) return { name, token: from.count("token") };
  if (tag === GRANT_TAG.lease) return { name, lease: from.string("lease", TEXT) };
  if (tag === GRANT_TAG.line) return { name };
  throw from.error("grant", `is of unknown kind ${tag}`);
}

function readGrant(from: Reader): GrantRef | OfLease | undefined {
  const grant = readAnyGrant(from);
  if (grant === undefined || "key" in grant || "token" in grant || "lease" in grant) return grant;
  throw from.error("grant", "names a line and nobody in it");
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

function readNames(from: Reader): string[] {
  const size = from.items("names", LIST, 1);
  const names: string[] = [];
  for (let i = 0; i < size; i++) names.push(from.string("name", TEXT));
  return names;
}

function readAcquire(from: Reader, format: number, end: { at: number }): Command {
  const mode = LOCK_MODES[from.u8("mode")];
  const isKnown = mode !== undefined && (mode === "exclusive" || format >= 2);
  if (!isKnown) throw from.error("mode", "is unknown to this format");
  const flags = from.u8("flags");
  if (flags > (format < 2 ? 63 : 255))
    throw from.error("flags", `${flags} has bits unknown to this format`);
  const name = from.string("name", TEXT);
  const value = (flags & ACQUIRE_FLAG.value) === 0 ? "" : from.string("value", TEXT);
  const owner = (flags & ACQUIRE_FLAG.owner) === 0 ? "" : from.string("owner", TEXT);
  const labels = (flags & ACQUIRE_FLAG.labels) === 0 ? undefined : readLabels(from);
  const actor = (flags & ACQUIRE_FLAG.actor) === 0 ? "" : from.string("actor", TEXT);
  const wait = (flags & ACQUIRE_FLAG.wait) !== 0;
  const permits = (flags & ACQUIRE_FLAG.permits) === 0 ? 0 : from.count("permits");
  const names = (flags & ACQUIRE_FLAG.names) === 0 ? [] : readNames(from);
  let lease: AcquireCommand["lease"];
  if ((flags & ACQUIRE_FLAG.privateLease) === 0) {
    lease = from.string("lease", TEXT);
  } else {
    const ttlMs = from.count("ttlMs");
    end.at = from.offset;
    lease = { id: from.string("lease", TEXT), ttlMs };
  }
  const base = { kind: "lock.acquire", name, lease, value, owner, actor, wait } as const;
  if (labels === undefined && mode === "exclusive" && names.length === 0) return base;
  return {
    ...base,
    ...(labels === undefined ? {} : { labels }),
    ...(mode === "exclusive" ? {} : { mode }),
    ...(permits === 0 ? {} : { permits }),
    ...(names.length === 0 ? {} : { names }),
  };
}

function readSlotClaim(from: Reader, end: { at: number }): Command {
  const flags = from.u8("flags");
  if (flags > 7) throw from.error("flags", `${flags} has bits unknown to this format`);
  const job = from.string("job", TEXT);
  const slot = from.count("slot");
  const lateMs = (flags & SLOT_FLAG.lateMs) === 0 ? undefined : from.count("lateMs");
  const owner = from.string("owner", TEXT);
  const labels = readLabels(from);
  let lease: AcquireCommand["lease"];
  if ((flags & SLOT_FLAG.privateLease) === 0) {
    lease = from.string("lease", TEXT);
  } else {
    const ttlMs = from.count("ttlMs");
    end.at = from.offset;
    lease = { id: from.string("lease", TEXT), ttlMs };
  }
  const onAbandon = (flags & SLOT_FLAG.close) === 0 ? "reclaim" : "close";
  const base = { kind: "slot.claim", job, slot, lease, onAbandon, owner } as const;
  return {
    ...base,
    ...(lateMs === undefined ? {} : { lateMs }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

function readSlotFinish(from: Reader): Command {
  const grant = readGrantRef(from);
  const outcome = SLOT_OUTCOMES[from.u8("outcome")];
  if (outcome === undefined) throw from.error("outcome", "is unknown to this format");
  const note = from.string("note", TEXT);
  const command = { kind: "slot.finish", grant, outcome } as const;
  return note === "" ? command : { ...command, note };
}

function readLineRule(from: Reader): Command {
  const flags = from.u8("flags");
  if (flags > 7) throw from.error("flags", `${flags} has bits unknown to this format`);
  const command: Mutable<LockConfigureCommand> = {
    kind: "lock.configure",
    name: from.string("name", TEXT),
  };
  if ((flags & LINE_FLAG.permits) !== 0) command.permits = from.count("permits");
  if ((flags & LINE_FLAG.lockDelayMs) !== 0) command.lockDelayMs = from.count("lockDelayMs");
  if ((flags & LINE_FLAG.maxHoldMs) !== 0) command.maxHoldMs = from.count("maxHoldMs");
  return command;
}

function readYield(from: Reader): Command {
  const grant = readAnyGrant(from);
  if (grant === undefined || "lease" in grant) throw from.error("grant", "is missing");
  const graceMs = from.count("graceMs");
  const to = from.string("to", TEXT);
  return { kind: "lock.yield", grant, graceMs, ...(to === "" ? {} : { to }), ...readBlame(from) };
}

function readBreak(from: Reader, end: { at: number }): Command {
  const grant = readGrantRef(from);
  const steps = from.u8("steps");
  if (steps > 1) throw from.error("steps", `${steps} is unknown to this format`);
  const blame = readBlame(from);
  end.at = from.offset;
  const after = steps === 0 ? {} : { afterMs: from.count("afterMs") };
  return { kind: "lock.break", grant, ...after, ...blame };
}

function readBlame(from: Reader): { by?: string; why?: string } {
  const by = from.string("by", TEXT);
  const why = from.string("why", TEXT);
  return { ...(by === "" ? {} : { by }), ...(why === "" ? {} : { why }) };
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
