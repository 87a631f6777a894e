/**
 * `lock.cancel`, `lock.release`, `lock.annotate`, `election.proclaim`: what those in line do with
 * their own. Who is granted in the place of one that left is decided in admit.ts when the command
 * ends.
 */
import { assert } from "../../base/assert.js";
import type {
  AnnotateCommand,
  CancelCommand,
  GrantRef,
  HandOverCommand,
  ProclaimCommand,
  ReleaseCommand,
} from "../command/command.js";
import {
  type CommandResult,
  type EntryEndedResult,
  type Refusal,
  refuse,
} from "../command/result.js";
import { checkRoom, checkValue, invalid } from "../kv/check.js";
import { growth } from "../kv/put.js";
import { compactExtra, isLiveEntry, type LiveEntry } from "../kv/record.js";
import { putRecord, removeRecord, withValue } from "../kv/write.js";
import type { World } from "../world.js";
import { type LetGo, letGoBefore, planLetGo } from "./moves.js";
import {
  findEntry,
  furthestOf,
  headRecord,
  holderViews,
  keyNow,
  named,
  notHeld,
  presentOf,
  standing,
} from "./standing.js";
import { entriesOf, sayOf } from "./whole-grant.js";

const RELEASED: CommandResult = { kind: "released", released: true };

export function applyCancel(world: World, command: CancelCommand): CommandResult {
  const key = keyNow(world, command.key);
  const record = world.kv.get(key);
  if (!isLiveEntry(record)) return endedResult(world, key);
  const { entry } = record;
  const present = presentOf(world, record, entry);
  if (present.kind === "granted") return present;
  const { name, position } = furthestOf(world, record, entry);
  const holders = holderViews(world, name);
  world.beginWrite();
  removeRecord(world, record, "cancelled");
  return { kind: "cancelled", key, position, holders };
}

function endedResult(world: World, key: string): EntryEndedResult | Refusal {
  const found = standing(world, { key });
  if (found.held === null && found.reason === "never") return refuse("NO_SUCH_GRANT", { key });
  const ended = found.held === null ? found.ended : null;
  if (ended === null) return { kind: "entryEnded", key, reason: "forgotten", granted: false };
  return { kind: "entryEnded", key, reason: ended.reason, granted: ended.held };
}

export function applyRelease(
  world: World,
  command: ReleaseCommand | HandOverCommand,
): CommandResult {
  const { grant } = command;
  const to = command.kind === "lock.handOver" ? command.to : "";
  const record = findEntry(world, grant);
  if (record?.entry.granted === true) {
    const plan = successor(world, record, to);
    if (plan !== null && "code" in plan) return plan;
    // First, so that the end of this grant and the next one bear one revision.
    if (plan !== null) letGoBefore(world, plan);
    world.beginWrite();
    removeRecord(world, record, "released");
    return RELEASED;
  }
  const found = standing(world, grant);
  assert(found.held === null, "what holds is released");
  const { reason, ended } = found;
  if (reason === "ambiguous") return refuse("AMBIGUOUS_GRANT", named(grant));
  const onlyWaited = ended !== null && !ended.held;
  if (onlyWaited || reason === "waiting" || reason === "never") {
    return refuse("NO_SUCH_GRANT", { ...named(grant), reason });
  }
  return { kind: "released", released: false, ended: { reason } };
}

/**
 * Who is let go before those who stand ahead: named by the one who releases, which is refused when
 * it cannot be; or else by who asked for it, and then whoever stands first is next if it cannot.
 */
function successor(world: World, record: LiveEntry, to: string): LetGo | Refusal | null {
  if (to !== "") return planLetGo(world, record, to);
  // Nearly all: who is asked is asked in all its lines.
  if (record.entry.extra.asked === null) return null;
  for (const part of entriesOf(world, record)) {
    const wanted = part.entry.extra.asked?.to ?? "";
    if (wanted === "") continue;
    const plan = planLetGo(world, part, wanted);
    return "code" in plan ? null : plan;
  }
  return null;
}

export function applyAnnotate(world: World, command: AnnotateCommand): CommandResult {
  const { grant, progress } = command;
  if (progress.length > world.limits.maxProgressBytes) return invalid("progress");
  const found = standing(world, grant);
  if (found.held === null) return notHeld(found.reason, found.currentToken, grant);
  const { held } = found;
  assert(isLiveEntry(held), "who holds has a live lease");
  const full = sayOf(world, [held], extra => compactExtra({ ...extra, progress }));
  if (full !== null) return full;
  return { kind: "annotated" };
}

export function applyProclaim(world: World, command: ProclaimCommand): CommandResult {
  const { value } = command;
  const tooLarge = checkValue(world, value);
  if (tooLarge !== null) return tooLarge;
  const grant = "lease" in command.grant ? headOfLease(world, command.grant) : command.grant;
  const found = standing(world, grant);
  if (found.held === null) return notHeld(found.reason, found.currentToken, grant);
  const prev = found.held;
  const record = withValue(prev, value, prev.lease, world.revision + 1);
  const full = checkRoom(world, growth(prev, record));
  if (full !== null) return full;
  const revision = world.beginWrite();
  putRecord(world, prev, record);
  return { kind: "proclaimed", key: prev.key, token: prev.createRevision, revision };
}

/** The head, if it stands on this lease; else a grant that nobody has. */
function headOfLease(
  world: World,
  by: { readonly name: string; readonly lease: string },
): GrantRef {
  const head = headRecord(world, by.name);
  return head?.lease === by.lease ? { key: head.key } : { name: by.name, token: 0 };
}
