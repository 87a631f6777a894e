/** `put`, `get`, `del`, `range`, `watch`, `txn`: the keyspace. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { Entry, Guard, Txn } from "holdfast-client";
import { type CommonOptions, type Context, say, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { table } from "../output/table.js";
import { action, clusterCommand, wholeNumber } from "../program.js";

interface GuardOptions extends CommonOptions {
  readonly ifAbsent?: boolean;
  readonly ifExists?: boolean;
  readonly ifRevision?: number;
  readonly heldBy?: string;
  readonly token?: number;
}

function withGuards(command: Command): Command {
  return command
    .option("--if-absent", "only if the key does not exist")
    .option("--if-exists", "only if the key exists")
    .option("--if-revision <revision>", "only if the key was last changed then", wholeNumber)
    .option("--held-by <lock>", "only while this lock is held …", String)
    .option("--token <token>", "… under this fencing token", wholeNumber);
}

/** null: the options contradict each other; the user has been told. */
function guardFrom(options: GuardOptions): Guard | null {
  const conditions = [options.ifAbsent, options.ifExists, options.ifRevision !== undefined];
  if (conditions.filter(Boolean).length > 1) {
    say("--if-absent, --if-exists and --if-revision exclude each other");
    return null;
  }
  if ((options.heldBy === undefined) !== (options.token === undefined)) {
    say("--held-by and --token go together");
    return null;
  }
  const ifRevision = options.ifAbsent ? "absent" : options.ifExists ? "exists" : options.ifRevision;
  return {
    ...(ifRevision === undefined ? {} : { ifRevision }),
    ...(options.heldBy === undefined || options.token === undefined
      ? {}
      : { heldBy: { name: options.heldBy, token: options.token } }),
  };
}

function valueFrom(text: string | undefined): string | Uint8Array {
  return text === undefined || text === "-" ? readFileSync(0) : text;
}

function shown(entry: Entry): Record<string, unknown> {
  const { key, value, createRevision, modRevision, version, lease } = entry;
  return { key, value, createRevision, modRevision, version, lease };
}

function put(): Command {
  const command = withGuards(clusterCommand("put", "Write a key.", EXIT.usage))
    .argument("<key>")
    .argument("[value]", "absent or -: from standard input");
  return action<GuardOptions>(command, async ([key = "", text], options) => {
    const guard = guardFrom(options);
    if (guard === null) return EXIT.usage;
    return withContext(options, async ({ client, json, print, printJson }) => {
      const { revision, created } = await client.kv.put(key, valueFrom(text), guard);
      if (json) printJson({ key, revision, created });
      else print(`${created ? "created" : "updated"} at revision ${revision}`);
      return EXIT.done;
    });
  });
}

function get(): Command {
  const command = clusterCommand("get", "Read a key: its value to stdout.", EXIT.usage)
    .argument("<key>")
    .option("--serializable", "from the node asked, without a round to the leader; may be old");
  return action<CommonOptions & { serializable?: boolean }>(command, ([key = ""], options) =>
    withContext(options, async ({ client, json, printJson, say }) => {
      const consistency = options.serializable === true ? "serializable" : "linearizable";
      const entry = await client.kv.get(key, { consistency });
      if (entry === null) {
        say(`no such key: ${key}`);
        return EXIT.negative;
      }
      if (json) printJson(shown(entry));
      else writeValue(entry);
      return EXIT.done;
    }),
  );
}

/** The bytes as they are; a line end after them only where a person looks. */
function writeValue(entry: Entry): void {
  process.stdout.write(entry.bytes);
  if (process.stdout.isTTY || entry.bytes.at(-1) !== 0x0a) process.stdout.write("\n");
}

function del(): Command {
  const command = withGuards(clusterCommand("del", "Delete a key.", EXIT.usage)).argument("<key>");
  return action<GuardOptions>(command, async ([key = ""], options) => {
    const guard = guardFrom(options);
    if (guard === null) return EXIT.usage;
    return withContext(options, async ({ client, json, print, printJson }) => {
      const deleted = await client.kv.delete(key, guard);
      if (json) printJson({ key, deleted: deleted ? 1 : 0 });
      else print(deleted ? "deleted" : "there was no such key");
      return deleted ? EXIT.done : EXIT.negative;
    });
  });
}

function range(): Command {
  const command = clusterCommand("range", "List the keys below a prefix.", EXIT.usage)
    .argument("[prefix]", "absent: all keys")
    .option("--keys-only", "without values");
  return action<CommonOptions & { keysOnly?: boolean }>(command, ([prefix = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const keysOnly = options.keysOnly === true;
      const rows: string[][] = [];
      for await (const entry of client.kv.list({ prefix, keysOnly })) {
        if (json) printJson(shown(entry));
        else rows.push([entry.key, String(entry.modRevision), keysOnly ? "" : entry.value]);
      }
      if (!json && rows.length > 0) print(table(["KEY", "REVISION", "VALUE"], rows));
      return EXIT.done;
    }),
  );
}

async function follow(
  { client, json, print, printJson }: Context,
  what: { key?: string; prefix?: string; from?: number; signal: AbortSignal },
): Promise<number> {
  for await (const change of client.kv.watch(what)) {
    if (json) printJson(change);
    else if (change.kind === "put") print(`${change.revision} put ${change.key} ${change.value}`);
    else print(`${change.revision} ${change.cause ?? "deleted"} ${change.key}`);
  }
  return EXIT.done;
}

function watch(): Command {
  const command = clusterCommand("watch", "Follow the changes of a key.", EXIT.usage)
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

function txn(): Command {
  const command = clusterCommand(
    "txn",
    'A transaction, as JSON: {"compare": […], "success": […], "failure": […]}.',
    EXIT.usage,
  ).argument("[file]", "absent or -: from standard input");
  return action<CommonOptions>(command, async ([file], options) => {
    let asked: Txn;
    try {
      asked = JSON.parse(
        readFileSync(file === undefined || file === "-" ? 0 : file, "utf8"),
      ) as Txn;
    } catch (error) {
      say(`txn: ${error instanceof Error ? error.message : error}`);
      return EXIT.usage;
    }
    return withContext(options, async ({ client, printJson }) => {
      const result = await client.kv.txn(asked);
      printJson(result);
      return result.succeeded ? EXIT.done : EXIT.negative;
    });
  });
}

export const kvCommands: readonly (() => Command)[] = [put, get, del, range, watch, txn];
