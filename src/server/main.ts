/**
 * The program: `node dist/server/main.js --name n1 …`. Flags to a configuration, a node until it is
 * told to stop, and an exit code. Exit codes are in README.md.
 */
import { isatty } from "node:tty";
import { type Logger, pino } from "pino";
import { type Configuration, ConfigurationError, configurationFrom } from "./configuration.js";
import { type Flags, serveCommand } from "./flags.js";
import { Lines, writerTo } from "./lines.js";
import { NodeFailure, type RunningNode, startNode } from "./node.js";

const EXIT = { stopped: 0, cannotGoOn: 1, refused: 4 } as const;

/** Whoever starts it again as it is gets the same answer. */
const REFUSED: readonly string[] = ["CONFIGURATION", "LISTEN_FAILED", "MEMBER_REMOVED"];

/** Readers that are only slow get the last lines; those that do not read must not keep it here. */
const WRITTEN_WITHIN_MS = 100;

/** Once it is known that the node cannot go on: the exit code, whatever else happens then. */
let failedWith: number | null = null;

let logger: Logger | null = null;

const errors = new Lines(writerTo(2), { failed: () => {}, dropped: () => {} });

const out = new Lines(writerTo(1), {
  failed: error => {
    if (failedWith !== null) return; // the reason for an end stays the last line
    errors.write(`holdfast: the log cannot be written, and is tried again: ${error.message}\n`);
  },
  dropped: count => logger?.error({ dropped: count }, "lines of this log were dropped"),
});

async function exit(code: number): Promise<never> {
  await Promise.all([out.written(WRITTEN_WITHIN_MS), errors.written(WRITTEN_WITHIN_MS)]);
  process.exit(failedWith ?? code);
}

/** The reason, after all that was logged: the last line where both streams go to one place. */
function exitSaying(line: string, code: number): Promise<never> {
  failedWith = code;
  out.flush();
  errors.write(`holdfast: ${line}\n`);
  return exit(code);
}

async function exitWith(error: unknown): Promise<never> {
  if (error instanceof ConfigurationError) return exitSaying(error.message, EXIT.refused);
  if (error instanceof NodeFailure) {
    return exitSaying(`${error.code}: ${error.message}`, codeOf(error));
  }
  throw error; // a bug of ours: with its stack trace
}

const codeOf = ({ code }: NodeFailure): number =>
  REFUSED.includes(code) ? EXIT.refused : EXIT.cannotGoOn;

/** `running` is null until the node takes part: one that waits to join has nothing to hand over. */
function stopOnSignals(running: () => RunningNode | null, supervised: boolean): void {
  let told = false;
  const stop = async (): Promise<void> => {
    if (told) process.exit(failedWith ?? EXIT.cannotGoOn); // a second signal does not wait
    told = true;
    if (failedWith !== null) return; // it ends already, and says why
    await running()?.stop();
    if (failedWith === null) await exit(EXIT.stopped);
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
  logger = pino({ level: configuration.logLevel, base: { node: configuration.name } }, out);
  let node: RunningNode | null = null;
  stopOnSignals(() => node, configuration.supervised);
  node = await startNode(configuration, logger);
  logger.info({ clientUrls: node.clientUrls, data: configuration.dataDirectory }, "listening");
  const failure = await node.failed;
  failedWith = codeOf(failure);
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
