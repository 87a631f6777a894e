/**
 * Commander, as this program uses it: the options that all commands share, usage errors, exit
 * codes.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { CommonOptions } from "./context.js";
import { parseDuration } from "./output/duration.js";
import { EXIT } from "./output/exit-codes.js";

/** For commander: a duration as milliseconds. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('write it like "500ms", "30s" or "5m".');
  return ms;
}

/** For commander: a duration that is none at all is no time to do anything in. */
export function timeoutMs(text: string): number {
  const ms = durationMs(text);
  if (ms === 0) throw new InvalidArgumentError("it must be longer than nothing.");
  return ms;
}

/** For commander: a whole number, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("it must be a whole number.");
  }
  return value;
}

/** Usage errors of `command` end the program with `code`; asking for help or version is none. */
export function withUsageCode(command: Command, code: number = EXIT.usage): Command {
  return command.exitOverride(error => process.exit(error.exitCode === 0 ? EXIT.done : code));
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

/** A command that talks to a cluster. Usage errors end the program with `usageCode`. */
export function clusterCommand(name: string, description: string, usageCode?: number): Command {
  return withUsageCode(new Command(name), usageCode)
    .description(description)
    .addOption(
      new Option("--endpoints <urls>", "nodes to talk to, separated by commas").env(
        "HOLDFAST_ENDPOINTS",
      ),
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
