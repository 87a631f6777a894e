/** Runs CMD while a grant is held: the watchdog's deadlines follow the grant, the exit code tells all. */
import type { Held } from "holdfast-client";
import { say } from "../context.js";
import { HELD_EXIT } from "../output/exit-codes.js";
import { CannotStart, startChild } from "./child.js";
import { Guard } from "./guard.js";
import { signalTree } from "./process-tree.js";

/** As the client has it: its signal fires this long before the provable end. */
const MARGIN_SHARE = 1 / 5;
/** How often the deadlines are told anew, as a share of the time to live. */
const TELL_SHARE = 1 / 20;

async function release(held: Held): Promise<void> {
  try {
    const { heldToTheEnd } = await held.release();
    if (!heldToTheEnd) say(`${held.name}: it had ended before the release`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(`${held.name}: the release failed (${why}); it ends with its lease`);
  }
}

/** Resolves with the exit code of the whole. CMD runs only while `held` can be proven. */
export async function runHeld(
  held: Held,
  command: readonly string[],
  ttlMs: number,
): Promise<number> {
  const guard = new Guard(ttlMs * MARGIN_SHARE);
  let lost = false;
  const prove = (): void => {
    if (!lost) guard.proven(held.remainingMs);
  };
  prove();
  const proving = setInterval(prove, Math.max(20, ttlMs * TELL_SHARE));
  try {
    const [program = "", ...args] = command;
    const child = await startChild(program, args, {
      HOLDFAST_LOCK_NAME: held.name,
      HOLDFAST_LOCK_KEY: held.key,
      HOLDFAST_FENCING_TOKEN: String(held.token),
    });
    guard.watch(child.pid, child.ownGroup);
    const onLost = (): void => {
      lost = true;
      say(`${held.name}: lost (${(held.signal.reason as Error | undefined)?.message ?? "ended"})`);
      signalTree(child, "SIGTERM"); // the watchdog kills what has not ended by its hard deadline
    };
    if (held.signal.aborted) onLost();
    else held.signal.addEventListener("abort", onLost, { once: true });
    const code = await child.ended;
    held.signal.removeEventListener("abort", onLost);
    if (lost) return HELD_EXIT.lost;
    clearInterval(proving);
    await release(held);
    return code;
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    say(error.message);
    await release(held);
    return error.exitCode;
  } finally {
    clearInterval(proving);
    guard.finish();
  }
}
