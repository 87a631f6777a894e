/** What people and programs ask about lines: reads, in O(log n) and the size of the answer. */
import { prefixEnd } from "../../base/byte-string.js";
import { Allowance } from "../allowance.js";
import type { GrantRef } from "../command/command.js";
import type { GrantStanding, LineList, LineView, PastEntry } from "../face.js";
import type { World } from "../world.js";
import type { EndedEntry } from "./ended.js";
import { ruleOf } from "./rule.js";
import { entryViewOf, entryViews, holdersAllowance, holderViews, standing } from "./standing.js";

const MAX_IGNORED = 32;
/** What a line, an ended entry and a key are shown with beside their texts. */
const LINE_BYTES = 128;
const PAST_BYTES = 96;
const KEY_BYTES = 4;
/** Keys looked at for stray ones, in each of the places where they can be. */
const MAX_SEARCHED = 256;

export function checkGrant(world: World, grant: GrantRef): GrantStanding {
  const found = standing(world, grant);
  if (found.held === null) {
    const { reason, currentToken, ended } = found;
    return {
      held: false,
      reason,
      ...(currentToken === undefined ? {} : { currentToken }),
      ...(ended === null || ended.blame === null ? {} : { blame: ended.blame }),
    };
  }
  const { held, entry } = found;
  const ttlMs = world.leases.get(held.lease)?.ttlMs ?? 0;
  return { held: true, name: entry.name, entry: entryViewOf(held, entry), ttlMs };
}

/** As much as an answer may show: of those who hold, then who wait, then ends, then stray keys. */
export function inspectLine(world: World, name: string, maxWaiters: number): LineView {
  const line = world.lines.get(name);
  const size = line?.size ?? 0;
  const granted = line?.granted ?? 0;
  const allowance = new Allowance(world.limits.maxRangeBytes);
  return {
    name,
    rule: ruleOf(world, name),
    holders: entryViews(world, name, 0, Math.min(granted, maxWaiters), allowance),
    holderCount: granted,
    waiters: entryViews(world, name, granted, maxWaiters, allowance),
    waiterCount: size - granted,
    recent: allowed(line?.recent() ?? [], allowance, pastBytes).map(pastEntry),
    ignored: allowed(strays(world, name), allowance, key => KEY_BYTES + key.length),
  };
}

function allowed<One>(
  all: readonly One[],
  allowance: Allowance,
  bytesOf: (one: One) => number,
): readonly One[] {
  const end = all.findIndex(one => !allowance.take(bytesOf(one)));
  return end < 0 ? all : all.slice(0, end);
}

function pastBytes({ key, lease, owner, blame }: EndedEntry): number {
  const said = blame === null ? 0 : blame.by.length + blame.why.length;
  return PAST_BYTES + key.length + lease.length + owner.length + said;
}

function pastEntry(ended: EndedEntry): PastEntry {
  const { key, lease, owner, reason, held, sinceMs, endedMs, endedWallMs, blame } = ended;
  const token = ended.fence > 0 ? ended.fence : ended.token;
  const past = { key, token, lease, owner, reason, held, sinceMs, endedMs, endedWallMs };
  return blame === null ? past : { ...past, blame };
}

/**
 * Keys directly below the name that are no entries. Sequenced keys of this world begin with four
 * zeros, so what does not is looked for before and after them, and a little among them.
 */
function strays(world: World, name: string): string[] {
  const found: string[] = [];
  if (name === "") return found;
  searchStrays(world, `${name}/`, `${name}/0000`, found);
  searchStrays(world, `${name}/0000`, `${name}/0001`, found);
  searchStrays(world, `${name}/0001`, `${name}0`, found);
  return found;
}

function searchStrays(world: World, from: string, to: string, found: string[]): void {
  const start = from.lastIndexOf("/") + 1;
  let searched = 0;
  world.kv.scan(from, to, (key, record) => {
    const direct = key.length > start && key.indexOf("/", start) < 0;
    if (direct && record.entry === null) found.push(key);
    return ++searched < MAX_SEARCHED && found.length < MAX_IGNORED;
  });
}

/** In one read: lines, and those who hold in them, where they are looked at. */
const MOST_LOOKED_AT = 10_000;

/** With an owner: only lines in which it holds. One line at least, however much it shows. */
export function listLines(
  world: World,
  prefix: string,
  after: string,
  limit: number,
  owner: string | null,
): LineList {
  const lines: LineList["lines"][number][] = [];
  let more = false;
  let looked = 0;
  let last = "";
  const allowance = new Allowance(world.limits.maxRangeBytes);
  const from = after > prefix || after === prefix ? `${after}\0` : prefix;
  world.lines.scan(after === "" ? prefix : from, prefixEnd(prefix), ({ name, size, granted }) => {
    if (size === 0) return true;
    more = lines.length >= limit || looked >= MOST_LOOKED_AT;
    if (more) return false;
    looked += 1;
    if (owner !== null) {
      looked += Math.min(granted, MOST_LOOKED_AT);
      if (!holdsIn(world, name, owner)) {
        last = name;
        return true;
      }
    }
    const ofHolders = holdersAllowance();
    const holders = holderViews(world, name, ofHolders);
    more = !allowance.take(LINE_BYTES + name.length + ofHolders.takenBytes);
    if (more) return false;
    last = name;
    const rule = ruleOf(world, name);
    lines.push({ name, rule, holders, holderCount: granted, waiterCount: size - granted });
    return true;
  });
  return { lines, more, ...(more ? { next: last } : {}) };
}

function holdsIn(world: World, name: string, owner: string): boolean {
  const line = world.lines.get(name);
  for (const key of line?.keys(0, Math.min(line.granted, MOST_LOOKED_AT)) ?? [])
    if (world.kv.get(key)?.entry?.owner === owner) return true;
  return false;
}
