/** `lock`: run CMD while holding a lock, several at once, a reader's share or a permit. */
import { type Command, Option } from "commander";
import type { Client, Lock } from "holdfast-client";
import { action, wholeNumber } from "../program.js";
import { type LineOptions, lineCommand, runWhileHeld, standInLine } from "./held.js";

interface LockOptions extends LineOptions {
  readonly shared?: boolean;
  readonly permits?: number;
}

/** What is wrong with these together; null when nothing is. */
function misuse(names: readonly string[], { shared, permits }: LockOptions): string | null {
  if (permits === 0) return "--permits: at least 1 must be let in";
  if (new Set(names).size < names.length) return "a name is there twice";
  if (names.length === 1) return null;
  if (shared === true) return "--shared goes with one NAME: several are taken exclusively";
  if (permits !== undefined) return "--permits goes with one NAME: several are taken exclusively";
  return null;
}

function lockOf(client: Client, names: readonly string[], options: LockOptions): Lock {
  const [name = ""] = names;
  if (options.permits !== undefined) return client.semaphore(name, { permits: options.permits });
  if (options.shared === true) return client.lock(name, { mode: "shared" });
  return client.lock(names.length === 1 ? name : names);
}

/** `command` is what stood behind `--`. */
export function lockCommand(command: readonly string[]): Command {
  const lock = lineCommand("lock", "Run CMD while holding a lock: several names, all at once.")
    .argument("<name...>")
    .usage("[options] NAME… -- CMD [ARG…]")
    .addOption(new Option("--shared", "beside other readers, never beside a writer"))
    .addOption(
      new Option("--permits <n>", "so many may hold at once; all who ask say the same")
        .argParser(wholeNumber)
        .conflicts("shared"),
    )
    .addHelpText("after", "Of several names, HOLDFAST_LOCK_NAME and _KEY are the first one's.");
  return action<LockOptions>(lock, (names, options) => {
    const complaint = misuse(names, options);
    const usage = "holdfast lock jobs/42 -- ./job.sh";
    return runWhileHeld({ names, command, usage, complaint }, options, seat => {
      const { client } = seat;
      return standInLine(options, seat, { names, having: "held" }, wait =>
        lockOf(client, names, options).acquire(wait),
      );
    });
  });
}
