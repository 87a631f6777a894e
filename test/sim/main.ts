/**
 * The simulator's command, run by Node from dist/sim. What it can do stands in tool/options.ts.
 * This process replays single seeds itself; all else it leaves to worker processes.
 */
import { HELP, type Options, parseOptions } from "./tool/options.js";

async function main(): Promise<boolean> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return true;
  }
  return commandOf(options);
}

async function commandOf(options: Options): Promise<boolean> {
  switch (options.command) {
    case "plant":
      return (await import("./tool/plant.js")).plant(options);
    case "campaign":
      return (await import("./tool/campaign.js")).campaign(options);
    case "ci":
      return (await import("./tool/ci.js")).ci(options);
    default:
      if (options.seed !== null || options.script !== null)
        return (await import("./tool/one.js")).one(options);
      return (await import("./tool/seeds.js")).seeds(options);
  }
}

// Whoever reads only the beginning has had enough.
process.stdout.on("error", () => process.exit(0));
try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(String((error as Error).message));
  process.exitCode = 2;
}
