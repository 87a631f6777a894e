/** Leases: the one thing that dies with its client. */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import {
  bytes,
  count,
  Ended,
  flag,
  Labels,
  Lease,
  Owner,
  RemainingMs,
  record,
  Stamp,
  TtlMs,
} from "./fields.js";

export const LeaseGrantParams = record({
  ttlMs: TtlMs,
  lease: Type.Optional(Lease),
  owner: Type.Optional(Owner),
  labels: Type.Optional(Labels),
  stamp: Type.Optional(Stamp),
});
export const LeaseGrantResult = record({
  lease: Lease,
  ttlMs: TtlMs,
  remainingMs: RemainingMs,
  stamp: Type.Optional(Stamp),
});

const OneKeptAlive = record({
  lease: Lease,
  ttlMs: TtlMs,
  remainingMs: RemainingMs,
  stamp: Type.Optional(Stamp),
});
/** One of several: `ended` in place of the times when it is over. */
const OneOfMany = record({
  lease: Lease,
  ttlMs: Type.Optional(TtlMs),
  remainingMs: Type.Optional(RemainingMs),
  ended: Type.Optional(Ended),
});
export const LeaseKeepaliveParams = Type.Union([
  record({ lease: Lease, stamp: Type.Optional(Stamp) }),
  record({
    leases: Type.Array(Lease, { minItems: 1, maxItems: LIMITS.leasesPerMessage }),
    stamp: Type.Optional(Stamp),
  }),
]);
export const LeaseKeepaliveResult = Type.Union([
  OneKeptAlive,
  record({
    leases: Type.Array(OneOfMany, { description: "In the order asked." }),
    stamp: Type.Optional(Stamp),
  }),
]);

export const LeaseRevokeParams = record({ lease: Lease });
export const LeaseRevokeResult = record({
  lease: Lease,
  revoked: flag("Whether this call ended it."),
  ended: Type.Optional(Ended),
});

export const LeaseGetParams = record({ lease: Lease });
export const LeaseGetResult = record({
  lease: Lease,
  ttlMs: Type.Optional(TtlMs),
  remainingMs: Type.Optional(RemainingMs),
  owner: Type.Optional(Owner),
  labels: Type.Optional(Labels),
  keys: Type.Optional(
    Type.Array(bytes("A key that ends with the lease."), {
      description: "The first of them in order of bytes, at most 4 MiB.",
    }),
  ),
  keyCount: Type.Optional(count("How many keys it carries.")),
  ended: Type.Optional(Ended),
});

export const LeaseListParams = record({
  after: Type.Optional(bytes("Begin after this lease; to page by.", 16)),
  limit: Type.Optional(count("At most so many.", 1, LIMITS.rangeRecords)),
});
export const LeaseListResult = record({
  leases: Type.Array(
    record({
      lease: Lease,
      ttlMs: TtlMs,
      remainingMs: RemainingMs,
      owner: Type.Optional(Owner),
      labels: Type.Optional(Labels),
      keyCount: count("How many keys it carries."),
    }),
    { description: "At most 4 MiB of them, and one at least." },
  ),
  more: flag("Whether there are more."),
});
