/** `lock` and `elect`: run CMD while something is held. */
import { hostname, userInfo } from "node:os";
import { type Command, Option } from "commander";
import { type Client, type Held, type Waiting, WaitTimeoutError } from "holdfast-client";
import { type CommonOptions, type Context, say, withContext } from "../context.js";
import { runHeld } from "../held/run.js";
import { formatDuration } from "../output/duration.js";
import { HELD_EXIT, heldExitCodeOf } from "../output/exit-codes.js";
import { action, clusterCommand, durationMs, wholeNumber } from "../program.js";

const DEFAULT_TTL_MS = 15_000;
const INTERRUPTED = 130;

interface HeldOptions extends CommonOptions {
  readonly wait?: number;
  readonly try?: boolean;
  readonly ttl?: number;
  readonly conflictExitCode?: number;
  readonly value?: string;
}

type Take = (context: Context, wait: { waitMs?: number; signal: AbortSignal }) => Promise<Held>;

const holderName = (holder: { owner?: string; lease: string }): string =>
  holder.owner === undefined || holder.owner === "" ? `lease ${holder.lease}` : holder.owner;

function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}

/** "held by cron@web2 since 12 s; you are 3rd" */
export function describeWait({ position, holders }: Waiting): string {
  const [first] = holders;
  const place = `you are ${ordinal(position)}`;
  if (first === undefined) return place;
  return `held by ${holderName(first)} since ${formatDuration(first.sinceMs)}; ${place}`;
}

function heldCommand(name: string, description: string): Command {
  return clusterCommand(name, description, HELD_EXIT.ownFailure)
    .argument("<name>")
    .usage(`[options] ${name === "lock" ? "NAME" : "NAME"} -- CMD [ARG…]`)
    .addOption(
      new Option("--wait <duration>", "give up after so long (default: never)").argParser(
        durationMs,
      ),
    )
    .option("--try", "do not wait at all")
    .addOption(
      new Option(
        "--ttl <duration>",
        "how long the hold outlives this machine (default 15s)",
      ).argParser(durationMs),
    )
    .addOption(
      new Option(
        "-E, --conflict-exit-code <n>",
        "exit code when it is not acquired (default 120)",
      ).argParser(wholeNumber),
    )
    .addHelpText("after", EXIT_HELP);
}

const EXIT_HELP = `
Exit codes: CMD's own (128+signal if killed); 120 not acquired; 121 lost, CMD was stopped;
122 outcome unknown and 123 unreachable, CMD not started; 125 own failure; 126 CMD not
executable; 127 CMD not found.
CMD finds HOLDFAST_LOCK_NAME, HOLDFAST_LOCK_KEY and HOLDFAST_FENCING_TOKEN in its environment.`;

async function acquire(context: Context, options: HeldOptions, name: string, take: Take) {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const waitMs = options.try === true ? 0 : options.wait;
  try {
    return await take(context, {
      ...(waitMs === undefined ? {} : { waitMs }),
      signal: interrupted.signal,
    });
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    if (!(error instanceof WaitTimeoutError)) throw error;
    say(`${name}: not acquired: ${describeWait(error)}`);
    return options.conflictExitCode ?? HELD_EXIT.notAcquired;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function runWhileHeld(
  names: readonly string[],
  command: readonly string[],
  options: HeldOptions,
  take: Take,
): Promise<number> {
  const [name] = names;
  if (name === undefined || names.length > 1 || command.length === 0) {
    say("usage: one NAME, then -- and the command to run, e.g. holdfast lock jobs/42 -- ./job.sh");
    return HELD_EXIT.ownFailure;
  }
  const ttlMs = options.ttl ?? DEFAULT_TTL_MS;
  const act = async (context: Context): Promise<number> => {
    const held = await acquire(context, options, name, take);
    return typeof held === "number" ? held : runHeld(held, command, ttlMs);
  };
  return withContext(options, act, { ttlMs, codeOf: heldExitCodeOf });
}

function waitOptions(name: string, wait: { waitMs?: number; signal: AbortSignal }) {
  return { ...wait, onWaiting: (w: Waiting) => say(`${name}: ${describeWait(w)}`) };
}

/** `command` is what stood behind `--`. */
export function lockCommand(command: readonly string[]): Command {
  const lock = heldCommand("lock", "Run CMD while holding a lock.");
  return action<HeldOptions>(lock, (names, options) =>
    runWhileHeld(names, command, options, ({ client }, wait) => {
      const name = names[0] ?? "";
      return client.lock(name).acquire(waitOptions(name, wait));
    }),
  );
}

const defaultProclamation = (): string => `${userInfo().username}@${hostname()}:${process.pid}`;

export function electCommand(command: readonly string[]): Command {
  const elect = heldCommand("elect", "Run CMD while leading an election.").option(
    "--value <text>",
    "what this leader proclaims (default user@host:pid)",
  );
  return action<HeldOptions>(elect, (names, options) =>
    runWhileHeld(names, command, options, ({ client }: { client: Client }, wait) => {
      const name = names[0] ?? "";
      const value = options.value ?? defaultProclamation();
      return client.election(name).campaign(value, waitOptions(name, wait));
    }),
  );
}
