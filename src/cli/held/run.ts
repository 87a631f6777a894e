/**
 * Runs CMD while a grant is held: the watchdog's deadlines follow the grant, the exit code tells
 * all.
 */
import type { Held } from "holdfast-client";
import { HELD_EXIT } from "../output/exit-codes.js";
import type { Announce } from "./announce.js";
import { CannotStart } from "./cannot-start.js";
import { startChild } from "./child.js";
import { Guard } from "./guard.js";
import type { Interruption } from "./interruption.js";
import { marginMsOf } from "./watchdog-protocol.js";

/** How often the deadlines are told anew, as a share of the time to live. */
const TELL_SHARE = 1 / 20;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

async function release(held: Held, announce: Announce): Promise<void> {
  try {
    const { heldToTheEnd } = await held.release();
    if (!heldToTheEnd) announce("lost", "it had ended before the release");
  } catch (error) {
    announce("release-failed", `the release failed (${messageOf(error)}); it ends with its lease`);
  }
}

/** Starts CMD and waits for its end. Rejects with CannotStart. */
async function runGuarded(
  { held, command, announce, interruption }: HeldRun,
  guard: Guard,
): Promise<number> {
  const [program = "", ...args] = command;
  const { signal } = held;
  let lost = false;
  const onLost = (): void => {
    lost = true;
    guard.lost();
    announce("lost", messageOf(signal.reason));
  };
  const child = startChild(program, args, {
    HOLDFAST_LOCK_NAME: held.name,
    HOLDFAST_LOCK_KEY: held.key,
    HOLDFAST_FENCING_TOKEN: String(held.token),
  });
  // Nothing comes between these two: from here on CMD is watched, whatever becomes of us.
  if (child.target !== null) guard.watch(child.target);
  interruption.end();
  if (signal.aborted) onLost();
  else signal.addEventListener("abort", onLost, { once: true });
  const code = await child.ended.finally(() => signal.removeEventListener("abort", onLost));
  if (!lost) return code;
  await guard.finishOff();
  return HELD_EXIT.lost;
}

/** CMD, and all that it runs under. */
export interface HeldRun {
  readonly held: Held;
  readonly command: readonly string[];
  readonly ttlMs: number;
  readonly announce: Announce;
  readonly interruption: Interruption;
}

/** CMD from its start to its end, with the watchdog beside it. Rejects with CannotStart. */
async function runWatched(run: HeldRun): Promise<number> {
  const { held, ttlMs, announce, interruption } = run;
  const guard = await Guard.start(marginMsOf(ttlMs));
  guard.prove(held);
  const proving = setInterval(() => guard.prove(held), Math.max(20, ttlMs * TELL_SHARE));
  try {
    if (held.remainingMs === 0) {
      announce("lost", `${messageOf(held.signal.reason)} (before CMD was started)`);
      return HELD_EXIT.lost;
    }
    // A signal that came while the watchdog started was not for CMD.
    if (interruption.exitCode !== null) return interruption.exitCode;
    return await runGuarded(run, guard);
  } finally {
    clearInterval(proving);
    guard.finish();
  }
}

/**
 * Resolves with the exit code of the whole. CMD runs only while `held` can be proven, and is not
 * started after a signal.
 */
export async function runHeld(run: HeldRun): Promise<number> {
  const { held, announce } = run;
  let code: number;
  try {
    code = await runWatched(run);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    announce("failed", error.message);
    code = error.exitCode;
  }
  if (code !== HELD_EXIT.lost || !held.signal.aborted) await release(held, announce);
  return code;
}
