/** `lock` and `elect`: run CMD while something is held. */
import { type Command, Option } from "commander";
import {
  type Held,
  type Holder,
  type Waiting,
  type WaitOptions,
  WaitTimeoutError,
} from "holdfast-client";
import { type CommonOptions, type Context, say, withContext } from "../context.js";
import { type Announce, announcer } from "../held/announce.js";
import { Interruption } from "../held/interruption.js";
import { defaultOwner } from "../held/owner.js";
import { runHeld } from "../held/run.js";
import { marginMsOf } from "../held/watchdog-protocol.js";
import { formatDuration } from "../output/duration.js";
import { HELD_EXIT, heldExitCodeOf } from "../output/exit-codes.js";
import { printable } from "../output/table.js";
import { action, clusterCommand, durationMs, wholeNumber } from "../program.js";

const DEFAULT_TTL_MS = 15_000;
const LARGEST_EXIT_CODE = 255;

interface HeldOptions extends CommonOptions {
  readonly wait?: number;
  readonly try?: boolean;
  readonly ttl?: number;
  readonly conflictExitCode?: number;
  readonly owner?: string;
  readonly value?: string;
}

type Take = (context: Context, wait: WaitOptions) => Promise<Held>;

const holderName = (holder: Holder): string =>
  holder.owner === undefined || holder.owner === ""
    ? `lease ${holder.lease}`
    : printable(holder.owner);

function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}

/** "held by cron@web2 since 12 s; you are 3rd" */
export function describeWait({ position, holders }: Waiting): string {
  const [first] = holders;
  const parts = [];
  if (first !== undefined)
    parts.push(`held by ${holderName(first)} since ${formatDuration(first.sinceMs)}`);
  if (position > 0) parts.push(`you are ${ordinal(position)}`);
  return parts.join("; ");
}

const EXIT_HELP = `
Exit codes: CMD's own (128+signal if killed); 120 not acquired; 121 lost, CMD was stopped;
122 outcome unknown and 123 unreachable, CMD not started; 125 own failure; 126 CMD not
executable; 127 CMD not found.
CMD finds HOLDFAST_LOCK_NAME, HOLDFAST_LOCK_KEY and HOLDFAST_FENCING_TOKEN in its environment.`;

function duration(flags: string, description: string): Option {
  return new Option(flags, description).argParser(durationMs);
}

function heldCommand(name: string, description: string): Command {
  const conflict = "-E, --conflict-exit-code <n>";
  return clusterCommand(name, description, HELD_EXIT.ownFailure)
    .argument("<name>")
    .usage("[options] NAME -- CMD [ARG…]")
    .addOption(duration("--wait <duration>", "give up after so long (default: never)"))
    .addOption(new Option("--try", "do not wait at all").conflicts("wait"))
    .addOption(
      duration("--ttl <duration>", "how long the hold outlives this machine (default 15s)"),
    )
    .option(conflict, "exit code when it is not acquired (default 120)", wholeNumber)
    .option("--owner <text>", "shown to people (default user@host:pid)")
    .addHelpText("after", EXIT_HELP);
}

/** The exit code when it is not held: not acquired, or interrupted by a signal. */
async function acquire(
  context: Context,
  options: HeldOptions,
  announce: Announce,
  take: Take,
  interruption: Interruption,
): Promise<Held | number> {
  const waitMs = options.try === true ? 0 : options.wait;
  try {
    return await take(context, {
      ...(waitMs === undefined ? {} : { waitMs }),
      signal: interruption.signal,
      onWaiting: ({ position, holders }) =>
        announce("waiting", describeWait({ position, holders }), { position, holders }),
    });
  } catch (error) {
    if (interruption.exitCode !== null) return interruption.exitCode;
    if (!(error instanceof WaitTimeoutError)) throw error;
    const { position, holders } = error;
    const message = `not acquired: ${describeWait(error)}`;
    announce("not-acquired", message, { position, holders });
    return options.conflictExitCode ?? HELD_EXIT.notAcquired;
  }
}

/** What is wrong with how it was called; null when nothing is. */
function misuse(command: readonly string[], options: HeldOptions): string | null {
  if (command.length === 0) {
    return "after NAME comes -- and the command to run, e.g. holdfast lock jobs/42 -- ./job.sh";
  }
  if ((options.conflictExitCode ?? 0) > LARGEST_EXIT_CODE) return "-E: exit codes end at 255";
  return null;
}

async function runWhileHeld(
  name: string,
  command: readonly string[],
  options: HeldOptions,
  take: Take,
): Promise<number> {
  const complaint = misuse(command, options);
  if (complaint !== null) {
    say(complaint);
    return HELD_EXIT.ownFailure;
  }
  const ttlMs = options.ttl ?? DEFAULT_TTL_MS;
  const announce = announcer(name, options.json === true);
  const act = async (context: Context): Promise<number> => {
    const interruption = new Interruption();
    try {
      const held = await acquire(context, options, announce, take, interruption);
      if (typeof held === "number") return held;
      const { key, token } = held;
      if (options.json === true) announce("granted", "granted", { key, token });
      return await runHeld({ held, command, ttlMs, announce, interruption });
    } finally {
      interruption.end();
    }
  };
  return withContext(options, act, {
    ttlMs,
    marginMs: marginMsOf(ttlMs),
    owner: options.owner ?? defaultOwner(),
    codeOf: heldExitCodeOf,
    usageCode: HELD_EXIT.ownFailure,
    stdoutIsTaken: true,
  });
}

/** `command` is what stood behind `--`. */
export function lockCommand(command: readonly string[]): Command {
  const lock = heldCommand("lock", "Run CMD while holding a lock.");
  return action<HeldOptions>(lock, ([name = ""], options) =>
    runWhileHeld(name, command, options, ({ client }, wait) => client.lock(name).acquire(wait)),
  );
}

export function electCommand(command: readonly string[]): Command {
  const elect = heldCommand("elect", "Run CMD while leading an election.").option(
    "--value <text>",
    "what this leader proclaims (default: the owner)",
  );
  return action<HeldOptions>(elect, ([name = ""], options) => {
    const value = options.value ?? options.owner ?? defaultOwner();
    return runWhileHeld(name, command, options, ({ client }, wait) =>
      client.election(name).campaign(value, wait),
    );
  });
}
