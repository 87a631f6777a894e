/** `put`, `get`, `del`, `range`, `watch`, `txn`: the keyspace. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Change, Entry, Txn } from "holdfast-client";
import type { WireParamsOf } from "holdfast-protocol";
import { type CommonOptions, type Context, complain, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { bytesField, withBytes } from "../output/json.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand, wholeNumber } from "../program.js";

interface GuardOptions extends CommonOptions {
  readonly ifAbsent?: boolean;
  readonly ifExists?: boolean;
  readonly ifRevision?: number;
  readonly heldBy?: string;
  readonly token?: number;
}

type Conditions = Pick<WireParamsOf<"kv.put">, "prevExist" | "prevRevision" | "heldBy">;

function withGuards(command: Command): Command {
  return command
    .option("--if-absent", "only if the key does not exist")
    .option("--if-exists", "only if the key exists")
    .option("--if-revision <revision>", "only if the key was last changed then", wholeNumber)
    .option("--held-by <lock>", "only while this lock is held …", String)
    .option("--token <token>", "… under this fencing token", wholeNumber);
}

/** As it travels. null: the options contradict each other; the user has been told. */
function guardFrom(options: GuardOptions): Conditions | null {
  const conditions = [options.ifAbsent, options.ifExists, options.ifRevision !== undefined];
  if (conditions.filter(Boolean).length > 1) {
    complain("--if-absent, --if-exists and --if-revision exclude each other", options);
    return null;
  }
  if ((options.heldBy === undefined) !== (options.token === undefined)) {
    complain("--held-by and --token go together", options);
    return null;
  }
  const { heldBy: name, token } = options;
  return {
    ...(options.ifAbsent ? { prevExist: false } : {}),
    ...(options.ifExists ? { prevExist: true } : {}),
    ...(options.ifRevision === undefined ? {} : { prevRevision: options.ifRevision }),
    ...(name === undefined || token === undefined ? {} : { heldBy: { name, token } }),
  };
}

/** The bytes of a file; `-` or absent: of standard input. */
async function readInput(file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined && file !== "-") return readFile(file);
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** For programs. Values that were not asked for are left out. */
function document(entry: Entry, keysOnly = false): Record<string, unknown> {
  const { keyBytes, bytes, createRevision, modRevision, version, lease } = entry;
  return {
    ...bytesField("key", keyBytes),
    ...(keysOnly ? {} : bytesField("value", bytes)),
    createRevision,
    modRevision,
    version,
    ...(lease === undefined ? {} : { lease }),
  };
}

function put(): Command {
  const command = withGuards(clusterCommand("put", "Write a key."))
    .argument("<key>")
    .argument("[value]", "absent or -: from standard input")
    .option("--lease <lease>", "the key ends with this lease");
  return action<GuardOptions & { lease?: string }>(command, async ([key = "", text], options) => {
    const guard = guardFrom(options);
    if (guard === null) return EXIT.usage;
    const value = text === undefined || text === "-" ? await readInput(text) : text;
    const lease = options.lease === undefined ? {} : { lease: options.lease };
    return withContext(options, async ({ client, json, print, printJson }) => {
      const params = { key, value, ...lease, ...guard };
      const { revision, created } = await client.call("kv.put", params);
      if (json) printJson({ key, revision, created });
      else print(`${created ? "created" : "updated"} at revision ${revision}`);
      return EXIT.done;
    });
  });
}

function get(): Command {
  const command = clusterCommand("get", "Read a key: its value to stdout.")
    .argument("<key>")
    .option("--serializable", "from the node asked, without a round to the leader; may be old");
  return action<CommonOptions & { serializable?: boolean }>(command, ([key = ""], options) => {
    const asksNodes = options.serializable === true;
    const consistency = asksNodes ? "serializable" : "linearizable";
    const act = async ({ client, json, printJson, say }: Context): Promise<number> => {
      const entry = await client.kv.get(key, { consistency });
      if (entry === null) {
        if (json) printJson(null);
        else say(`no such key: ${printable(key)}`);
        return EXIT.negative;
      }
      if (json) printJson(document(entry));
      else writeValue(entry);
      return EXIT.done;
    };
    return withContext(options, act, { asksNodes });
  });
}

/** The bytes as they are; a line end after them only where a person looks. */
function writeValue(entry: Entry): void {
  process.stdout.write(entry.bytes);
  if (process.stdout.isTTY && entry.bytes.at(-1) !== 0x0a) process.stdout.write("\n");
}

function del(): Command {
  const command = withGuards(clusterCommand("del", "Delete a key."))
    .argument("<key>")
    .option("--prefix", "delete all keys that begin with it");
  return action<GuardOptions & { prefix?: boolean }>(command, async ([key = ""], options) => {
    const guard = guardFrom(options);
    if (guard === null) return EXIT.usage;
    return withContext(options, async ({ client, json, print, printJson, say }) => {
      const what = options.prefix === true ? { prefix: key } : { key };
      const { deleted } = await client.call("kv.delete", { ...what, ...guard });
      if (json) printJson({ deleted });
      else if (deleted > 0) print(deleted === 1 ? "deleted" : `deleted ${deleted} keys`);
      else say(`no such key: ${printable(key)}`);
      return deleted > 0 ? EXIT.done : EXIT.negative;
    });
  });
}

function range(): Command {
  const command = clusterCommand("range", "List the keys below a prefix.")
    .argument("[prefix]", "absent: all keys")
    .option("--keys-only", "without values");
  return action<CommonOptions & { keysOnly?: boolean }>(command, ([prefix = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const keysOnly = options.keysOnly === true;
      const found: Entry[] = [];
      for await (const entry of client.kv.list({ prefix, keysOnly })) found.push(entry);
      if (json) printJson(found.map(entry => document(entry, keysOnly)));
      else if (found.length > 0) print(rangeTable(found, keysOnly));
      return EXIT.done;
    }),
  );
}

function rangeTable(found: readonly Entry[], keysOnly: boolean): string {
  if (keysOnly) return found.map(entry => printable(entry.key)).join("\n");
  const rows = found.map(entry => [entry.key, String(entry.modRevision), entry.value]);
  return table(["KEY", "REVISION", "VALUE"], rows);
}

const changeDocument = (change: Change): Record<string, unknown> => ({
  kind: change.kind,
  revision: change.revision,
  ...(change.cause === undefined ? {} : { cause: change.cause }),
  ...document(change, change.kind === "delete"),
});

function changeLine(change: Change): string {
  const what = change.kind === "put" ? "put" : (change.cause ?? "deleted");
  const value = change.kind === "put" ? ` ${printable(change.value)}` : "";
  return `${change.revision} ${what} ${printable(change.key)}${value}`;
}

async function follow(
  { client, json, print, printJson }: Context,
  what: { key?: string; prefix?: string; from?: number; signal: AbortSignal },
): Promise<number> {
  for await (const change of client.kv.watch(what)) {
    if (json) printJson(changeDocument(change));
    else print(changeLine(change));
  }
  return EXIT.done;
}

function watch(): Command {
  const command = clusterCommand("watch", "Follow the changes of a key.")
    .argument("<key>")
    .option("--prefix", "of all keys that begin with it")
    .option("--from <revision>", "from this revision on, inclusive", wholeNumber);
  return action<CommonOptions & { prefix?: boolean; from?: number }>(
    command,
    ([key = ""], options) =>
      withContext(options, async context => {
        const interrupted = new AbortController();
        process.once("SIGINT", () => interrupted.abort());
        try {
          return await follow(context, {
            ...(options.prefix === true ? { prefix: key } : { key }),
            ...(options.from === undefined ? {} : { from: options.from }),
            signal: interrupted.signal,
          });
        } catch (error) {
          if (interrupted.signal.aborted) return EXIT.done;
          throw error;
        }
      }),
  );
}

/** Throws what is to be told to the user. */
async function txnFrom(file: string | undefined): Promise<Txn> {
  const asked = withBytes(JSON.parse(new TextDecoder().decode(await readInput(file))));
  if (typeof asked !== "object" || asked === null || Array.isArray(asked)) {
    throw new Error('it must be a JSON object: {"compare": […], "success": […], "failure": […]}');
  }
  return asked as Txn; // the node says what is wrong with it
}

function txn(): Command {
  const command = clusterCommand("txn", "A transaction, as JSON; the result as JSON.")
    .argument("[file]", "absent or -: from standard input")
    .addHelpText("after", TXN_HELP);
  return action<CommonOptions>(command, async ([file], options) => {
    let asked: Txn;
    try {
      asked = await txnFrom(file);
    } catch (error) {
      return complain(`txn: ${error instanceof Error ? error.message : error}`, options);
    }
    return withContext(options, async ({ client, printJson }) => {
      const result = await client.kv.txn(asked);
      printJson(result);
      return result.succeeded ? EXIT.done : EXIT.negative;
    });
  });
}

const TXN_HELP = `
{"compare": [{"key": "a", "target": "modRevision", "op": "=", "to": 7}],
 "success": [{"put": {"key": "a", "value": "1"}}, {"delete": {"prefix": "b/"}}],
 "failure": [{"range": {"key": "a"}}]}

Exit codes: 0 the success branch was taken, 1 the failure branch.`;

export const kvCommands: readonly (() => Command)[] = [put, get, del, range, watch, txn];
