/** Elections: the exclusive line of a name, whose head's value is the leader's proclamation. */
import Type from "typebox";
import {
  count,
  Key,
  Labels,
  Lease,
  Name,
  Owner,
  Revision,
  record,
  Token,
  Value,
} from "./fields.js";
import { LockReleaseParams, LockReleaseResult, standing } from "./lock.js";

export const ElectionCampaignParams = record({ ...standing, value: Type.Optional(Value) });
export { ElectionCampaignResult } from "./lock.js";

export const ElectionProclaimParams = Type.Union([
  record({ key: Key, value: Value }),
  record({ name: Name, token: Token, value: Value }),
]);
export const ElectionProclaimResult = record({ revision: Revision });

export const ElectionResignParams = LockReleaseParams;
export const ElectionResignResult = LockReleaseResult;

export const Leader = record(
  {
    name: Name,
    key: Key,
    token: Token,
    lease: Lease,
    value: Value,
    owner: Type.Optional(Owner),
    labels: Type.Optional(Labels),
    sinceMs: count("How long it has led, in cluster time."),
  },
  "Who leads, with what it proclaims.",
);
export const ElectionLeaderParams = record({ name: Name });
export const ElectionLeaderResult = record({
  leader: Type.Optional(Leader),
  revision: Revision,
});

export const ElectionObserveParams = record({
  name: Name,
  from: Type.Optional(
    count("The first revision wanted, inclusive; absent: the leader of now first."),
  ),
});
export const ElectionObserveResult = record({ revision: Revision });
