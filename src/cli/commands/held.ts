/**
 * What `lock`, `elect` and `once` have in common: their options, the way from NAME to a grant, and
 * CMD's run under it.
 */
import { constants } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Held,
  HoldfastError,
  type LockSummary,
  type WaitOptions,
  WaitTimeoutError,
} from "holdfast-client";
import { type CommonOptions, type Context, misuseError, withContext } from "../context.js";
import { type Announce, announceError, announcer } from "../held/announce.js";
import { Interruption } from "../held/interruption.js";
import { defaultOwner } from "../held/owner.js";
import { type HeldRun, runHeld } from "../held/run.js";
import { type Line, waitTeller } from "../held/waiting.js";
import { marginMsOf } from "../held/watchdog-protocol.js";
import { HELD_EXIT, heldExitCodeOf } from "../output/exit-codes.js";
import { describeWait } from "../output/holders.js";
import { printable } from "../output/table.js";
import { clusterCommand, ttlMs, waitMs, wholeNumber } from "../program.js";

const DEFAULT_TTL_MS = 15_000;
const LARGEST_EXIT_CODE = 255;
/** Nobody can handle these. */
const NOT_TO_HANDLE: ReadonlySet<string> = new Set(["SIGKILL", "SIGSTOP"]);

export interface HeldOptions extends CommonOptions {
  readonly ttl?: number;
  readonly owner?: string;
  readonly yieldSignal?: NodeJS.Signals;
}

export interface LineOptions extends HeldOptions {
  readonly wait?: number;
  readonly try?: boolean;
  readonly conflictExitCode?: number;
}

const EXIT_HELP = `
Exit codes: CMD's own (128+signal if killed); 120 not acquired; 121 lost, CMD was stopped;
122 outcome unknown and 123 unreachable, CMD not started; 125 own failure; 126 CMD not
executable; 127 CMD not found.
CMD finds HOLDFAST_LOCK_NAME, HOLDFAST_LOCK_KEY and HOLDFAST_FENCING_TOKEN in its environment.`;

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name) && !NOT_TO_HANDLE.has(name);
}

/** For commander: `SIGUSR1`, or `usr1`. */
export function signalName(text: string): NodeJS.Signals {
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  if (isSignal(name)) return name;
  throw new InvalidArgumentError("it must be a signal that CMD can handle, like SIGUSR1.");
}

/** A command that runs another one while something is held. */
export function heldCommand(name: string, description: string): Command {
  return clusterCommand(name, description, true)
    .addOption(
      new Option(
        "--ttl <duration>",
        "how long the hold outlives this machine: 1s to 24h (default 15s)",
      ).argParser(ttlMs),
    )
    .option("--owner <text>", "shown to people (default user@host:pid)")
    .addOption(
      new Option(
        "--yield-signal <signal>",
        "sent to CMD (not to its children) each time somebody asks to hand over (default: none)",
      ).argParser(signalName),
    )
    .addHelpText("after", EXIT_HELP);
}

/** One that stands in line for it. */
export function lineCommand(name: string, description: string): Command {
  return heldCommand(name, description)
    .addOption(
      new Option("--wait <duration>", "give up after so long (default: never)").argParser(waitMs),
    )
    .addOption(new Option("--try", "do not wait at all").conflicts("wait"))
    .option(
      "-E, --conflict-exit-code <n>",
      "exit code when it is not acquired (default 120)",
      wholeNumber,
    );
}

/** What there is to acquire it with. */
export interface Seat extends Context {
  readonly announce: Announce;
  /** Aborts when a signal comes before CMD runs. */
  readonly signal: AbortSignal;
}

/** What was acquired, and what else CMD is told and its end means. */
export type Taken = Pick<HeldRun, "held" | "environment" | "giveBack">;

/** The exit code when it is not acquired. */
export type Take = (seat: Seat) => Promise<Taken | number>;

/** A line of another rule, by the options that go with it. */
function inWordsOfOptions(error: unknown, { names, having }: Line): unknown {
  if (!(error instanceof HoldfastError) || error.code !== "RULE_MISMATCH") return error;
  const { code, details } = error;
  const { permits } = details.rule as LockSummary["rule"];
  const many = having === "held" && names.length === 1 ? `: ask with --permits ${permits}` : "";
  const rule =
    permits === undefined
      ? "a lock: ask without --permits"
      : `a semaphore of ${permits} permits${many}`;
  const which = names.length === 1 ? names.join() : `one of ${names.join(", ")}`;
  const message = `${code}: ${printable(which)} is ${rule}`;
  return new HoldfastError({ code, message, details, cause: error });
}

/** Stands in line as the options say. */
export async function standInLine(
  options: LineOptions,
  { client, announce, signal }: Seat,
  line: Line,
  acquire: (wait: WaitOptions) => Promise<Held>,
): Promise<Taken | number> {
  const waitMs = options.try === true ? 0 : options.wait;
  const teller = waitTeller(client, announce, line, options.endpoints);
  try {
    const held = await acquire({
      ...(waitMs === undefined ? {} : { waitMs }),
      signal,
      onWaiting: waiting => teller.onWaiting(waiting),
    });
    return { held };
  } catch (error) {
    if (!(error instanceof WaitTimeoutError)) throw inWordsOfOptions(error, line);
    const { position, holders } = error;
    const place = options.try === true ? "would have been" : "were";
    const message = `not acquired: ${describeWait(error, { having: line.having, place })}`;
    announce("not-acquired", message, { position, holders });
    return options.conflictExitCode ?? HELD_EXIT.notAcquired;
  } finally {
    teller.end();
  }
}

/** What is wrong with how it was called; null when nothing is. */
function misuse({ command, usage, complaint = null }: HeldCall, options: LineOptions) {
  if (complaint !== null) return complaint;
  if (command.length === 0) return `after NAME comes -- and the command to run, e.g. ${usage}`;
  if ((options.conflictExitCode ?? 0) > LARGEST_EXIT_CODE) return "-E: exit codes end at 255";
  return null;
}

/** How it was called. */
export interface HeldCall {
  readonly names: readonly string[];
  /** What stood behind `--`. */
  readonly command: readonly string[];
  /** An example, for whoever forgot that. */
  readonly usage: string;
  /** What else is wrong with it; null: nothing is. */
  readonly complaint?: string | null;
}

async function takeAndRun(
  seat: Seat,
  take: Take,
  run: Pick<HeldRun, "command" | "ttlMs" | "announce" | "interruption" | "yieldSignal">,
): Promise<number> {
  const { announce, interruption } = run;
  let taken: Taken | number;
  try {
    taken = await take(seat);
  } catch (error) {
    if (interruption.exitCode !== null) return interruption.exitCode;
    throw error;
  }
  if (typeof taken === "number") return taken;
  const { key, token } = taken.held;
  if (seat.json) announce("granted", "granted", { key, token });
  return runHeld({ ...run, ...taken });
}

/** Acquires, runs CMD, gives back. */
export async function runWhileHeld(
  call: HeldCall,
  options: HeldOptions,
  take: Take,
): Promise<number> {
  const { names, command } = call;
  const { yieldSignal, ttl: ttlMs = DEFAULT_TTL_MS } = options;
  const announce = announcer(names, options.json === true);
  const complaint = misuse(call, options);
  if (complaint !== null) {
    announceError(announce, misuseError(complaint));
    return HELD_EXIT.ownFailure;
  }
  const act = async (context: Context): Promise<number> => {
    const interruption = new Interruption();
    const seat = { ...context, announce, signal: interruption.signal };
    const signalled = yieldSignal === undefined ? {} : { yieldSignal };
    try {
      return await takeAndRun(seat, take, {
        ...{ command, ttlMs, announce, interruption },
        ...signalled,
      });
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
    tell: error => announceError(announce, error),
  });
}
