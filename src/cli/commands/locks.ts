/** `locks`: what is held, and by whom. */
import { type Command, Option } from "commander";
import type { LockSummary } from "holdfast-client";
import { type CommonOptions, complain, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { isShut } from "../output/holders.js";
import { table } from "../output/table.js";
import { runOf, tickText } from "../output/ticks.js";
import { action, clusterCommand } from "../program.js";

/** By how many, where that is not one. */
function shares({ rule, holders, holderCount }: LockSummary): string {
  const [first] = holders;
  if (first !== undefined && holders.every(isShut))
    return `nobody, shut for ${formatDuration(first.shutForMs ?? 0)}`;
  if (rule.kind === "semaphore") return `${holderCount} of ${rule.permits ?? "?"}`;
  if (first?.mode !== "shared") return "";
  return `${holderCount} shared`;
}

/** With the tick, where it is a job's run: nobody reads milliseconds. */
function nameShown(name: string): string {
  const run = runOf(name);
  const tick = run === null ? null : tickText(run.slot);
  return tick === null ? name : `${name} (${tick})`;
}

/** Where everybody holds alone, which is most of the time, there is no column for it. */
export function locksTable(locks: readonly LockSummary[]): string {
  const isShared = locks.some(lock => shares(lock) !== "");
  const head = ["NAME", "TOKEN", "SINCE", ...(isShared ? ["HELD BY"] : []), "WAITING", "OWNER"];
  const rows = locks.map(lock => {
    const [holder] = lock.holders;
    return [
      nameShown(lock.name),
      String(holder?.token ?? ""),
      holder === undefined ? "" : formatDuration(holder.sinceMs),
      ...(isShared ? [shares(lock)] : []),
      String(lock.waiterCount),
      holder?.owner ?? "",
    ];
  });
  return table(head, rows);
}

export function locks(): Command {
  const command = clusterCommand("locks", "The locks that are held.")
    .argument("[prefix]", "only names that begin with it")
    .addOption(new Option("--prefix <prefix>", "the same"));
  return action<CommonOptions & { readonly prefix?: string }>(command, ([place], options) => {
    if (place !== undefined && options.prefix !== undefined)
      return Promise.resolve(complain("a prefix is there twice", options));
    const prefix = place ?? options.prefix;
    return withContext(options, async ({ client, json, print, printJson, say }) => {
      const found: LockSummary[] = [];
      for await (const lock of client.locks(prefix === undefined ? {} : { prefix })) {
        found.push(lock);
      }
      if (json) printJson(found);
      else if (found.length > 0) print(locksTable(found));
      else say("no locks");
      return EXIT.done;
    });
  });
}
