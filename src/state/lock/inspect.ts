/** What people and programs ask about lines: reads, in O(log n) and the size of the answer. */
import { prefixEnd } from "../../base/byte-string.js";
import type { GrantRef } from "../command/command.js";
import type { GrantStanding, LineList, LineView, PastEntry } from "../face.js";
import type { World } from "../world.js";
import type { EndedEntry } from "./ended.js";
import { entryViewOf, entryViews, standing } from "./standing.js";

const MAX_IGNORED = 32;
/** Keys looked at for stray ones, in each of the places where they can be. */
const MAX_SEARCHED = 256;

export function checkGrant(world: World, grant: GrantRef): GrantStanding {
  const found = standing(world, grant);
  if (found.held === null) {
    const { reason, currentToken } = found;
    return currentToken === undefined
      ? { held: false, reason }
      : { held: false, reason, currentToken };
  }
  const { held, entry } = found;
  const ttlMs = world.leases.get(held.lease)?.ttlMs ?? 0;
  return { held: true, name: entry.name, entry: entryViewOf(held, entry), ttlMs };
}

export function inspectLine(world: World, name: string, maxWaiters: number): LineView {
  const line = world.lines.get(name);
  const size = line?.size ?? 0;
  const holders = entryViews(world, name, 0, 1);
  return {
    name,
    holders,
    waiters: entryViews(world, name, holders.length, maxWaiters),
    waiterCount: size - holders.length,
    recent: (line?.recent() ?? []).map(pastEntry),
    ignored: strays(world, name),
  };
}

function pastEntry(ended: EndedEntry): PastEntry {
  const { key, token, lease, owner, reason, held, sinceMs, endedMs, endedWallMs } = ended;
  return { key, token, lease, owner, reason, held, sinceMs, endedMs, endedWallMs };
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

export function listLines(world: World, prefix: string, after: string, limit: number): LineList {
  const lines: { name: string; holders: LineView["holders"]; waiterCount: number }[] = [];
  let more = false;
  const from = after > prefix || after === prefix ? `${after}\0` : prefix;
  world.lines.scan(after === "" ? prefix : from, prefixEnd(prefix), ({ name, size }) => {
    if (size === 0) return true;
    more = lines.length >= limit;
    if (more) return false;
    const holders = entryViews(world, name, 0, 1);
    lines.push({ name, holders, waiterCount: size - holders.length });
    return true;
  });
  return { lines, more };
}
