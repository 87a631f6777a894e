/**
 * Commands to bytes. A command is encoded once, by the node that its client talks to; the same
 * bytes go to the leader, the WAL, the peers and apply. What a node draws at random for a request
 * (a lease's id), or measures for it, stands last, so that the request's fingerprint can leave it
 * out.
 */
import { unreachable } from "../../base/assert.js";
import type { Writer } from "../../base/codec.js";
import type {
  AcquireCommand,
  BreakCommand,
  Command,
  Compare,
  Conditions,
  ConfigureCommand,
  GrantRef,
  KeySpan,
  Labels,
  LeaseGrantCommand,
  LineCommand,
  LockConfigureCommand,
  Origin,
  RangeQuery,
  RequestIdentity,
  SlotClaimCommand,
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
  REQUEST_TAG,
  SLOT_FLAG,
  SLOT_OUTCOMES,
  SORT_FIELDS,
  SPAN_TAG,
  STEP_TAG,
  WRITE_FLAG,
} from "./number.js";

const TWO_32 = 0x1_0000_0000;

/** Appends the command to `into`; the caller frames it. */
export function writeCommand(
  into: Writer,
  command: Command,
  origin: Origin,
  request: RequestIdentity | null,
): void {
  into.u32(origin.boot % TWO_32);
  into.u16(Math.floor(origin.boot / TWO_32));
  into.count(origin.number);
  writeRequest(into, request);
  into.count(COMMAND_NUMBER[command.kind]);
  writeBody(into, command);
}

/** The command as bytes of their own, for `EntryBuilder` or to be forwarded. */
export function encodeCommand(
  scratch: Writer,
  command: Command,
  origin: Origin,
  request: RequestIdentity | null,
): Uint8Array {
  scratch.reset();
  writeCommand(scratch, command, origin, request);
  return scratch.finish();
}

function writeRequest(into: Writer, request: RequestIdentity | null): void {
  if (request === null) {
    into.u8(REQUEST_TAG.none);
  } else if ("client" in request) {
    into.u8(REQUEST_TAG.client);
    into.string(request.client);
    into.count(request.number);
    into.count(request.low);
    into.string(request.lease ?? "");
  } else {
    into.u8(REQUEST_TAG.idempotent);
    into.string(request.key);
    into.string(request.fingerprint);
  }
}

function writeBody(into: Writer, command: Command): void {
  switch (command.kind) {
    case "kv.put": {
      const { lease = "" } = command;
      into.u8(writeFlags(command) | (lease === "" ? 0 : WRITE_FLAG.lease));
      into.string(command.key);
      into.string(command.value);
      if (lease !== "") into.string(lease);
      writeConditions(into, command);
      return;
    }
    case "kv.append":
      into.string(command.prefix);
      into.string(command.value);
      into.string(command.lease ?? "");
      writeGrant(into, command.heldBy);
      return;
    case "kv.delete":
      into.u8(writeFlags(command));
      writeSpan(into, command.span);
      writeConditions(into, command);
      return;
    case "kv.txn":
      writeGrant(into, command.heldBy);
      writeTxn(into, command);
      return;
    case "lease.grant":
      writeLeaseGrant(into, command);
      return;
    case "lease.revoke":
      into.string(command.lease);
      return;
    case "lease.expire":
      into.count(command.asOfIndex);
      into.count(command.leases.length);
      for (const lease of command.leases) into.string(lease);
      return;
    case "system.configure":
      writeConfigure(into, command);
      return;
    default:
      writeLineBody(into, command);
  }
}

/** Of commands about lines, and what stands in them. */
function writeLineBody(into: Writer, command: LineCommand): void {
  switch (command.kind) {
    case "lock.acquire":
      writeAcquire(into, command);
      return;
    case "lock.cancel":
      into.string(command.key);
      return;
    case "lock.release":
      writeGrant(into, command.grant);
      return;
    case "lock.handOver":
      writeGrant(into, command.grant);
      into.string(command.to);
      return;
    case "lock.configure":
      writeLineRule(into, command);
      return;
    case "lock.annotate":
      writeGrant(into, command.grant);
      into.string(command.progress);
      return;
    case "lock.yield":
      writeGrant(into, command.grant);
      into.count(command.graceMs);
      into.string(command.to ?? "");
      into.string(command.by ?? "");
      into.string(command.why ?? "");
      return;
    case "lock.break":
      writeBreak(into, command);
      return;
    case "slot.claim":
      writeSlotClaim(into, command);
      return;
    case "slot.finish":
      writeGrant(into, command.grant);
      into.u8(SLOT_OUTCOMES.indexOf(command.outcome));
      into.string(command.note ?? "");
      return;
    case "election.proclaim":
      writeGrant(into, command.grant);
      into.string(command.value);
      return;
    default:
      unreachable(command, "writeLineBody");
  }
}

/** How long its holder has is measured by the node, anew each time that it is asked: last. */
function writeBreak(into: Writer, { grant, afterMs = 0, by = "", why = "" }: BreakCommand): void {
  writeGrant(into, grant);
  into.u8(afterMs > 0 ? 1 : 0);
  into.string(by);
  into.string(why);
  if (afterMs > 0) into.count(afterMs);
}

function writeFlags(command: Conditions & { readonly prev?: boolean }): number {
  let flags = 0;
  if (command.prevExist === true) flags |= WRITE_FLAG.prevExistTrue;
  if (command.prevExist === false) flags |= WRITE_FLAG.prevExistFalse;
  if (command.prevRevision !== undefined) flags |= WRITE_FLAG.prevRevision;
  if (command.prevValue !== undefined) flags |= WRITE_FLAG.prevValue;
  if (command.heldBy !== undefined) flags |= WRITE_FLAG.heldBy;
  if (command.prev === true) flags |= WRITE_FLAG.prev;
  return flags;
}

function writeConditions(into: Writer, conditions: Conditions): void {
  if (conditions.prevRevision !== undefined) into.count(conditions.prevRevision);
  if (conditions.prevValue !== undefined) into.string(conditions.prevValue);
  if (conditions.heldBy !== undefined) writeGrant(into, conditions.heldBy);
}

function writeSpan(into: Writer, span: KeySpan): void {
  if ("key" in span) {
    into.u8(SPAN_TAG.key);
    into.string(span.key);
  } else if (span.to === null) {
    into.u8(SPAN_TAG.unbounded);
    into.string(span.from);
  } else {
    into.u8(SPAN_TAG.bounded);
    into.string(span.from);
    into.string(span.to);
  }
}

function writeGrant(
  into: Writer,
  grant:
    | GrantRef
    | { readonly name: string; readonly lease: string }
    | { readonly name: string }
    | undefined,
): void {
  if (grant === undefined) {
    into.u8(GRANT_TAG.none);
  } else if ("key" in grant) {
    into.u8(GRANT_TAG.key);
    into.string(grant.key);
  } else if ("token" in grant) {
    into.u8(GRANT_TAG.token);
    into.string(grant.name);
    into.count(grant.token);
  } else if ("lease" in grant) {
    into.u8(GRANT_TAG.lease);
    into.string(grant.name);
    into.string(grant.lease);
  } else {
    into.u8(GRANT_TAG.line);
    into.string(grant.name);
  }
}

function writeLabels(into: Writer, labels: Labels): void {
  const names = Object.keys(labels).sort();
  into.count(names.length);
  for (const name of names) {
    into.string(name);
    into.string(labels[name] ?? "");
  }
}

function writeLeaseGrant(into: Writer, command: LeaseGrantCommand): void {
  into.count(command.ttlMs);
  into.string(command.owner ?? "");
  writeLabels(into, command.labels ?? {});
  into.string(command.lease);
}

function writeAcquire(into: Writer, command: AcquireCommand): void {
  const { lease, value = "", owner = "", labels = {}, actor = "" } = command;
  const { mode = "exclusive", permits = 0, names = [] } = command;
  const labelled = Object.keys(labels).length > 0;
  let flags = command.wait ? ACQUIRE_FLAG.wait : 0;
  if (typeof lease !== "string") flags |= ACQUIRE_FLAG.privateLease;
  if (value !== "") flags |= ACQUIRE_FLAG.value;
  if (owner !== "") flags |= ACQUIRE_FLAG.owner;
  if (labelled) flags |= ACQUIRE_FLAG.labels;
  if (actor !== "") flags |= ACQUIRE_FLAG.actor;
  if (permits > 0) flags |= ACQUIRE_FLAG.permits;
  if (names.length > 0) flags |= ACQUIRE_FLAG.names;
  into.u8(LOCK_MODES.indexOf(mode));
  into.u8(flags);
  into.string(command.name);
  if (value !== "") into.string(value);
  if (owner !== "") into.string(owner);
  if (labelled) writeLabels(into, labels);
  if (actor !== "") into.string(actor);
  if (permits > 0) into.count(permits);
  if (names.length > 0) {
    into.count(names.length);
    for (const one of names) into.string(one);
  }
  if (typeof lease === "string") {
    into.string(lease);
  } else {
    into.count(lease.ttlMs);
    into.string(lease.id);
  }
}

function writeSlotClaim(into: Writer, command: SlotClaimCommand): void {
  const { job, slot, lease, onAbandon, lateMs, owner = "", labels = {} } = command;
  let flags = typeof lease === "string" ? 0 : SLOT_FLAG.privateLease;
  if (onAbandon === "close") flags |= SLOT_FLAG.close;
  if (lateMs !== undefined) flags |= SLOT_FLAG.lateMs;
  into.u8(flags);
  into.string(job);
  into.count(slot);
  if (lateMs !== undefined) into.count(lateMs);
  into.string(owner);
  writeLabels(into, labels);
  if (typeof lease === "string") {
    into.string(lease);
  } else {
    into.count(lease.ttlMs);
    into.string(lease.id);
  }
}

function writeLineRule(into: Writer, command: LockConfigureCommand): void {
  const { permits, lockDelayMs, maxHoldMs } = command;
  let flags = 0;
  if (permits !== undefined) flags |= LINE_FLAG.permits;
  if (lockDelayMs !== undefined) flags |= LINE_FLAG.lockDelayMs;
  if (maxHoldMs !== undefined) flags |= LINE_FLAG.maxHoldMs;
  into.u8(flags);
  into.string(command.name);
  if (permits !== undefined) into.count(permits);
  if (lockDelayMs !== undefined) into.count(lockDelayMs);
  if (maxHoldMs !== undefined) into.count(maxHoldMs);
}

function writeConfigure(into: Writer, command: ConfigureCommand): void {
  const { maxStateBytes, historyRevisions, historyBytes } = command;
  let flags = 0;
  if (maxStateBytes !== undefined) flags |= CONFIGURE_FLAG.maxStateBytes;
  if (historyRevisions !== undefined) flags |= CONFIGURE_FLAG.historyRevisions;
  if (historyBytes !== undefined) flags |= CONFIGURE_FLAG.historyBytes;
  into.u8(flags);
  if (maxStateBytes !== undefined) into.count(maxStateBytes);
  if (historyRevisions !== undefined) into.count(historyRevisions);
  if (historyBytes !== undefined) into.count(historyBytes);
}

function writeTxn(into: Writer, txn: Txn): void {
  into.count(txn.compare.length);
  for (const compare of txn.compare) writeCompare(into, compare);
  into.count(txn.success.length);
  for (const step of txn.success) writeStep(into, step);
  into.count(txn.failure.length);
  for (const step of txn.failure) writeStep(into, step);
}

function writeCompare(into: Writer, compare: Compare): void {
  into.u8(COMPARE_TARGETS.indexOf(compare.target));
  into.u8(COMPARE_OPERATORS.indexOf(compare.op));
  if (compare.target === "heldBy") {
    writeGrant(into, compare.grant);
    return;
  }
  writeSpan(into, compare.span);
  if (typeof compare.to === "string") into.string(compare.to);
  else into.count(compare.to);
}

function writeStep(into: Writer, step: TxnStep): void {
  into.u8(STEP_TAG[step.op]);
  switch (step.op) {
    case "put":
      into.boolean(step.prev === true);
      into.string(step.key);
      into.string(step.value);
      into.string(step.lease ?? "");
      return;
    case "append":
      into.string(step.prefix);
      into.string(step.value);
      into.string(step.lease ?? "");
      return;
    case "delete":
      into.boolean(step.prev === true);
      writeSpan(into, step.span);
      return;
    case "range":
      writeRange(into, step.query);
      return;
    case "txn":
      writeTxn(into, step.txn);
      return;
    default:
      unreachable(step, "writeStep");
  }
}

function writeRange(into: Writer, query: RangeQuery): void {
  let flags = query.descending === true ? RANGE_FLAG.descending : 0;
  if (query.limit !== undefined) flags |= RANGE_FLAG.limit;
  if (query.after !== undefined) flags |= RANGE_FLAG.after;
  if (query.keysOnly === true) flags |= RANGE_FLAG.keysOnly;
  if (query.countOnly === true) flags |= RANGE_FLAG.countOnly;
  if (query.minCreateRevision !== undefined) flags |= RANGE_FLAG.minCreateRevision;
  if (query.maxCreateRevision !== undefined) flags |= RANGE_FLAG.maxCreateRevision;
  if (query.minModRevision !== undefined) flags |= RANGE_FLAG.minModRevision;
  if (query.maxModRevision !== undefined) flags |= RANGE_FLAG.maxModRevision;
  into.u16(flags);
  writeSpan(into, query.span);
  into.u8(SORT_FIELDS.indexOf(query.sortBy ?? "key"));
  if (query.limit !== undefined) into.count(query.limit);
  if (query.after !== undefined) into.string(query.after);
  if (query.minCreateRevision !== undefined) into.count(query.minCreateRevision);
  if (query.maxCreateRevision !== undefined) into.count(query.maxCreateRevision);
  if (query.minModRevision !== undefined) into.count(query.minModRevision);
  if (query.maxModRevision !== undefined) into.count(query.maxModRevision);
}
