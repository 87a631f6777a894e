#!/usr/bin/env node
/** The `holdfast` command: splits off what stands behind `--`, and finds the command. */
import { Command } from "commander";
import { clusterCommands } from "./commands/cluster.js";
import { kvCommands } from "./commands/kv.js";
import { leaseCommands } from "./commands/lease.js";
import { lineCommands } from "./commands/line.js";
import { electCommand, lockCommand } from "./commands/lock.js";
import { runDev } from "./dev/dev.js";
import { EXIT } from "./output/exit-codes.js";
import { wholeNumber } from "./program.js";

const SERVER_PROGRAM = new URL("../server/main.js", import.meta.url).href;

function devCommand(): Command {
  return new Command("dev")
    .description("A cluster of three nodes in this terminal, for trying things out.")
    .option("--memory", "keep data in a temporary folder that is removed at the end")
    .option("--port <port>", "the first client port; 0: any free ones", wholeNumber)
    .option("--json", "one line of JSON when it is ready, for programs")
    .option("--data-dir <dir>", "where data and logs go", ".holdfast")
    .exitOverride(error => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .action(
      async (options: { memory?: boolean; port?: number; json?: boolean; dataDir: string }) => {
        process.exitCode = await runDev({
          memory: options.memory === true,
          port: options.port ?? null,
          json: options.json === true,
          directory: options.dataDir,
        });
      },
    );
}

async function main(argv: readonly string[]): Promise<void> {
  const at = argv.indexOf("--");
  const own = at < 0 ? argv : argv.slice(0, at);
  const command = at < 0 ? [] : argv.slice(at + 1);
  const program = new Command("holdfast")
    .description("Locks that take turns, elections and ordered keys, from a cluster that agrees.")
    .enablePositionalOptions()
    .exitOverride(error => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .showHelpAfterError("(holdfast --help lists the commands)");
  program.addCommand(lockCommand(command)).addCommand(electCommand(command));
  const others = [...lineCommands, ...kvCommands, ...leaseCommands, ...clusterCommands];
  for (const make of others) program.addCommand(make());
  program.addCommand(devCommand());
  program.command("serve").description("Run one node (holdfast serve --help lists its flags).");
  await program.parseAsync([...own], { from: "user" });
}

const argv = process.argv.slice(2);
if (argv[0] === "serve") {
  // The node is a program of its own; it reads its flags from the process's arguments.
  process.argv = [process.argv[0] ?? "node", "holdfast", ...argv.slice(1)];
  await import(SERVER_PROGRAM);
} else {
  await main(argv);
}
