/**
 * Commander, as this program uses it: the options that all commands share, usage errors, exit
 * codes.
 */
import { Command, type CommanderError, InvalidArgumentError, Option } from "commander";
import { type CommonOptions, errorDocument, misuseError } from "./context.js";
import { parseDuration } from "./output/duration.js";
import { EXIT, HELD_EXIT } from "./output/exit-codes.js";

/** For commander: a duration as milliseconds. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  const isBare = /^\d+(?:\.\d+)?$/.test(text);
  throw new InvalidArgumentError(
    isBare
      ? `it needs a unit: "${text}s" or "${text}ms".`
      : 'write it like "500ms", "30s" or "5m".',
  );
}

/** For commander: {@link durationMs} within bounds, which are told as people write them. */
export const durationWithin =
  (least: string, most: string) =>
  (text: string): number => {
    const ms = durationMs(text);
    if (ms >= durationMs(least) && ms <= durationMs(most)) return ms;
    throw new InvalidArgumentError(`it must be between ${least} and ${most}.`);
  };

/** A lease's time to live, and how long a holder may be given to hand over. */
export const ttlMs = durationWithin("1s", "24h");
export const graceMs = durationWithin("0", "24h");
/** A bounded wait: 2^31 milliseconds, rounded down. */
export const waitMs = durationWithin("0", "596h");

/** For commander: a duration that is none at all is no time to do anything in. */
export function timeoutMs(text: string): number {
  const ms = durationMs(text);
  if (ms === 0) throw new InvalidArgumentError("it must be longer than nothing.");
  return ms;
}

/** For commander: at least one; which they may be is the client's to say. */
export function endpoints(text: string): string {
  if (text.split(",").some(one => one.trim() !== "")) return text;
  throw new InvalidArgumentError("name at least one node, like 127.0.0.1:2379.");
}

/** For commander: a whole number, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("it must be a whole number.");
  }
  return value;
}

/** Known before anything is parsed, since it may be the parsing that fails. */
function isJsonAsked(): boolean {
  const dashes = process.argv.indexOf("--");
  return process.argv.slice(2, dashes < 0 ? undefined : dashes).includes("--json");
}

/** What the command line itself says is wrong, for programs: where they look for errors. */
function writeMisuse({ code, message }: CommanderError, isRunner: boolean): void {
  const text = code === "commander.help" ? "a command is missing" : message.replace(/^error: /, "");
  const document = errorDocument(misuseError(text));
  if (!isRunner) process.stdout.write(`${JSON.stringify(document)}\n`);
  else process.stderr.write(`${JSON.stringify({ event: "failed", message: text, ...document })}\n`);
}

/**
 * Usage errors of `command` end the program; asking for help or version is none. A runner is a
 * command that runs another one: its stdout is CMD's, and with --json its stderr is JSON lines.
 */
export function withUsageCode(command: Command, isRunner = false): Command {
  const isJson = isJsonAsked();
  if (isJson && isRunner) command.configureOutput({ writeErr: () => {} });
  return command.exitOverride(error => {
    if (error.exitCode === 0) process.exit(EXIT.done);
    if (isJson) writeMisuse(error, isRunner);
    process.exit(isRunner ? HELD_EXIT.ownFailure : EXIT.usage);
  });
}

/** A command that only holds others, like `lease`. */
export function familyCommand(
  name: string,
  description: string,
  members: readonly Command[],
): Command {
  const family = withUsageCode(new Command(name)).description(description);
  family.showHelpAfterError(`(holdfast ${name} --help lists the commands)`);
  for (const member of members) family.addCommand(member);
  return family;
}

/** A command that talks to a cluster. */
export function clusterCommand(name: string, description: string, isRunner = false): Command {
  return withUsageCode(new Command(name), isRunner)
    .description(description)
    .addOption(
      new Option("--endpoints <urls>", "nodes to talk to, separated by commas")
        .argParser(endpoints)
        .env("HOLDFAST_ENDPOINTS"),
    )
    .option("--json", "write JSON, for programs")
    .addOption(
      new Option("--timeout <duration>", "for one call with its retries (default 5s)").argParser(
        timeoutMs,
      ),
    )
    .showHelpAfterError("(--help after the command tells more)");
}

/** Adds a command whose action answers with the exit code. */
export function action<Options extends CommonOptions>(
  command: Command,
  act: (args: readonly string[], options: Options) => Promise<number>,
): Command {
  return command.action(async () => {
    process.exitCode = await act(command.args, command.opts<Options>());
  });
}
