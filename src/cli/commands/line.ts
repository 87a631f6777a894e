/** `who` and `locks`: who holds, who waits, and how it came to be. */
import type { Command } from "commander";
import type { Holder, LockInfo, LockSummary } from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand } from "../program.js";

const labels = (holder: Holder): string =>
  Object.entries(holder.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** A line without labels, which is most of them, has no column for them. */
function lineTable(rows: readonly (readonly [place: string, one: Holder])[]): string {
  const labelled = rows.some(([, one]) => labels(one) !== "");
  const head = ["PLACE", "TOKEN", "LEASE", "SINCE", "OWNER", ...(labelled ? ["LABELS"] : [])];
  const cells = rows.map(([place, one]) => [
    place,
    String(one.token),
    one.lease,
    formatDuration(one.sinceMs),
    one.owner ?? "",
    ...(labelled ? [labels(one)] : []),
  ]);
  return table(head, cells);
}

function describe(info: LockInfo): string {
  if (info.holders.length === 0 && info.waiters.length === 0) {
    return `${printable(info.name)} is free`;
  }
  const text = lineTable([
    ...info.holders.map(holder => ["holds", holder] as const),
    ...info.waiters.map((waiter, at) => [String(at + 1), waiter] as const),
  ]);
  const hidden = info.waiterCount - info.waiters.length;
  return hidden > 0 ? `${text}\n… and ${hidden} more in line` : text;
}

function describePast({ recent }: LockInfo): string {
  if (recent.length === 0) return "";
  const rows = recent.map(past => [
    `${formatDuration(past.sinceMs)} ago`,
    past.reason,
    String(past.token),
    formatDuration(past.heldMs),
    past.owner ?? "",
  ]);
  return `\n\n${table(["ENDED", "HOW", "TOKEN", "HELD FOR", "OWNER"], rows)}`;
}

function describeIgnored({ ignored }: LockInfo): string {
  if (ignored.length === 0) return "";
  const keys = ignored.map(key => `  ${printable(key)}`).join("\n");
  return `\n\nNo entries of the line, and without effect on it:\n${keys}`;
}

function who(): Command {
  const command = clusterCommand("who", "Who holds a lock, who waits, who held it.").argument(
    "<name>",
  );
  return action<CommonOptions>(command, ([name = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const info = await client.lock(name).inspect();
      if (json) printJson(info);
      else print(describe(info) + describePast(info) + describeIgnored(info));
      return info.holders.length > 0 ? EXIT.done : EXIT.negative;
    }),
  );
}

function lockRow(lock: LockSummary): string[] {
  const [holder] = lock.holders;
  return [
    lock.name,
    String(holder?.token ?? ""),
    holder === undefined ? "" : formatDuration(holder.sinceMs),
    String(lock.waiterCount),
    holder?.owner ?? "",
  ];
}

function locks(): Command {
  const command = clusterCommand("locks", "The locks that are held.").argument(
    "[prefix]",
    "only names that begin with it",
  );
  return action<CommonOptions>(command, ([prefix], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const found: LockSummary[] = [];
      for await (const lock of client.locks(prefix === undefined ? {} : { prefix })) {
        found.push(lock);
      }
      if (json) printJson(found);
      else if (found.length > 0)
        print(table(["NAME", "TOKEN", "SINCE", "WAITING", "OWNER"], found.map(lockRow)));
      return EXIT.done;
    }),
  );
}

export const lineCommands: readonly (() => Command)[] = [who, locks];
