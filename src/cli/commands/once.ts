/**
 * `once`: run CMD for this tick of a job, unless somebody else has. Every host may have the same
 * line in its crontab; one of them runs it.
 */
import { type Command, Option } from "commander";
import type { Claim, Client, LockInfo, Transition } from "holdfast-client";
import type { GiveBack } from "../held/run.js";
import { formatDuration } from "../output/duration.js";
import { HELD_EXIT } from "../output/exit-codes.js";
import { holderName } from "../output/holders.js";
import { runName } from "../output/ticks.js";
import { action, durationMs, timeoutMs } from "../program.js";
import { type HeldOptions, heldCommand, runWhileHeld, type Seat } from "./held.js";

interface OnceOptions extends HeldOptions {
  readonly every: number;
  readonly strict?: boolean;
  readonly onAbandon?: "reclaim" | "close";
  readonly late?: number;
}

const HELP = `
The run is named by the time its tick began: now by this machine's clock, rounded down to a
multiple of --every since 1970 in UTC. Hosts' clocks must agree to less than that.
When CMD exits with 0 the run is done; with anything else it has failed, and is not run again:
the next tick is. A run whose CMD was killed, could not be started or was stopped because the claim
was lost is abandoned, and --on-abandon says what becomes of it.
When another has the run, or it is over, this ends with 0 and says nothing (--strict: with 120, and
says so). CMD finds HOLDFAST_SLOT, the tick in milliseconds since 1970, in its environment too.
A run has a line of its own, JOB/<the tick in 20 digits>: holdfast who JOB lists those that somebody
has now, and holdfast who, yield and break take such a name.`;

/** The tick that `nowMs` is in: when it began, in milliseconds since 1970. */
export const slotAt = (nowMs: number, everyMs: number): number =>
  Math.floor(nowMs / everyMs) * everyMs;

/** What became of a run that was not to be had. */
function describe({ holders, recent }: LockInfo, slot: number, late: number | undefined): string {
  const [holder] = holders;
  if (holder !== undefined)
    return `${holderName(holder)} runs it since ${formatDuration(holder.sinceMs)}`;
  const past: Transition | undefined = recent[0];
  if (past !== undefined)
    return `${holderName(past)} had it, until ${formatDuration(past.sinceMs)} ago`;
  // The cluster's clock decides; by this one, which named the run, it is told.
  const agoMs = Date.now() - slot;
  if (late === undefined || agoMs <= late) return "it is over";
  return `it is too late: the tick began ${formatDuration(agoMs)} ago`;
}

/** The exit code. Nobody wants mail from every host that was not the first. */
async function notOurs(
  { client, announce, json }: Seat,
  job: string,
  slot: number,
  { strict, late }: OnceOptions,
): Promise<number> {
  const info = await client.lock(runName(job, slot)).inspect();
  const isMissed = late !== undefined && info.holders.length === 0 && info.recent.length === 0;
  if (strict === true || json || isMissed) {
    const message = `not run: ${describe(info, slot, late)}`;
    announce("not-acquired", message, { slot, holders: info.holders });
  }
  return strict === true ? HELD_EXIT.notAcquired : 0;
}

/** What CMD's end means for the run. */
const finished = (claim: Claim): GiveBack => ({
  called: "recording how the run ended",
  otherwise: "unless it was recorded all the same, the run counts as abandoned",
  by: async end => {
    if (end === null || end.killed) return claim.release();
    if (end.code === 0) await claim.done();
    else await claim.fail(`CMD's exit code was ${end.code}`);
    return { heldToTheEnd: true };
  },
});

function scheduleOf(client: Client, job: string, { onAbandon, late }: OnceOptions) {
  return client.schedule(job, {
    ...(onAbandon === undefined ? {} : { onAbandon }),
    ...(late === undefined ? {} : { lateMs: late }),
  });
}

/** `command` is what stood behind `--`. */
export function onceCommand(command: readonly string[]): Command {
  const once = heldCommand("once", "Run CMD for this tick of a job, unless another has.")
    .argument("<job>")
    .usage("JOB --every DURATION [options] -- CMD [ARG…]")
    .addOption(
      new Option("--every <duration>", "how long a tick is, like 5m (required)")
        .argParser(timeoutMs)
        .makeOptionMandatory(),
    )
    .option("--strict", "120 when there is no run for us")
    .addOption(
      new Option(
        "--on-abandon <what>",
        "a run that ended without an outcome: claimable again, or over (default: reclaim)",
      ).choices(["reclaim", "close"]),
    )
    .addOption(
      new Option("--late <duration>", "not when the tick began longer ago than this").argParser(
        durationMs,
      ),
    )
    .addHelpText("after", HELP);
  return action<OnceOptions>(once, ([job = ""], options) => {
    const usage = "holdfast once report --every 5m -- ./report.sh";
    return runWhileHeld({ names: [job], command, usage }, options, async seat => {
      const { client, signal } = seat;
      const slot = slotAt(Date.now(), options.every);
      const claim = await scheduleOf(client, job, options).claim(slot, { signal });
      if (claim === null) return notOurs(seat, job, slot, options);
      const environment = { HOLDFAST_SLOT: String(slot) };
      return { held: claim, environment, giveBack: finished(claim) };
    });
  });
}
