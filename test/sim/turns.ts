/** What the workloads share that take turns in other ways than one at a time (readers and so on). */
import type { ErrorCode } from "holdfast-protocol";
import { type Held, HoldfastError, LockLostError } from "../../clients/typescript/core/index.js";
import type { SimClient } from "./client.js";
import { TAKING, tolerate, type Work } from "./work.js";

/** To who names itself, and to who asks for what the line's rule does not allow. */
const TAKING_TURNS: readonly ErrorCode[] = [...TAKING, "ALREADY_IN_LINE"];

/** One who is granted works for a while, sometimes writes under its grant, and lets go or not. */
export async function workUnder(held: Held, me: SimClient, work: Work): Promise<void> {
  const forget = me.believe(held);
  try {
    await me.sleep(me.random.below(200));
    held.assertHeld();
    if (me.random.below(3) === 0) await guardedWrite(held, me, work);
    if (me.random.below(4) === 0) await me.sleep(me.random.below(400));
    const { heldToTheEnd } = await me.release(held);
    work.count(heldToTheEnd ? "turn ended" : "turn ended before");
  } catch (error) {
    bear(error, me, work);
    if (error instanceof LockLostError && error.reason === "unproven") await me.sleep(me.marginMs);
  } finally {
    forget();
  }
}

export async function guardedWrite(held: Held, me: SimClient, work: Work): Promise<void> {
  const { truth } = me.cluster;
  const value = `once:${me.name}:${work.nextNumber()}:${held.key}`;
  const key = `guarded/${held.name}`;
  const askedAt = truth.revision;
  try {
    const { revision } = await me.client.kv.put(key, value, { heldBy: held });
    truth.acknowledged(key, value, revision, askedAt);
    work.count("guarded write in turn");
  } catch (error) {
    tolerate(error, work, value, me, ["NOT_HELD"]);
  }
}

/** What may be answered to any of those who take turns. */
export function bear(
  error: unknown,
  me: SimClient,
  work: Work,
  also: readonly ErrorCode[] = [],
): void {
  tolerate(error, work, null, me, [...TAKING_TURNS, ...also]);
}

export const isCode = (error: unknown, code: ErrorCode): error is HoldfastError =>
  error instanceof HoldfastError && error.code === code;
