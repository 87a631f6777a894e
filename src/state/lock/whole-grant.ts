/**
 * What is said of one entry is said of its grant: a request for several names has an entry in each
 * of their lines, any of whose keys names them all.
 */
import { assert } from "../../base/assert.js";
import type { Refusal } from "../command/result.js";
import { checkRoom } from "../kv/check.js";
import { growth } from "../kv/put.js";
import { type EntryExtra, isLiveEntry, type KvRecord, type LiveEntry } from "../kv/record.js";
import type { World } from "../world.js";
import { withEntry } from "./admit.js";

/** All entries of the request that has this one, in their order; of most, this one alone. */
export function entriesOf(world: World, record: LiveEntry): readonly LiveEntry[] {
  const group = world.groupOf(record);
  if (group.length === 0) return [record];
  return group.map(key => {
    const entry = world.kv.get(key);
    assert(isLiveEntry(entry), "the entries of one request have one lease");
    return entry;
  });
}

/**
 * Changes what is extra in every entry of these grants: in all, or in none where there is no room
 * to remember it. `isNamed`: the entry is the one given, and not another of its request.
 */
export function sayOf(
  world: World,
  grants: readonly LiveEntry[],
  said: (extra: EntryExtra, isNamed: boolean) => EntryExtra,
): Refusal | null {
  const next: KvRecord[] = [];
  let more = 0;
  for (const grant of grants) {
    for (const record of entriesOf(world, grant)) {
      const { entry } = record;
      const changed = withEntry(record, entry.having(said(entry.extra, record === grant)));
      more += growth(record, changed);
      next.push(changed);
    }
  }
  const full = checkRoom(world, more);
  if (full !== null) return full;
  world.bytes += more;
  for (const record of next) world.kv.set(record.key, record);
  return null;
}
