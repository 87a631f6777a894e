/**
 * `slot.claim` and `slot.finish`. A claim is the only entry of a line of its own, so that it is
 * leased, fenced, shown and ended like every other grant; what is added is what remains of it.
 */
import type { GrantRef, SlotClaimCommand, SlotFinishCommand } from "../command/command.js";
import { type CommandResult, type Refusal, refuse } from "../command/result.js";
import { checkLease, checkLeaseRoom, checkName, checkRoom, invalid } from "../kv/check.js";
import { EntryDetail, KvRecord, PLAIN, recordBytes } from "../kv/record.js";
import { DIGITS, isSequencedForm, twentyDigits } from "../kv/sequence.js";
import { leaseBytes, putRecord, removeRecord } from "../kv/write.js";
import { Lease } from "../lease/lease.js";
import { addLease, checkNewLease, checkShown } from "../lease/lease-commands.js";
import { extraOfGrant, grantOf } from "../lock/admit.js";
import { checkRule } from "../lock/rule.js";
import { holderViews, named, notHeld, standing } from "../lock/standing.js";
import type { World } from "../world.js";
import { type ClosedSlot, Slots } from "./slots.js";

const NO_LABELS = {};

export function applySlotClaim(world: World, command: SlotClaimCommand): CommandResult {
  const refused = checkClaim(world, command) ?? checkOpen(world, command);
  if (refused !== null) return refused;
  const { job, slot, lease, owner = "", labels = NO_LABELS, onAbandon } = command;
  const line = Slots.lineOf(job, slot);
  const revision = world.revision + 1;
  const key = world.keys.of(line, revision);
  const id = typeof lease === "string" ? lease : lease.id;
  const made =
    typeof lease === "string"
      ? null
      : new Lease(id, lease.ttlMs, owner, labels, key, world.appliedIndex);
  const entry = new EntryDetail(
    line,
    0,
    "exclusive",
    owner === "" ? (world.leases.get(id)?.owner ?? "") : owner,
    command.labels ?? world.leases.get(id)?.shownLabels ?? null,
    "",
    made !== null,
    world.now,
    revision,
    world.now,
    extraOfGrant(
      world,
      line,
      "exclusive",
      { ...PLAIN, claim: { job, slot, onAbandon } },
      world.ruleOf(line)?.maxHoldMs ?? 0,
    ),
  );
  const record = new KvRecord(key, "", revision, revision, 1, id, "", entry);
  // What remains of it must have its place too: the end of a claim is never refused.
  const after = world.slots.growth(job, world.limits.maxProgressBytes);
  const needed = recordBytes(record) + (made === null ? 0 : leaseBytes(made));
  const full = checkRoom(world, needed + after);
  if (full !== null) return full;
  world.beginWrite();
  if (made !== null) addLease(world, made);
  putRecord(world, undefined, record);
  const grant = grantOf(world, record, entry);
  world.out.granted(grant);
  return { kind: "granted", grant };
}

function checkClaim(world: World, command: SlotClaimCommand): Refusal | null {
  const { job, slot, lease, owner = "", labels = NO_LABELS } = command;
  if (slot < 0 || !Number.isSafeInteger(slot)) return invalid("slot");
  const refused =
    checkName(world, job) ??
    checkName(world, Slots.lineOf(job, slot)) ??
    checkShown(world, owner, labels);
  if (refused !== null) return refused;
  const unfit =
    typeof lease === "string"
      ? (checkLease(world, lease) ?? checkLeaseRoom(world, lease, 1))
      : checkNewLease(world, lease.id, lease.ttlMs);
  return unfit ?? checkRule(world, Slots.lineOf(job, slot), "exclusive", 0);
}

/** Whether this run may be claimed now. Late is what the wall clock says, and nothing else. */
function checkOpen(world: World, { job, slot, lateMs }: SlotClaimCommand): Refusal | null {
  const floor = world.slots.job(job)?.floor ?? 0;
  if (slot < floor) return refuse("SLOT_CLOSED", { job, slot, floor });
  const closed = world.slots.find(job, slot);
  if (closed !== undefined) {
    const { outcome, note } = closed;
    return refuse("SLOT_CLOSED", { job, slot, outcome, ...(note === "" ? {} : { note }) });
  }
  const line = Slots.lineOf(job, slot);
  if ((world.lines.get(line)?.size ?? 0) > 0) {
    return refuse("SLOT_TAKEN", { job, slot, holders: holderViews(world, line) });
  }
  if (lateMs === undefined || world.wallTimeMs - slot <= lateMs) return null;
  return refuse("SLOT_LATE", { job, slot, lateMs: world.wallTimeMs - slot });
}

export function applySlotFinish(world: World, command: SlotFinishCommand): CommandResult {
  const { grant, outcome, note = "" } = command;
  if (note.length > world.limits.maxProgressBytes) return invalid("note");
  const found = standing(world, grant);
  if (found.held === null) {
    const { reason, currentToken } = found;
    const before = closedBy(world, grant);
    if (before !== undefined) {
      const { job, slot, outcome: first, note: said } = before;
      return refuse("SLOT_CLOSED", {
        job,
        slot,
        outcome: first,
        ...(said === "" ? {} : { note: said }),
      });
    }
    if (reason === "never") return refuse("NO_SUCH_GRANT", { ...named(grant), reason });
    return notHeld(reason, currentToken, grant);
  }
  const { held, entry } = found;
  const { claim } = entry.extra;
  if (claim === null) return refuse("NOT_A_CLAIM", { key: held.key });
  world.beginWrite();
  world.outcome = { outcome, note };
  removeRecord(world, held, "released");
  world.outcome = null;
  const { job, slot } = claim;
  return { kind: "slotFinished", job, slot, outcome };
}

/** The run that this very claim closed, by the key or the name and token that it had. */
function closedBy(world: World, grant: GrantRef): ClosedSlot | undefined {
  const key = "key" in grant ? grant.key : `${grant.name}/${twentyDigits(grant.token)}`;
  if (!isSequencedForm(key)) return undefined;
  const line = key.slice(0, -DIGITS - 1);
  if (!isSequencedForm(line)) return undefined;
  const job = line.slice(0, -DIGITS - 1);
  const closed = world.slots.find(job, Number(line.slice(-DIGITS)));
  return closed?.token === Number(key.slice(-DIGITS)) ? closed : undefined;
}
