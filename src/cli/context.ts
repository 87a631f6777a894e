/**
 * What every command gets: a client for the endpoints it was given, where its output goes, and one
 * place where an error becomes a sentence on stderr and an exit code.
 */
import { type Client, connect, HoldfastError } from "holdfast-client";
import { exitCodeOf } from "./output/exit-codes.js";

export interface CommonOptions {
  readonly endpoints?: string;
  readonly json?: boolean;
  readonly timeout?: number;
}

export interface Context {
  readonly client: Client;
  readonly json: boolean;
  /** One line (or several) to stdout. */
  print(text: string): void;
  printJson(value: unknown): void;
  /** One line to stderr. */
  say(text: string): void;
}

const DEFAULT_TIMEOUT_MS = 5_000;

export function say(text: string): void {
  process.stderr.write(`holdfast: ${text}\n`);
}

/** Bytes that are not text are shown as base64, under a name of their own. */
function jsonValue(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value;
}

function makeContext(options: CommonOptions, ttlMs?: number): Context {
  const client = connect(options.endpoints?.split(","), {
    timeoutMs: options.timeout ?? DEFAULT_TIMEOUT_MS,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  });
  return {
    client,
    json: options.json === true,
    print: text => process.stdout.write(`${text}\n`),
    printJson: value => process.stdout.write(`${JSON.stringify(value, jsonValue)}\n`),
    say,
  };
}

/** Tells the error; its exit code by `codeOf`. Rethrows what is not an operating error. */
export function report(error: unknown, codeOf: (error: HoldfastError) => number): number {
  if (!(error instanceof HoldfastError)) throw error;
  say(error.message);
  return codeOf(error);
}

/** Runs one command with a client of its own, and closes that; the exit code. */
export async function withContext(
  options: CommonOptions,
  act: (context: Context) => Promise<number>,
  how: { readonly ttlMs?: number; readonly codeOf?: (error: HoldfastError) => number } = {},
): Promise<number> {
  const context = makeContext(options, how.ttlMs);
  try {
    return await act(context);
  } catch (error) {
    return report(error, how.codeOf ?? exitCodeOf);
  } finally {
    await context.client.close();
  }
}
