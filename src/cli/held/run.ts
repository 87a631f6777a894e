/**
 * Runs CMD while a grant is held: the watchdog's deadlines follow the grant, the exit code tells
 * all.
 */
import type { Held } from "holdfast-client";
import { HELD_EXIT } from "../output/exit-codes.js";
import { describeAsk } from "../output/holders.js";
import type { Announce } from "./announce.js";
import { CannotStart } from "./cannot-start.js";
import { type Child, type End, startChild } from "./child.js";
import { Guard } from "./guard.js";
import type { Interruption } from "./interruption.js";
import { trySignal } from "./process-tree.js";
import { marginMsOf } from "./watchdog-protocol.js";

/** How often the deadlines are told anew, as a share of the time to live. */
const TELL_SHARE = 1 / 20;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** How a grant is given back once CMD has ended, or was never started. */
export interface GiveBack {
  /** Said when it fails: "the release". */
  readonly called: string;
  /** Said when it fails: "it ends with its lease". */
  readonly otherwise: string;
  /** `end` null: CMD did not run. */
  by(end: End | null): Promise<{ readonly heldToTheEnd: boolean }>;
}

const released = (held: Held): GiveBack => ({
  called: "the release",
  otherwise: "it ends with its lease",
  by: () => held.release(),
});

async function giveBack(how: GiveBack, end: End | null, announce: Announce): Promise<void> {
  try {
    const { heldToTheEnd } = await how.by(end);
    if (!heldToTheEnd) announce("lost", "it had ended before the release");
  } catch (error) {
    announce("release-failed", `${how.called} failed (${messageOf(error)}); ${how.otherwise}`);
  }
}

/** Tells people each time that somebody asks for it, and CMD if it is to know. Ends nothing. */
function passAsks({ held, announce, yieldSignal: name }: HeldRun, { target }: Child): () => void {
  return held.onYieldAsked(asked => {
    const { by, why, graceMs } = asked;
    announce("asked", describeAsk(asked), { by, why, graceMs });
    if (name !== undefined && target !== null) trySignal(target.pid, name);
  });
}

/** How it all ended: `end` is null if CMD did not run, or was stopped. */
interface Outcome {
  readonly code: number;
  readonly end: End | null;
}

const without = (code: number): Outcome => ({ code, end: null });

/** Starts CMD and waits for its end. Rejects with CannotStart. */
async function runGuarded(run: HeldRun, guard: Guard): Promise<Outcome> {
  const { held, command, announce, interruption } = run;
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
    ...run.environment,
  });
  // Nothing comes between these two: from here on CMD is watched, whatever becomes of us.
  if (child.target !== null) guard.watch(child.target);
  interruption.end();
  if (signal.aborted) onLost();
  else signal.addEventListener("abort", onLost, { once: true });
  const stopAsks = passAsks(run, child);
  const end = await child.ended.finally(() => {
    stopAsks();
    signal.removeEventListener("abort", onLost);
  });
  if (!lost) return { code: end.code, end };
  await guard.finishOff();
  return without(HELD_EXIT.lost);
}

/** CMD, and all that it runs under. */
export interface HeldRun {
  readonly held: Held;
  readonly command: readonly string[];
  readonly ttlMs: number;
  readonly announce: Announce;
  readonly interruption: Interruption;
  /** What CMD finds in its environment beside the grant. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Sent to CMD whenever somebody asks to hand over; absent: CMD is not told. */
  readonly yieldSignal?: NodeJS.Signals;
  /** In place of a plain release. */
  readonly giveBack?: GiveBack;
}

/** CMD from its start to its end, with the watchdog beside it. Rejects with CannotStart. */
async function runWatched(run: HeldRun): Promise<Outcome> {
  const { held, ttlMs, announce, interruption } = run;
  const guard = await Guard.start(marginMsOf(ttlMs));
  guard.prove(held);
  const proving = setInterval(() => guard.prove(held), Math.max(20, ttlMs * TELL_SHARE));
  try {
    if (held.remainingMs === 0) {
      announce("lost", `${messageOf(held.signal.reason)} (before CMD was started)`);
      return without(HELD_EXIT.lost);
    }
    // A signal that came while the watchdog started was not for CMD.
    if (interruption.exitCode !== null) return without(interruption.exitCode);
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
  let outcome: Outcome;
  try {
    outcome = await runWatched(run);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    announce("failed", error.message);
    outcome = without(error.exitCode);
  }
  const { code, end } = outcome;
  if (code !== HELD_EXIT.lost || !held.signal.aborted)
    await giveBack(run.giveBack ?? released(held), end, announce);
  return code;
}
