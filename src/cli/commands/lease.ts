/** `lease grant|keepalive|revoke|get|list`. */
import type { Command } from "commander";
import type { LeaseDetails, ListedLease } from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand, durationMs, familyCommand } from "../program.js";

function grant(): Command {
  const command = clusterCommand("grant", "Make a lease; its id to stdout.")
    .argument("<ttl>", "its time to live, like 60s; 1s to 24h", durationMs)
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
  const command = clusterCommand("keepalive", "Give a lease its full time again, once.").argument(
    "<lease>",
  );
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
  const command = clusterCommand("revoke", "End a lease with all its keys.").argument("<lease>");
  return action<CommonOptions>(command, ([lease = ""], options) =>
    withContext(options, async ({ client, json, print, printJson, say }) => {
      const result = await client.leases.revoke(lease);
      if (json) printJson(result);
      else if (result.revoked) print("revoked");
      else say(`${lease} had ended before (${result.ended?.reason ?? "forgotten"})`);
      return result.revoked ? EXIT.done : EXIT.negative;
    }),
  );
}

function describe(found: LeaseDetails): string {
  const times = `${formatDuration(found.remainingMs ?? 0)} of ${formatDuration(found.ttlMs ?? 0)}`;
  const owner = found.owner === undefined ? "" : `, of ${printable(found.owner)}`;
  const keys = (found.keys ?? []).map(key => `  ${printable(key)}`);
  const more = (found.keyCount ?? 0) - keys.length;
  if (more > 0) keys.push(`  … and ${more} more`);
  return [`${found.lease} has ${times}${owner}`, ...keys].join("\n");
}

function get(): Command {
  const command = clusterCommand("get", "What is known of a lease.").argument("<lease>");
  return action<CommonOptions>(command, ([lease = ""], options) =>
    withContext(options, async ({ client, json, print, printJson, say }) => {
      const found = await client.leases.get(lease);
      if (json) printJson(found);
      else if (found.ended !== undefined) say(`${lease} has ended (${found.ended.reason})`);
      else print(describe(found));
      return found.ended === undefined ? EXIT.done : EXIT.negative;
    }),
  );
}

const row = (lease: ListedLease): string[] => [
  lease.lease,
  formatDuration(lease.ttlMs),
  formatDuration(lease.remainingMs),
  String(lease.keyCount),
  lease.owner ?? "",
];

function list(): Command {
  return action<CommonOptions>(clusterCommand("list", "All leases."), (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const leases: ListedLease[] = [];
      for await (const lease of client.leases.list()) leases.push(lease);
      if (json) printJson(leases);
      else if (leases.length > 0)
        print(table(["LEASE", "TTL", "REMAINING", "KEYS", "OWNER"], leases.map(row)));
      return EXIT.done;
    }),
  );
}

const lease = (): Command =>
  familyCommand("lease", "Leases by hand: grant, keepalive, revoke, get, list.", [
    grant(),
    keepAlive(),
    revoke(),
    get(),
    list(),
  ]);

export const leaseCommands: readonly (() => Command)[] = [lease];
