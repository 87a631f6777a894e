/** `dev`: its options. What it does is in dev/dev.ts. */
import { Command } from "commander";
import { runDev } from "../dev/dev.js";
import { wholeNumber, withUsageCode } from "../program.js";

interface Options {
  readonly memory?: boolean;
  readonly port?: number;
  readonly json?: boolean;
  readonly dataDir: string;
}

export function devCommand(): Command {
  return withUsageCode(new Command("dev"))
    .description("A cluster of three nodes in this terminal, for trying things out.")
    .option("--memory", "keep data in a temporary folder that is removed at the end")
    .option("--port <port>", "the first client port; 0: any free ones (default 2379)", wholeNumber)
    .option("--json", "one line of JSON when it is ready, for programs")
    .option("--data-dir <dir>", "where data and logs go", ".holdfast")
    .showHelpAfterError("(holdfast dev --help tells more)")
    .action(async (options: Options) => {
      process.exitCode = await runDev({
        memory: options.memory === true,
        port: options.port ?? null,
        json: options.json === true,
        directory: options.dataDir,
      });
    });
}
