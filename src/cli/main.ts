#!/usr/bin/env node
/** The `holdfast` command: splits off what stands behind `--`, and finds the command. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { clusterCommands } from "./commands/cluster.js";
import { devCommand } from "./commands/dev.js";
import { electCommand } from "./commands/elect.js";
import { breakCommand, yieldCommand } from "./commands/hand-over.js";
import { kvCommands } from "./commands/kv.js";
import { leaseCommands } from "./commands/lease.js";
import { lockCommand } from "./commands/lock.js";
import { locks } from "./commands/locks.js";
import { memberCommands } from "./commands/member.js";
import { onceCommand } from "./commands/once.js";
import { who } from "./commands/who.js";
import { say } from "./context.js";
import { EXIT } from "./output/exit-codes.js";
import { withUsageCode } from "./program.js";
import { becomeServer } from "./server-program.js";

/** Commands that run another one: it stands behind `--`. Elsewhere `--` only ends the options. */
const RUNNERS: ReadonlySet<string | undefined> = new Set(["lock", "elect", "once"]);

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

const HIDDEN = { hidden: true };

/** Looked for by many: what there is in its place is better said than guessed. */
function noSuchCommand(name: string): Command {
  const command = withUsageCode(new Command(name)).helpOption(false);
  command.allowUnknownOption().allowExcessArguments();
  return command.action(() => {
    command.error(
      `error: there is no ${name}: a lock is released when the CMD of holdfast lock ends. ` +
        "To take it from its holder: holdfast yield NAME, or holdfast break NAME",
    );
  });
}

function program(behindDashes: readonly string[]): Command {
  const holdfast = withUsageCode(new Command("holdfast"))
    .description("Locks that take turns, elections and ordered keys, from a cluster that agrees.")
    .version(version())
    .enablePositionalOptions()
    .showHelpAfterError("(holdfast --help lists the commands)")
    .addHelpText("after", "\nDurations have their unit: 500ms, 30s, 5m, 1h30m.");
  for (const make of [lockCommand, electCommand, onceCommand])
    holdfast.addCommand(make(behindDashes));
  const lines = [who, locks, yieldCommand, breakCommand];
  const others = [lines, kvCommands, leaseCommands, clusterCommands, memberCommands];
  for (const make of [...others.flat(), devCommand]) holdfast.addCommand(make());
  for (const name of ["release", "unlock"]) holdfast.addCommand(noSuchCommand(name), HIDDEN);
  // Here for the help only: `serve` does not come this way.
  holdfast.command("serve").description("Run one node (holdfast serve --help lists its flags).");
  return holdfast;
}

/** A reader that has seen enough (`| head`) is no failure; a full disk is, and no answer. */
function endWithOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  say(`cannot write the output: ${error.message}`);
  process.exit(EXIT.notWritten);
}

async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", endWithOutput);
  // What is said to nobody ends nothing: CMD may run.
  process.stderr.on("error", () => {});
  // As if it were not there, which is what most who set it to nothing mean.
  if (process.env.HOLDFAST_ENDPOINTS === "") delete process.env.HOLDFAST_ENDPOINTS;
  const dashes = RUNNERS.has(argv[0]) ? argv.indexOf("--") : -1;
  const own = dashes < 0 ? argv : argv.slice(0, dashes);
  const behindDashes = dashes < 0 ? [] : argv.slice(dashes + 1);
  await program(behindDashes).parseAsync([...own], { from: "user" });
}

const [name, ...rest] = process.argv.slice(2);
if (name === "serve") becomeServer(rest);
else await main(process.argv.slice(2));
