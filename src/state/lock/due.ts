/**
 * What ends at a time of its own, without anyone's command: a grant that has been held for as long
 * as its lock's rule allows, one whose holder was asked and then is broken, and the delay after a
 * holder whose lease ran out. Late by as long as nothing is applied, never early.
 */
import { assert } from "../../base/assert.js";
import { removeRecord } from "../kv/write.js";
import type { World } from "../world.js";

/** Each end is a write of its own. */
export function endDue(world: World): void {
  const { deadlines, clusterTimeMs, limits } = world;
  for (let ends = 0; ends < limits.maxMovesPerCommand; ends++) {
    if (deadlines.nextDeadline() > clusterTimeMs) return;
    const key = deadlines.nextId();
    const record = key === undefined ? undefined : world.kv.get(key);
    assert(record !== undefined && record.entry !== null, "what is due is an entry");
    world.beginWrite();
    if (record.lease === "") {
      removeRecord(world, record, "expired");
      continue;
    }
    const { asked } = record.entry.extra;
    const isBroken = asked?.breaks === true && asked.untilMs <= clusterTimeMs;
    world.blame = isBroken ? { by: asked.by, why: asked.why } : null;
    removeRecord(world, record, isBroken ? "broken" : "overdue");
    world.blame = null;
  }
}
