/**
 * The program: `node dist/server/main.js --name n1 …`. Flags to a configuration, a node until it is
 * told to stop, and an exit code. Exit codes are in README.md.
 */
import { isatty } from "node:tty";
import { pino } from "pino";
import { type Configuration, ConfigurationError, configurationFrom } from "./configuration.js";
import { type Flags, serveCommand } from "./flags.js";
import { NodeFailure, type RunningNode, startNode } from "./node.js";

const out = pino.destination({ fd: 1, sync: false });

const EXIT = { stopped: 0, cannotGoOn: 1, refused: 4 } as const;

/** A log that nobody reads must not keep a node that cannot go on from ending. */
const LOGGED_WITHIN_MS = 1_000;

/** Resolves when a write of the log that is under way has ended, which no flush waits for. */
function logged(): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, LOGGED_WITHIN_MS);
    out.once("drain", resolve);
    out.write("");
  });
}

/** Whoever starts it again as it is gets the same answer. */
const REFUSED: readonly string[] = ["CONFIGURATION", "LISTEN_FAILED", "MEMBER_REMOVED"];

/** After all that was logged, so that it is the last line where both streams go to one place. */
async function say(line: string): Promise<void> {
  await logged();
  out.flushSync();
  process.stderr.write(`holdfast: ${line}\n`);
}

async function exitWith(error: unknown): Promise<never> {
  if (error instanceof ConfigurationError) {
    await say(error.message);
    process.exit(EXIT.refused);
  }
  if (error instanceof NodeFailure) {
    await say(`${error.code}: ${error.message}`);
    process.exit(REFUSED.includes(error.code) ? EXIT.refused : EXIT.cannotGoOn);
  }
  throw error; // a bug of ours: with its stack trace
}

/** `running` is null until the node takes part: one that waits to join has nothing to hand over. */
function stopOnSignals(running: () => RunningNode | null, supervised: boolean): void {
  let told = false;
  const stop = (): void => {
    if (told) process.exit(EXIT.cannotGoOn); // a second signal does not wait
    told = true;
    const node = running();
    if (node === null) process.exit(EXIT.stopped);
    void node.stop().then(() => process.exit(EXIT.stopped));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", supervised ? () => {} : stop);
  // A terminal that closes takes the node along; who logs out after `nohup … &` does not.
  const hasTerminal = [0, 1, 2].some(fd => isatty(fd));
  process.on("SIGHUP", supervised || !hasTerminal ? () => {} : stop);
  if (!supervised) return;
  process.on("disconnect", stop);
  if (!process.connected) stop(); // it went before the node was started
}

async function run(configuration: Configuration): Promise<void> {
  const logger = pino({ level: configuration.logLevel, base: { node: configuration.name } }, out);
  let node: RunningNode | null = null;
  stopOnSignals(() => node, configuration.supervised);
  node = await startNode(configuration, logger);
  logger.info({ clientUrls: node.clientUrls, data: configuration.dataDirectory }, "listening");
  const failure = await node.failed;
  logger.fatal({ code: failure.code }, failure.message);
  // Its clients hear that it goes; after other failures nothing is waited for.
  if (failure.code === "MEMBER_REMOVED") await node.stop();
  await exitWith(failure);
}

async function main(flags: Flags): Promise<void> {
  try {
    await run(configurationFrom(flags));
  } catch (error) {
    await exitWith(error);
  }
}

await serveCommand(flags => void main(flags)).parseAsync(process.argv);
