/** Runs of jobs: each claimed by one at a time, and over for ever once it is over. */
import Type from "typebox";
import { count, Key, Labels, Lease, Name, Owner, record, remark, Token, TtlMs } from "./fields.js";
import { Granted } from "./lock.js";

const Slot = count("Which run: the time it was scheduled for, in milliseconds since 1970.");

export const SlotClaimParams = record({
  job: Name,
  slot: Slot,
  lease: Type.Optional(Lease),
  ttlMs: Type.Optional(TtlMs),
  owner: Type.Optional(Owner),
  labels: Type.Optional(Labels),
  onAbandon: Type.Optional(
    Type.Union([Type.Literal("reclaim"), Type.Literal("close")], {
      description:
        "What becomes of the run when the claim ends without an outcome. Default: reclaim.",
    }),
  ),
  lateMs: Type.Optional(
    count("Not when the cluster's wall clock is later than the slot by more than this."),
  ),
});
export const SlotClaimResult = Granted;

const outcome = {
  outcome: Type.Union([Type.Literal("done"), Type.Literal("failed")]),
  note: Type.Optional(remark("For people.")),
};
export const SlotFinishParams = Type.Union([
  record({ key: Key, ...outcome }),
  record({ name: Name, token: Token, ...outcome }),
]);
export const SlotFinishResult = record({
  job: Name,
  slot: Slot,
  outcome: Type.Union([Type.Literal("done"), Type.Literal("failed")]),
});
