/** Locks: lines of leased, sequenced keys. */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import {
  Actor,
  Asked,
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
  Rule,
  record,
  remark,
  Token,
  TtlMs,
  text,
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

const granted = {
  name: Name,
  key: Key,
  token: Token,
  lease: Lease,
  revision: Revision,
  ttlMs: TtlMs,
  remainingMs: RemainingMs,
  waitedMs: count("How long it stood in line."),
};
const HELD = "It is held from here on.";

/** Of one name, granted: all that a claim is answered. */
export const Granted = record(granted, HELD);
const GrantedAll = record(
  {
    ...granted,
    names: Type.Optional(Type.Array(Name, { description: "Of several names: all of them." })),
    keys: Type.Optional(
      Type.Array(Key, { description: "The key of each; any of them names the grant." }),
    ),
  },
  HELD,
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
  name: Type.Optional(Name),
  names: Type.Optional(
    Type.Array(Name, {
      minItems: 1,
      maxItems: LIMITS.namesPerAcquire,
      uniqueItems: true,
      description: "In place of `name`: all of these at once, or none. Exclusive.",
    }),
  ),
  mode: Type.Optional(
    Type.Union([Type.Literal("exclusive"), Type.Literal("shared")], {
      description: "shared: beside other readers, never beside a writer.",
    }),
  ),
  permits: Type.Optional(
    count(
      "Of a semaphore: how many may hold at once. All who ask must say the same.",
      1,
      LIMITS.permitsMax,
    ),
  ),
});
export const LockAcquireResult = Type.Union([GrantedAll, Waiting]);
export const ElectionCampaignResult = Type.Union([Granted, Waiting]);

const To = bytes(
  "The key of an entry that waits there: it is next, before all ahead of it.",
  LIMITS.keyBytes,
  1,
);
export const LockReleaseParams = Type.Union([
  record({ key: Key, toKey: Type.Optional(To) }),
  record({ name: Name, token: Token, toKey: Type.Optional(To) }),
]);
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
  asked: Type.Optional(Asked),
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
  by: Type.Optional(text("Who ended it, where somebody else did.")),
  why: Type.Optional(remark("Why, as they said.")),
  heldMs: count("How long it was held."),
  sinceMs: count("How long ago it ended, in cluster time."),
});
/** At most 4 MiB of all four lists together: whoever holds comes first, stray keys last. */
export const LockInspectResult = record({
  name: Name,
  rule: Rule,
  holders: Type.Array(Holder, {
    description: "The first of those who hold, in order; at most 4 MiB with all that follows.",
  }),
  holderCount: count("All who hold."),
  waiters: Type.Array(Holder, { description: "The first of the line, in order." }),
  waiterCount: count("All who wait."),
  recent: Type.Array(Transition, { description: "The last ends of grants, newest first." }),
  ignored: Type.Array(bytes("A key below the name that is no entry of the line.")),
  revision: Revision,
});

export const LockListParams = record({
  prefix: Type.Optional(Prefix),
  after: Type.Optional(bytes("Begin after this name; to page by.")),
  owner: Type.Optional(text("Only locks that are held by an owner of this name.")),
  limit: Type.Optional(count("At most so many.", 1, LIMITS.rangeRecords)),
});
export const LockListResult = record({
  locks: Type.Array(
    record({
      name: Name,
      rule: Rule,
      holders: Type.Array(Holder, {
        description: "The first of those who hold, in order: at most 16, at most 32 KiB.",
      }),
      holderCount: count("All who hold."),
      waiterCount: count("All who wait."),
    }),
    { description: "At most 4 MiB of them, and one at least." },
  ),
  more: flag("Whether there are more."),
  next: Type.Optional(bytes("With `more`: go on after this name.")),
  revision: Revision,
});

const By = text("Who asks, for people: shown to the holder and in the lock's history.");
const Why = remark("Why, for people.");
const Progress = remark("What is shown of the holder's work.");
export const LockAnnotateParams = Type.Union([
  record({ key: Key, progress: Progress }),
  record({ name: Name, token: Token, progress: Progress }),
]);
export const LockAnnotateResult = record({});

const GraceMs = count("How long the holder is given to hand over.", 0, LIMITS.graceMaxMs);
const ask = {
  graceMs: Type.Optional(GraceMs),
  toKey: Type.Optional(To),
  by: Type.Optional(By),
  why: Type.Optional(Why),
};
export const LockYieldParams = Type.Union([
  record({ key: Key, ...ask }),
  record({ name: Name, token: Type.Optional(Token), ...ask }),
]);
export const LockYieldResult = record({
  keys: Type.Array(Key, { description: "Those who were asked." }),
});

const end = {
  by: Type.Optional(By),
  why: Type.Optional(Why),
  force: Type.Optional(
    flag("End it at once. Else its holder is asked first, and has what is left of its lease."),
  ),
};
export const LockBreakParams = Type.Union([
  record({ key: Key, ...end }),
  record({ name: Name, token: Token, ...end }),
]);
export const LockBreakResult = record({
  broken: flag("Whether this call ended the grant."),
  breaksInMs: Type.Optional(
    count("The call was cancelled while it waited; the grant ends after so long all the same."),
  ),
  ended: Type.Optional(Ended),
});

export const LockConfigureParams = record({
  name: Name,
  permits: Type.Optional(
    count("How many may hold at once; 0: as requests say.", 0, LIMITS.permitsMax),
  ),
  lockDelayMs: Type.Optional(
    count(
      "So long nobody is granted after a holder whose lease ran out; 0: not at all.",
      0,
      LIMITS.lockDelayMaxMs,
    ),
  ),
  maxHoldMs: Type.Optional(
    count("So long a grant may last from then on; 0: as long as its lease.", 0, LIMITS.holdMaxMs),
  ),
});
export const LockConfigureResult = record({ rule: Rule });
