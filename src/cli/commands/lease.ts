/** `lease grant|keepalive|revoke|get|list`. */
import { Command } from "commander";
import { type CommonOptions, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { table } from "../output/table.js";
import { action, clusterCommand, durationMs } from "../program.js";

function grant(): Command {
  const command = clusterCommand("grant", "Make a lease; its id to stdout.", EXIT.usage)
    .argument("<ttl>", "its time to live, like 60s")
    .option("--owner <text>", "shown to people");
  return action<CommonOptions & { owner?: string }>(command, ([ttl = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const owner = options.owner === undefined ? {} : { owner: options.owner };
      const made = await client.leases.grant({ ttlMs: durationMs(ttl), ...owner });
      if (json) printJson(made);
      else print(made.lease);
      return EXIT.done;
    }),
  );
}

function keepAlive(): Command {
  const command = clusterCommand("keepalive", "Give a lease its full time again.", EXIT.usage);
  command.argument("<lease>");
  return action<CommonOptions>(command, ([lease = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const kept = await client.leases.keepalive(lease);
      if (json) printJson(kept);
      else print(`${lease} has ${formatDuration(kept.remainingMs)}`);
      return EXIT.done;
    }),
  );
}

function revoke(): Command {
  const command = clusterCommand("revoke", "End a lease with all its keys.", EXIT.usage);
  command.argument("<lease>");
  return action<CommonOptions>(command, ([lease = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const result = await client.leases.revoke(lease);
      if (json) printJson(result);
      else print(result.revoked ? "revoked" : `had ended before (${result.ended?.reason})`);
      return result.revoked ? EXIT.done : EXIT.negative;
    }),
  );
}

function get(): Command {
  const command = clusterCommand("get", "What is known of a lease.", EXIT.usage);
  command.argument("<lease>");
  return action<CommonOptions>(command, ([lease = ""], options) =>
    withContext(options, async ({ client, json, print, printJson, say }) => {
      const found = await client.leases.get(lease);
      if (json) printJson(found);
      else if (found.ended !== undefined) say(`${lease} has ended (${found.ended.reason})`);
      else {
        print(`${lease} has ${formatDuration(found.remainingMs ?? 0)} of ${found.ttlMs ?? 0} ms`);
        for (const key of found.keys ?? []) print(`  ${String(key)}`);
      }
      return found.ended === undefined ? EXIT.done : EXIT.negative;
    }),
  );
}

function list(): Command {
  const command = clusterCommand("list", "All leases.", EXIT.usage);
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const rows: string[][] = [];
      for await (const lease of client.leases.list()) {
        if (json) printJson(lease);
        rows.push([
          lease.lease,
          formatDuration(lease.ttlMs),
          formatDuration(lease.remainingMs),
          String(lease.keyCount),
          lease.owner ?? "",
        ]);
      }
      if (!json && rows.length > 0)
        print(table(["LEASE", "TTL", "REMAINING", "KEYS", "OWNER"], rows));
      return EXIT.done;
    }),
  );
}

export const leaseCommands: readonly (() => Command)[] = [
  () => {
    const lease = new Command("lease").description("Leases: grant, keepalive, revoke, get, list.");
    for (const command of [grant(), keepAlive(), revoke(), get(), list()])
      lease.addCommand(command);
    return lease;
  },
];
