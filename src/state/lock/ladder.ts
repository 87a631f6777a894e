/**
 * Taking a lock from its holder, in steps: `lock.yield` asks, `lock.break` asks and ends it when
 * the time it gave is over, or ends it at once.
 */
import type { BreakCommand, GrantRef, YieldCommand } from "../command/command.js";
import { type CommandResult, type Refusal, refuse } from "../command/result.js";
import { invalid } from "../kv/check.js";
import { isLiveEntry, type LiveEntry } from "../kv/record.js";
import { removeRecord } from "../kv/write.js";
import type { World } from "../world.js";
import type { Blame } from "./ended.js";
import { keyNow, named, notHeld, standing } from "./standing.js";
import { entriesOf, sayOf } from "./whole-grant.js";

/** Asks that grant, or all who hold in the line. Whoever is asked keeps what it has. */
export function applyYield(world: World, command: YieldCommand): CommandResult {
  const { grant, graceMs, to = "", by = "", why = "" } = command;
  const asked = "key" in grant || "token" in grant ? one(world, grant) : all(world, grant.name);
  if ("code" in asked) return asked;
  const refused = checkSaid(world, by, why) ?? checkSuccessor(world, asked, to);
  if (refused !== null) return refused;
  if (graceMs > world.limits.maxGraceMs) return invalid("graceMs");
  const untilMs = world.clusterTimeMs + graceMs;
  const full = sayOf(world, asked, (extra, isNamed) =>
    // What will break it stands: this asks once more, and gives no more time.
    extra.asked?.breaks === true
      ? extra
      : { ...extra, asked: { by, why, untilMs, to: isNamed ? to : "", breaks: false } },
  );
  if (full !== null) return full;
  for (const record of asked) tellAsked(world, record, by, why, untilMs);
  return { kind: "yieldAsked", keys: asked.map(({ key }) => key) };
}

/** How long it has: no longer than until its grant ends anyway. */
function tellAsked(
  world: World,
  { key, lease, entry }: LiveEntry,
  by: string,
  why: string,
  untilMs: number,
): void {
  const { deadlineMs } = entry.extra;
  const endsMs = deadlineMs === 0 ? untilMs : Math.min(deadlineMs, untilMs);
  const graceMs = Math.max(0, endsMs - world.clusterTimeMs);
  world.out.yieldAsked({ name: entry.name, key, lease, by, why, graceMs });
}

function one(world: World, grant: GrantRef): LiveEntry[] | Refusal {
  const found = standing(world, grant);
  if (found.held === null) return notHeld(found.reason, found.currentToken, grant);
  return isLiveEntry(found.held) ? [found.held] : [];
}

function all(world: World, name: string): LiveEntry[] | Refusal {
  const line = world.lines.get(name);
  const held: LiveEntry[] = [];
  const limit = world.limits.maxMovesPerCommand;
  if (line !== undefined && line.granted > limit)
    return refuse("TOO_MANY_KEYS", { limit, holderCount: line.granted });
  for (const key of line?.keys(0, line.granted) ?? []) {
    const record = world.kv.get(key);
    if (isLiveEntry(record)) held.push(record);
  }
  return held;
}

function checkSuccessor(world: World, asked: readonly LiveEntry[], to: string): Refusal | null {
  if (to === "") return null;
  const record = world.kv.get(keyNow(world, to));
  const [holder] = asked;
  const waits = isLiveEntry(record) && !record.entry.granted;
  if (waits && holder !== undefined && record.entry.name === holder.entry.name) return null;
  return refuse("NOT_IN_LINE", { key: to });
}

function checkSaid(world: World, by: string, why: string): Refusal | null {
  const { maxOwnerBytes, maxProgressBytes } = world.limits;
  if (by.length > maxOwnerBytes) return invalid("by");
  return why.length > maxProgressBytes ? invalid("why") : null;
}

/**
 * Ends a grant, or opens a line that was shut after one; where a holder has time left to answer,
 * then. It is remembered who did it and why. The token still fences: what the holder has under way
 * is refused by whatever has seen the next one.
 */
export function applyBreak(world: World, command: BreakCommand): CommandResult {
  const { grant, afterMs = 0, by = "", why = "" } = command;
  const refused = checkSaid(world, by, why);
  if (refused !== null) return refused;
  if (afterMs > world.limits.maxGraceMs) return invalid("afterMs");
  const found = standing(world, grant);
  if (found.held !== null && afterMs > 0 && isLiveEntry(found.held)) {
    return askFirst(world, found.held, afterMs, { by, why });
  }
  // One of readers who share a token may keep the line shut while others of them hold.
  const holding = "name" in grant ? (world.lines.get(grant.name)?.granted ?? 0) : 1;
  if (found.held === null && found.reason === "ambiguous" && holding > 1) {
    return refuse("AMBIGUOUS_GRANT", named(grant));
  }
  const record = found.held ?? shutRecord(world, grant);
  if (record !== null) {
    world.beginWrite();
    world.blame = { by, why };
    removeRecord(world, record, "broken");
    world.blame = null;
    return { kind: "broken", broken: true };
  }
  if (found.held !== null) return { kind: "broken", broken: true };
  const { reason, ended } = found;
  if (reason === "ambiguous") return refuse("AMBIGUOUS_GRANT", named(grant));
  const onlyWaited = ended !== null && !ended.held;
  if (onlyWaited || reason === "waiting" || reason === "never") {
    return refuse("NO_SUCH_GRANT", { ...named(grant), reason });
  }
  return { kind: "broken", broken: false, ended: { reason } };
}

/** Said twice, it ends at the earlier time, and by whom who said that. */
function askFirst(
  world: World,
  record: LiveEntry,
  afterMs: number,
  { by, why }: Blame,
): CommandResult {
  const { key, entry } = record;
  const { extra } = entry;
  const untilMs = world.clusterTimeMs + afterMs;
  const isSooner = extra.asked?.breaks !== true || untilMs < extra.asked.untilMs;
  const asked = isSooner
    ? { by, why, untilMs, to: extra.asked?.to ?? "", breaks: true }
    : extra.asked;
  const endsMs = extra.deadlineMs === 0 ? asked.untilMs : Math.min(extra.deadlineMs, asked.untilMs);
  const full = sayOf(world, [record], (extra, isNamed) => {
    const to = isNamed ? asked.to : (extra.asked?.to ?? "");
    return { ...extra, deadlineMs: endsMs, asked: { ...asked, to } };
  });
  if (full !== null) return full;
  for (const part of entriesOf(world, record)) world.deadlines.set(part.key, endsMs);
  tellAsked(world, record, by, why, endsMs);
  return { kind: "broken", broken: false, pending: { key, endsMs } };
}

/** The entry of a grant whose lease has run out, while it keeps its line shut. */
function shutRecord(world: World, grant: GrantRef) {
  const key = "key" in grant ? grant.key : world.lines.get(grant.name)?.keyOfToken(grant.token);
  const record = key === undefined ? undefined : world.kv.get(key);
  return record !== undefined && record.entry !== null && record.lease === "" ? record : null;
}
