/**
 * A workload: several locks at once. Some ask for all of them in one request; some take one and
 * then another, in any order, wait for it without bound, and are to be told of a circle instead of
 * waiting in it: in a session of their own, or in the client's, which may be lost meanwhile.
 */
import type { Held, Lock } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { inSomeWay } from "./holders.js";
import { bear, isCode, workUnder } from "./turns.js";
import type { Work, Workload } from "./work.js";

const NAMES = ["pair/a", "pair/b", "pair/c"];

export const pairs: Workload = async (me, work) => {
  while (!work.isOver()) {
    try {
      if (me.random.below(3) === 0) await atOnce(me, work);
      else await inTurn(me, work, `actor${me.random.below(2)}`);
    } catch (error) {
      bear(error, me, work);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Some of the names, in any order. */
function some(me: SimClient, count: number): string[] {
  const left = [...NAMES];
  return Array.from({ length: count }, () => left.splice(me.random.below(left.length), 1)).flat();
}

async function atOnce(me: SimClient, work: Work): Promise<void> {
  const names = some(me, 2 + me.random.below(2));
  const held = await inSomeWay(me.client.lock(names), me);
  if (held === null) return;
  work.count("several at once");
  await workUnder(held, me, work);
}

async function inTurn(me: SimClient, work: Work, actor: string): Promise<void> {
  const held: Held[] = [];
  const isOwn = me.random.below(2) === 0;
  const session = isOwn ? me.client.session({ ttlMs: 1_500, marginMs: me.marginMs }) : me.client;
  try {
    for (const name of some(me, 2 + me.random.below(2))) {
      const mode = me.random.below(4) === 0 ? "shared" : "exclusive";
      held.push(await taken(session.lock(name, { actor, mode }), me));
      await me.sleep(me.random.below(200));
    }
    work.count("several in turn");
  } catch (error) {
    if (isCode(error, "DEADLOCK")) work.count("told of a circle");
    bear(error, me, work, ["DEADLOCK", "NO_UPGRADE"]);
  }
  for (const one of held.reverse()) await workUnder(one, me, work);
  if (isOwn) await session.close();
}

/** Mostly without bound: nothing but the circle's being refused ends such a wait. */
const taken = (lock: Lock, me: SimClient): Promise<Held> =>
  me.random.below(4) === 0 ? lock.acquire({ waitMs: me.random.below(3_000) }) : lock.acquire();
