/** `yield` and `break`: asking the holder to hand over, and ending its grant. */
import { type Command, Option } from "commander";
import { type Holder, HoldfastError, type LockInfo, type Transition } from "holdfast-client";
import { type CommonOptions, type Context, withContext } from "../context.js";
import { defaultAsker } from "../held/owner.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { holderName, isShut } from "../output/holders.js";
import { printable } from "../output/table.js";
import { action, clusterCommand, graceMs, wholeNumber } from "../program.js";
import { describeEnd } from "./who.js";

/** A key as it travels, to be compared with those that the client shows. */
const keyText = (key: string | Uint8Array): string =>
  typeof key === "string" ? key : new TextDecoder().decode(key);

interface AskOptions extends CommonOptions {
  readonly reason?: string;
  readonly owner?: string;
}

interface YieldOptions extends AskOptions {
  readonly grace?: number;
  readonly to?: string;
}

interface BreakOptions extends AskOptions {
  readonly reason: string;
  readonly token?: number;
  readonly key?: string;
  readonly force?: boolean;
}

/** A command that others see the hand of. */
const askCommand = (name: string, description: string): Command =>
  clusterCommand(name, description)
    .argument("<name>")
    .option("--owner <text>", "who asks, shown to people (default user@host)");

function nobodyHolds({ json, say, printJson }: Context, name: string): number {
  if (json) printJson({ name, asked: [] });
  say(`nobody holds ${printable(name)}`);
  return EXIT.negative;
}

/** One who was asked, as it is a moment later. */
type AskedOne =
  | Holder
  | (Transition & { readonly handedOver: true })
  /** Of which nothing is remembered any more. */
  | { readonly key: string; readonly handedOver: true };

/** Exactly those of `keys`: some may hold no more, and others may have been asked by others. */
export function askedOnes(
  keys: readonly string[],
  { holders, recent }: Pick<LockInfo, "holders" | "recent">,
): readonly AskedOne[] {
  return keys.map(key => {
    const holder = holders.find(one => one.key === key);
    if (holder !== undefined) return holder;
    const past = recent.find(one => one.key === key);
    return past === undefined ? { key, handedOver: true } : { ...past, handedOver: true };
  });
}

/** "asked cron@web1 (token 7, holds since 12 s)" */
export function describeAsked(one: AskedOne): string {
  if (!("token" in one)) return `asked ${printable(one.key)}; it holds no more`;
  const asked = `asked ${holderName(one)} (token ${one.token}`;
  if (!("handedOver" in one)) return `${asked}, holds since ${formatDuration(one.sinceMs)})`;
  if (one.reason === "released") return `${asked}); it has handed over already`;
  return `${asked}); it holds no more: ${describeEnd(one)}`;
}

/** What the cluster says of a key that does not wait, in the words of this command. */
function inWordsOfYield(error: unknown, name: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== "NOT_IN_LINE") return error;
  const { code, details } = error;
  const line = printable(name);
  const message =
    `${code}: --to: ${printable(String(details.key))} does not wait for ${line}; ` +
    `holdfast who ${line} --json shows the keys of those who do`;
  return new HoldfastError({ code, message, details, cause: error });
}

/** The exit code. */
export async function askToYield(
  context: Context,
  name: string,
  options: YieldOptions,
): Promise<number> {
  const { client, json, print, printJson } = context;
  const { grace, reason, to, owner } = options;
  const { keys } = await client
    .call("lock.yield", {
      name,
      by: owner ?? defaultAsker(),
      ...(grace === undefined ? {} : { graceMs: grace }),
      ...(reason === undefined ? {} : { why: reason }),
      ...(to === undefined ? {} : { toKey: to }),
    })
    .catch(error => {
      throw inWordsOfYield(error, name);
    });
  if (keys.length === 0) return nobodyHolds(context, name);
  const asked = askedOnes(keys.map(keyText), await client.lock(name).inspect());
  if (json) printJson({ name, asked });
  for (const one of json ? [] : asked) print(describeAsked(one));
  return EXIT.done;
}

export function yieldCommand(): Command {
  const command = askCommand("yield", "Ask all who hold a lock, or lead, to hand over.")
    .addOption(
      new Option("--grace <duration>", "told to them: how long you mean to wait").argParser(
        graceMs,
      ),
    )
    .option("--reason <text>", "told to them, and shown by who")
    .option("--to <key>", "the key of one who waits (who --json shows it): it is to be next")
    .addHelpText(
      "after",
      "\nNothing ends by it: who is asked holds on until it releases. See break for that." +
        "\nExit codes: 0 asked; 1 nobody holds it.",
    );
  return action<YieldOptions>(command, ([name = ""], options) =>
    withContext(options, context => askToYield(context, name, options), {
      owner: options.owner ?? defaultAsker(),
    }),
  );
}

function ambiguous(message: string): HoldfastError {
  return new HoldfastError({ code: "AMBIGUOUS_GRANT", message });
}

interface Which {
  readonly token?: number | undefined;
  readonly key?: string | undefined;
}

/** The grant that is meant. null: nobody holds it. Throws AMBIGUOUS_GRANT. */
function meant({ name, holders }: LockInfo, { token, key }: Which): Holder | null {
  const [first] = holders;
  if (key?.startsWith(`${name}/`) === false) {
    const message = `${printable(key)} stands in another line than ${printable(name)}`;
    throw new HoldfastError({ code: "INVALID_PARAMETER", message });
  }
  if (key !== undefined) return holders.find(one => one.key === key) ?? null;
  if (holders.length > 1 && first?.mode === "shared") {
    const readers = `${holders.length} readers hold ${printable(name)} under one token`;
    const each = holders.map(one => `${one.key} (${holderName(one)})`).join(", ");
    throw ambiguous(`${readers}: ask them all with yield, or say which with --key: ${each}`);
  }
  if (token !== undefined) return holders.find(one => one.token === token) ?? null;
  if (holders.length < 2) return first ?? null;
  const each = holders.map(one => `${one.token} (${holderName(one)})`).join(", ");
  throw ambiguous(`${printable(name)} is held by several: say which with --token: ${each}`);
}

/** What is waited for, and for how long at most. */
async function announceWait({ client, say }: Context, holder: Holder): Promise<void> {
  const { lease } = holder;
  const { remainingMs } = lease === undefined ? {} : await client.leases.get(lease);
  const mostMs = Math.min(
    remainingMs ?? Number.POSITIVE_INFINITY,
    holder.endsInMs ?? Number.POSITIVE_INFINITY,
  );
  const atMost = Number.isFinite(mostMs) ? `, in at most ${formatDuration(mostMs)}` : "";
  const since = formatDuration(holder.sinceMs);
  say(`asking ${holderName(holder)} (token ${holder.token}, holds since ${since}) to hand over;`);
  say(`waiting until it has, or what is left of its lease has gone by${atMost}`);
  say("(to interrupt this takes nothing back: it is broken then all the same)");
}

interface Broken {
  /** How it was named: "token 7", or its key. */
  readonly grant: string;
  /** Held when this began. */
  readonly holder: Holder | null;
  readonly past: Transition | undefined;
}

function describe({ grant, holder, past }: Broken): string {
  if (past === undefined) return `${grant} holds no more`;
  const whose = past.owner === undefined ? grant : printable(past.owner);
  const ended = `${whose}: ${describeEnd(past)}, after ${formatDuration(past.heldMs)}`;
  return holder === null ? `${ended}; it had ended ${formatDuration(past.sinceMs)} ago` : ended;
}

async function breakGrant(context: Context, name: string, options: BreakOptions): Promise<number> {
  const { client, json, print, printJson } = context;
  const lock = client.lock(name);
  const { reason, force = false } = options;
  const holder = meant(await lock.inspect(), options);
  const { key } = options;
  const token = options.token ?? holder?.token;
  if (token === undefined && key === undefined) return nobodyHolds(context, name);
  if (holder !== null && !isShut(holder) && !force) await announceWait(context, holder);
  const which = key === undefined ? { token: token ?? 0 } : { key };
  await lock.break({ ...which, reason, force });
  const { recent } = await lock.inspect();
  const past = recent.find(one => (key === undefined ? one.token === token : one.key === key));
  const grant = key === undefined ? `token ${token}` : printable(key);
  const named = { name, ...(token === undefined ? {} : { token }), ...(key && { key }) };
  if (json) printJson({ ...named, held: holder !== null, ...(past && { ended: past }) });
  else print(describe({ grant, holder, past }));
  return holder === null ? EXIT.negative : EXIT.done;
}

export function breakCommand(): Command {
  const command = askCommand("break", "End a grant: its holder is asked first, and waited for.")
    .option(
      "--token <n>",
      "of the grant (who shows it); may be left out where one holds",
      wholeNumber,
    )
    .addOption(
      new Option(
        "--key <key>",
        "of the grant (who --json shows it): for one of many readers",
      ).conflicts("token"),
    )
    .requiredOption("--reason <text>", "told to its holder, and shown by who (required)")
    .option("--force", "at once, unasked")
    .addHelpText(
      "after",
      "\nThe holder has what is left of its lease now, however often it renews that." +
        "\nExit codes: 0 it holds no more; 1 it did not hold; 4 several hold: say which.",
    );
  return action<BreakOptions>(command, ([name = ""], options) =>
    withContext(options, context => breakGrant(context, name, options), {
      owner: options.owner ?? defaultAsker(),
    }),
  );
}
