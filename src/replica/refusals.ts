/** What the state refused, as a failure for people: what was wrong, where, what to do. */
import type { Holder } from "holdfast-protocol";
import type { EntryView, Refusal, RuleView, StateErrorCode } from "../state/index.js";
import type { Failure } from "./coordinator/index.js";
import { heldText, holderOf, holderText } from "./views.js";

type Details = Readonly<Record<string, unknown>>;

const shown = (details: Details, field: string): string => {
  const value = details[field];
  return typeof value === "string" || typeof value === "number" ? `${value}` : "?";
};

const MESSAGES: { readonly [Code in StateErrorCode]: (details: Details) => string } = {
  LOCK_HELD: d =>
    `${shown(d, "name")} ${heldText(firstHolder(d))}; wait for it with waitMs, or try later`,
  NOT_HELD: d => `the grant does not stand (any more): ${shown(d, "reason")}; acquire it anew`,
  ALREADY_IN_LINE: d =>
    `this lease and actor already stand in this line as ${shown(d, "key")}; there is no reentrancy`,
  NO_UPGRADE: d =>
    `this lease and actor stand in this line as ${shown(d, "key")}, in mode ${shown(d, "mode")}; ` +
    "release that first: there is no upgrade",
  DEADLOCK: () =>
    "the wait would never end, since those ahead wait for this very actor; details.members says who",
  AMBIGUOUS_GRANT: () => "shared grants have one token together; name yours by its key",
  NOT_IN_LINE: d => `${shown(d, "key")} does not wait in that line; see who does with lock.inspect`,
  NOT_MOVABLE: d =>
    `${shown(d, "key")} stands ahead and cannot be given another place: it stands in other lines ` +
    "too, or came as a plain key",
  SLOT_TAKEN: d => `run ${shown(d, "slot")} of ${shown(d, "job")} ${claimedText(firstHolder(d))}`,
  SLOT_CLOSED: d =>
    `run ${shown(d, "slot")} of ${shown(d, "job")} is over: ` +
    (d.outcome === undefined ? "it is older than all that is remembered" : shown(d, "outcome")),
  SLOT_LATE: d =>
    `run ${shown(d, "slot")} of ${shown(d, "job")} is ${shown(d, "lateMs")} ms late, more than lateMs`,
  NOT_A_CLAIM: d => `${shown(d, "key")} is no claim of a run; end it with lock.release`,
  ONE_ENTRY_PER_LINE: () => "one command may create only one entry in a line; use several",
  RULE_MISMATCH: d => `${shown(d, "name")} is ${ruleText(d.rule)}; ask for that`,
  NO_SUCH_GRANT: () => "there never was such a grant; give the key, or name and token, as granted",
  LEASE_ENDED: d =>
    `lease ${shown(d, "lease")} has ended (${shown(d, "reason")}); get a new one with lease.grant`,
  LEASE_EXISTS: d =>
    `a lease ${shown(d, "lease")} exists already; ask anew, with another id or none`,
  NO_SUCH_LEASE: d =>
    `there is no lease ${shown(d, "lease")}, or it ended long ago; get one with lease.grant`,
  LEASE_FULL: d => `the lease carries ${shown(d, "limit")} keys and can take no more`,
  CONDITION_FAILED: d =>
    `a condition is false at revision ${shown(d, "revision")}; details.current is the record`,
  ENTRY_PROTECTED: d =>
    `${shown(d, "key")} is an entry of a line: a put may change its value only, never its lease`,
  RESERVED_NAME: d =>
    `${shown(d, "key")} ends in 20 digits: such keys are made by kv.append, not by put`,
  HISTORY_GONE: d =>
    `what was asked for has left the history, which begins at revision ` +
    `${shown(d, "oldestRevision")}; read the present state (${shown(d, "revision")}) and go on there`,
  REVISION_IN_FUTURE: d => `revision ${shown(d, "revision")} has not been reached yet`,
  STATE_FULL: d =>
    d.looks !== undefined
      ? "so many stand in several lines that no more circles are looked for at once; ask again"
      : d.limitBytes === undefined
        ? `there are ${shown(d, "limit")} of these already, and there may be no more; end some first`
        : `the state has reached its ${shown(d, "limitBytes")} bytes; delete or release something first`,
  TOO_MANY_KEYS: d =>
    d.holderCount !== undefined
      ? `${shown(d, "holderCount")} hold it: ask them one by one, by their keys`
      : d.ahead !== undefined
        ? `${shown(d, "ahead")} stand ahead of it, and ${shown(d, "limit")} at most may be passed`
        : `one command may change ${shown(d, "limit")} keys; split it`,
  REQUEST_EXPIRED: () =>
    "this was asked before, or long ago, and no answer is kept: whether it took effect is unknown",
  REQUEST_ID_REUSED: () => "this request id was used for another request; use a new one",
  IDEMPOTENCY_FULL: () => "the table of Idempotency-Keys is full; try later, under the same one",
  REQUESTS_FULL: () => "the table of clients' requests is full; try later, under the same number",
  INVALID_PARAMETER: d => `${shown(d, "parameter")} is not as it should be`,
  KEY_TOO_LARGE: d => `the key is longer than ${shown(d, "limitBytes")} bytes; shorten it`,
  VALUE_TOO_LARGE: d => `the value is longer than ${shown(d, "limitBytes")} bytes; shorten it`,
  RESULT_TOO_LARGE: d =>
    d.limitBytes === undefined
      ? `the answer needs a look at more than ${shown(d, "limit")} keys; ask for less at a time`
      : `the answer would be longer than ${shown(d, "limitBytes")} bytes; ask for less at a time`,
};

/** A line's rule in words, as far as it decides who may stand there. */
function ruleText(rule: unknown): string {
  const { kind, permits } = rule as Partial<RuleView>;
  return kind === "semaphore" ? `a semaphore of ${permits} permits` : "a lock, without permits";
}

/** `clusterMs`: the cluster's time now, as this node guesses it. */
export function failureOf(refusal: Refusal, clusterMs: number): Failure {
  const details = shownDetails(refusal.details, clusterMs);
  return { code: refusal.code, message: MESSAGES[refusal.code](details), details };
}

/** Holders come from the state with times, and go out with durations. */
function shownDetails(details: Details, clusterMs: number): Details {
  const holders = details.holders;
  if (!Array.isArray(holders)) return details;
  const views = holders as readonly EntryView[];
  return { ...details, holders: views.map(view => holderOf(view, clusterMs)) };
}

/** Beside one whose lease has run out others may hold, if they read. */
function firstHolder({ holders }: Details): Holder | undefined {
  if (!Array.isArray(holders)) return undefined;
  const all = holders as readonly Holder[];
  return all.find(one => one.shutForMs === undefined) ?? all[0];
}

function claimedText(holder: Holder | undefined): string {
  if (holder === undefined) return "is claimed by another";
  return holder.shutForMs === undefined ? `is claimed by ${holderText(holder)}` : heldText(holder);
}
