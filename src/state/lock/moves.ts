/**
 * Letting one go before those who stand ahead of it. The order of a line is that of its create
 * revisions, and tokens follow it; so whoever stands ahead enters the line anew, each by a write of
 * its own, in the order in which they stood. All in one command, or nothing.
 *
 * Only who stands nowhere else is moved: behind others, those who stand in several lines might come
 * to wait in a circle. Nor who came as a plain key: its owner reckons by its create revision.
 */
import { assert } from "../../base/assert.js";
import { type Refusal, refuse } from "../command/result.js";
import {
  EntryDetail,
  type EntryExtra,
  isLiveEntry,
  KvRecord,
  type LiveEntry,
} from "../kv/record.js";
import { putRecord, removeForMove } from "../kv/write.js";
import { Lease } from "../lease/lease.js";
import type { World } from "../world.js";
import { standerOf } from "./actors.js";
import { keyNow } from "./standing.js";

/** What was found possible. */
export interface LetGo {
  /** Keys of those who enter anew, in order. */
  readonly ahead: readonly string[];
}

/**
 * Whether the entry `to` can be next when `leaver` has gone: it must wait in the same line, and
 * those ahead of it must be such that can enter anew.
 */
export function planLetGo(world: World, leaver: LiveEntry, to: string): LetGo | Refusal {
  const key = keyNow(world, to);
  const record = world.kv.get(key);
  const { name } = leaver.entry;
  if (!isLiveEntry(record) || record.entry.name !== name || record.entry.granted) {
    return refuse("NOT_IN_LINE", { name, key: to });
  }
  const line = world.lines.get(name);
  assert(line !== undefined, "an entry stands in a line");
  const ahead = line.rank(record) - line.granted;
  const limit = world.limits.maxMovesPerCommand;
  if (ahead > limit) return refuse("TOO_MANY_KEYS", { limit, ahead });
  const keys = line.keys(line.granted, ahead);
  for (const one of keys) {
    const passed = world.kv.get(one);
    assert(isLiveEntry(passed), "who waits has a live lease");
    if (!isMovable(world, passed)) return refuse("NOT_MOVABLE", { key: one });
  }
  return { ahead: keys };
}

function isMovable(world: World, record: LiveEntry): boolean {
  const { isForeign, group } = record.entry.extra;
  if (isForeign || group.length > 0) return false;
  const stander = standerOf(record);
  return stander === "" || world.actors.of(stander).length === 1;
}

/** Does what was planned, while the holder still stands. Each gets a write of its own. */
export function letGoBefore(world: World, { ahead }: LetGo): void {
  for (const key of ahead) {
    const record = world.kv.get(key);
    assert(isLiveEntry(record), "who waits has a live lease");
    enterAnew(world, record);
  }
}

function enterAnew(world: World, record: LiveEntry): void {
  const { name, ownsLease } = record.entry;
  const revision = world.beginWrite();
  const key = world.keys.of(name, revision);
  removeForMove(world, record, key);
  if (ownsLease) ownAnew(world, record.lease, key);
  putRecord(world, undefined, entered(record, key, revision));
  const { key: oldKey, lease } = record;
  world.out.moved({ name, key: oldKey, newKey: key, newToken: revision, lease });
}

function entered(
  { entry, key: oldKey, value, lease, tag }: LiveEntry,
  key: string,
  revision: number,
): KvRecord {
  const { was } = entry.extra;
  const extra: EntryExtra = { ...entry.extra, was: was === "" ? oldKey : was };
  const { name, mode, owner, labels, actor, ownsLease, grantRevision, grantedAt } = entry;
  const detail = new EntryDetail(
    name,
    0,
    mode,
    owner,
    labels,
    actor,
    ownsLease,
    entry.entered,
    grantRevision,
    grantedAt,
    extra,
  );
  return new KvRecord(key, value, revision, revision, 1, lease, tag, detail);
}

function ownAnew(world: World, id: string, key: string): void {
  const lease = world.leases.get(id);
  assert(lease !== undefined, "an entry's lease is live");
  const { ttlMs, owner, labels, sinceIndex } = lease;
  world.leases.set(id, new Lease(id, ttlMs, owner, labels, key, sinceIndex));
}
