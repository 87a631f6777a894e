/**
 * What every command gets: a client for the endpoints it was given, where its output goes, and
 * one place where an error becomes a sentence on stderr and an exit code.
 */
import { type Client, type ConnectOptions, connect, HoldfastError } from "holdfast-client";
import { EXIT, exitCodeOf } from "./output/exit-codes.js";
import { printableJson } from "./output/json.js";

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
  /** One JSON document, on a line of its own, to stdout. */
  printJson(value: unknown): void;
  /** One line to stderr. */
  say(text: string): void;
}

/** How a command differs from the others. */
export interface Manner extends Pick<ConnectOptions, "ttlMs" | "marginMs" | "owner"> {
  readonly codeOf?: (error: HoldfastError) => number;
  readonly usageCode?: number;
  /** It asks what a node alone can answer: not even a quorum is needed. */
  readonly asksNodes?: boolean;
  /** In place of {@link tell}, where stdout is CMD's. */
  tell?(error: HoldfastError): void;
}

/** Of one call with its retries. */
export const DEFAULT_TIMEOUT_MS = 5_000;

export function say(text: string): void {
  process.stderr.write(`holdfast: ${text}\n`);
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const printJson = (value: unknown): void => print(JSON.stringify(printableJson(value)));

/** Throws INVALID_PARAMETER for endpoints that cannot be. */
function makeClient(options: CommonOptions, manner: Manner): Client {
  const token = process.env.HOLDFAST_AUTH_TOKEN;
  const { ttlMs, marginMs, owner } = manner;
  return connect(options.endpoints, {
    timeoutMs: options.timeout ?? DEFAULT_TIMEOUT_MS,
    ...(token ? { token } : {}),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(marginMs === undefined ? {} : { marginMs }),
    ...(owner === undefined ? {} : { owner }),
  });
}

/**
 * Waits for a quorum before anything is asked for: what never left cannot be in doubt, so where
 * there is none the answer is "nothing was applied", and not "unknown".
 */
async function quorum(client: Client): Promise<void> {
  try {
    await client.ready();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { code, details } = error;
    const message = error.message.replace(/^[a-z]+\.[a-z]+: /, ""); // how readiness was asked for
    throw new HoldfastError({ code, message, details, retryable: true, cause: error });
  }
}

/** In the form that HTTP has it in. */
export function errorDocument({
  code,
  message,
  retryable,
  outcome,
  requestId,
  details,
}: HoldfastError) {
  return { error: { code, message, retryable, outcome, requestId, details } };
}

/** How it was called is wrong. */
export const misuseError = (message: string): HoldfastError =>
  new HoldfastError({ code: "INVALID_PARAMETER", message });

/** Tells the error to people, and to programs. */
function tell(error: HoldfastError, json: boolean): void {
  say(error.message);
  if (json) printJson(errorDocument(error));
}

/** Tells what is wrong with how it was called; the exit code. */
export function complain(message: string, { json }: CommonOptions): number {
  tell(misuseError(message), json === true);
  return EXIT.usage;
}

/**
 * Runs one command with a client of its own, and closes that; the exit code. What is not an
 * operating error is thrown on.
 */
export async function withContext(
  options: CommonOptions,
  act: (context: Context) => Promise<number>,
  manner: Manner = {},
): Promise<number> {
  const json = options.json === true;
  const tellIt = manner.tell ?? ((error: HoldfastError) => tell(error, json));
  let client: Client;
  try {
    client = makeClient(options, manner);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tellIt(error);
    return manner.usageCode ?? EXIT.usage;
  }
  try {
    if (manner.asksNodes !== true) await quorum(client);
    return await act({ client, json, print, printJson, say });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tellIt(error);
    return (manner.codeOf ?? exitCodeOf)(error);
  } finally {
    await client.close();
  }
}
