/** `who` and `locks`: who holds, who waits, and how it came to be. */
import type { Command } from "commander";
import type { Holder, LockInfo } from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { table } from "../output/table.js";
import { action, clusterCommand } from "../program.js";

const labels = (holder: Holder): string =>
  Object.entries(holder.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

const row = (place: string, one: Holder): string[] => [
  place,
  String(one.token),
  one.lease,
  formatDuration(one.sinceMs),
  one.owner ?? "",
  labels(one),
];

function describe(info: LockInfo): string {
  if (info.holders.length === 0 && info.waiters.length === 0) return `${info.name} is free`;
  const rows = [
    ...info.holders.map(holder => row("holds", holder)),
    ...info.waiters.map((waiter, at) => row(String(at + 1), waiter)),
  ];
  const text = table(["", "TOKEN", "LEASE", "SINCE", "OWNER", "LABELS"], rows);
  const hidden = (info.waiterCount ?? info.waiters.length) - info.waiters.length;
  return hidden > 0 ? `${text}\n… and ${hidden} more in line` : text;
}

function describePast(info: LockInfo): string {
  if (info.recent.length === 0) return "";
  const rows = info.recent.map(past => [
    `${formatDuration(past.sinceMs)} ago`,
    past.reason,
    String(past.token),
    past.owner ?? "",
    formatDuration(past.heldMs),
  ]);
  return `\n${table(["ENDED", "HOW", "TOKEN", "OWNER", "HELD FOR"], rows)}`;
}

function who(): Command {
  const command = clusterCommand("who", "Who holds a lock, who waits, who held it.", EXIT.usage);
  command.argument("<name>");
  return action<CommonOptions>(command, ([name = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const info = await client.lock(name).inspect();
      if (json) printJson(info);
      else print(describe(info) + describePast(info));
      return info.holders.length > 0 ? EXIT.done : EXIT.negative;
    }),
  );
}

function locks(): Command {
  const command = clusterCommand("locks", "The locks that are held.", EXIT.usage);
  command.argument("[prefix]", "only names that begin with it");
  return action<CommonOptions>(command, ([prefix], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const rows: string[][] = [];
      for await (const lock of client.locks(prefix === undefined ? {} : { prefix })) {
        if (json) printJson(lock);
        const [holder] = lock.holders;
        rows.push([
          lock.name,
          String(holder?.token ?? ""),
          holder === undefined ? "" : formatDuration(holder.sinceMs),
          String(lock.waiterCount),
          holder?.owner ?? "",
        ]);
      }
      if (!json && rows.length > 0)
        print(table(["NAME", "TOKEN", "SINCE", "WAITING", "OWNER"], rows));
      return EXIT.done;
    }),
  );
}

export const lineCommands: readonly (() => Command)[] = [who, locks];
