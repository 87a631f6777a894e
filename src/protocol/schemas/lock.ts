/** Locks: lines of leased, sequenced keys. */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import {
  Actor,
  bytes,
  count,
  Ended,
  EndReason,
  flag,
  GrantRef,
  Holder,
  Key,
  Labels,
  Lease,
  Name,
  Owner,
  PollMs,
  Prefix,
  RemainingMs,
  Revision,
  record,
  Token,
  TtlMs,
  WaitMs,
} from "./fields.js";

/** What every wait in line takes; shared with campaigns. */
export const standing = {
  name: Name,
  lease: Type.Optional(Lease),
  ttlMs: Type.Optional(TtlMs),
  waitMs: Type.Optional(WaitMs),
  pollMs: Type.Optional(PollMs),
  owner: Type.Optional(Owner),
  labels: Type.Optional(Labels),
  actor: Type.Optional(Actor),
  minRemainingMs: Type.Optional(
    count("A grant whose lease has less time left than this is given up.", 0, LIMITS.ttlMaxMs),
  ),
  position: Type.Optional(flag("Push `position` events while it waits.")),
};

const Granted = record(
  {
    name: Name,
    key: Key,
    token: Token,
    lease: Lease,
    revision: Revision,
    ttlMs: TtlMs,
    remainingMs: RemainingMs,
    waitedMs: count("How long it stood in line."),
  },
  "It is held from here on.",
);
const Waiting = record(
  {
    waiting: Type.Literal(true),
    position: count("The place in line; 1 is next.", 1),
    lease: Lease,
  },
  "Still in line: ask on under the same request id.",
);

export const LockAcquireParams = record({
  ...standing,
  mode: Type.Optional(Type.Literal("exclusive")),
});
export const LockAcquireResult = Type.Union([Granted, Waiting]);

export const LockReleaseParams = GrantRef;
export const LockReleaseResult = record({
  released: flag("Whether this call ended the grant."),
  ended: Type.Optional(Ended),
});

export const LockCheckParams = GrantRef;
export const LockCheckResult = record({
  held: Type.Literal(true),
  key: Key,
  token: Token,
  lease: Lease,
  remainingMs: RemainingMs,
});

export const LockInspectParams = record({
  name: Name,
  limit: Type.Optional(count("At most so many waiters; 1000 when absent.", 1, LIMITS.rangeRecords)),
});
const Transition = record({
  key: Key,
  token: Token,
  lease: Lease,
  owner: Type.Optional(Owner),
  reason: EndReason,
  heldMs: count("How long it was held; 0 if it only waited."),
  sinceMs: count("How long ago it ended, in cluster time."),
});
export const LockInspectResult = record({
  name: Name,
  holders: Type.Array(Holder),
  waiters: Type.Array(Holder, { description: "The first of the line, in order." }),
  waiterCount: count("All who wait."),
  recent: Type.Array(Transition, { description: "The last ends of grants, newest first." }),
  ignored: Type.Array(bytes("A key below the name that is no entry of the line.")),
  revision: Revision,
});

export const LockListParams = record({
  prefix: Type.Optional(Prefix),
  after: Type.Optional(bytes("Begin after this name; to page by.")),
  limit: Type.Optional(count("At most so many.", 1, LIMITS.rangeRecords)),
});
export const LockListResult = record({
  locks: Type.Array(
    record({ name: Name, holders: Type.Array(Holder), waiterCount: count("All who wait.") }),
  ),
  more: flag("Whether there are more."),
  revision: Revision,
});
