/** `who`: who holds, who waits, and how it came to be: one screen for people, all of it in JSON. */
import type { Command } from "commander";
import type { Holder, Leader, LockInfo, Transition } from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { formatDuration } from "../output/duration.js";
import { EXIT } from "../output/exit-codes.js";
import { holderName, isShut, ordinal } from "../output/holders.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand } from "../program.js";
import { describeRuns, runsOf } from "./runs.js";

/** So much of each list is shown to people; --json shows all. */
const SHOWN = 10;

const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;

const labels = (holder: Holder): string =>
  Object.entries(holder.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** "jobs/42 is held, 2 in line" */
export function headline({ name, rule, holders, holderCount, waiterCount }: LockInfo): string {
  const line = waiterCount === 0 ? "" : `, ${waiterCount} in line`;
  const shown = printable(name);
  const [first] = holders;
  if (first !== undefined && holders.every(isShut))
    return `${shown} is shut for ${formatDuration(first.shutForMs ?? 0)}: nobody holds it${line}`;
  if (rule.kind === "semaphore")
    return `${shown} is held by ${holderCount} of at most ${rule.permits ?? "?"}${line}`;
  if (holderCount === 0) return `${shown} is free${line}`;
  if (first?.mode === "shared")
    return `${shown} is held by ${plural(holderCount, "reader")}${line}`;
  return `${shown} is held${line}`;
}

/** Who is to be next: by name, as long as it waits. */
function successor(key: string, waiters: readonly Holder[]): string {
  const chosen = waiters.find(one => one.key === key);
  return chosen === undefined ? printable(key) : `${holderName(chosen)} (token ${chosen.token})`;
}

/** What there is to say of one beyond its row. */
function remarks(holder: Holder, waiters: readonly Holder[], proclaims = ""): string[] {
  const { progress, asked, endsInMs } = holder;
  const said = [];
  if (proclaims !== "") said.push(`proclaims: ${printable(proclaims)}`);
  if (progress !== undefined && progress !== "") said.push(`progress: ${printable(progress)}`);
  if (asked !== undefined) {
    const by = asked.by === undefined ? "" : ` by ${printable(asked.by)}`;
    const why = asked.why === undefined ? "" : ` (${printable(asked.why)})`;
    const left = asked.graceMs > 0 ? `; ${formatDuration(asked.graceMs)} left` : "";
    const then = asked.breaks === true ? ", then it is broken" : "";
    const { toKey } = asked;
    const to = toKey === undefined ? "" : ` to ${successor(toKey, waiters)}`;
    said.push(`asked to hand over${to}${by}${why}${left}${then}`);
  }
  if (endsInMs !== undefined && asked?.breaks !== true)
    said.push(`ends in ${formatDuration(endsInMs)}, whatever its lease`);
  return said;
}

type Row = readonly [place: string, one: Holder, remarks: readonly string[]];

/** A line without labels or modes, which is most of them, has no columns for them. */
function lineTable(rows: readonly Row[]): string {
  const isLabelled = rows.some(([, one]) => labels(one) !== "");
  const isMixed = rows.some(([, one]) => one.mode === "shared");
  const head = ["PLACE", "TOKEN", "LEASE", "SINCE"];
  if (isMixed) head.push("MODE");
  head.push("OWNER");
  if (isLabelled) head.push("LABELS");
  const cells = rows.map(([place, one]) => [
    place,
    String(one.token),
    one.lease ?? "",
    formatDuration(one.sinceMs),
    ...(isMixed ? [one.mode ?? "exclusive"] : []),
    one.owner ?? "",
    ...(isLabelled ? [labels(one)] : []),
  ]);
  const [first = "", ...lines] = table(head, cells).split("\n");
  const told = lines.flatMap((line, at) => [
    line,
    ...(rows[at]?.[2] ?? []).map(remark => `       ${remark}`),
  ]);
  return [first, ...told].join("\n");
}

const more = (all: number, shown: number, what: string): string =>
  all > shown ? `\n… and ${all - shown} more ${what}` : "";

/** Why somebody waits in a line that is free. */
const WAITS_ELSEWHERE = "waits for other names of its request as well";

/** Waiters come last, so that what is missing of them is missing at the end. */
function describeLine(info: LockInfo, proclaims: string): string {
  const holders = info.holders.slice(0, SHOWN);
  const waiters = info.waiters.slice(0, SHOWN);
  if (holders.length + waiters.length === 0) return "";
  const isFree = info.holderCount === 0;
  const rows = [
    ...holders.map((one, at): Row => {
      const place = isShut(one) ? "shut" : "holds";
      return [place, one, remarks(one, info.waiters, at === 0 ? proclaims : "")];
    }),
    ...waiters.map((one, at): Row => {
      const said = remarks(one, info.waiters);
      return [ordinal(at + 1), one, at === 0 && isFree ? [...said, WAITS_ELSEWHERE] : said];
    }),
  ];
  const hidden =
    more(info.holderCount, holders.length, "who hold") +
    more(info.waiterCount, waiters.length, "in line");
  return `\n\n${lineTable(rows)}${hidden}`;
}

/** "broken by ops (stuck)" */
export function describeEnd({ reason, by, why }: Pick<Transition, "reason" | "by" | "why">) {
  const who = by === undefined ? "" : ` by ${printable(by)}`;
  return `${reason}${who}${why === undefined ? "" : ` (${printable(why)})`}`;
}

function describePast({ recent }: LockInfo): string {
  if (recent.length === 0) return "";
  const rows = recent
    .slice(0, SHOWN)
    .map(past => [
      `${formatDuration(past.sinceMs)} ago`,
      String(past.token),
      formatDuration(past.heldMs),
      past.owner ?? "",
      describeEnd(past),
    ]);
  return `\n\n${table(["ENDED", "TOKEN", "HELD FOR", "OWNER", "HOW"], rows)}`;
}

function describeIgnored({ ignored }: LockInfo): string {
  if (ignored.length === 0) return "";
  const keys = ignored
    .slice(0, SHOWN)
    .map(key => `  ${printable(key)}`)
    .join("\n");
  const hidden = more(ignored.length, SHOWN, "such keys");
  return `\n\nNo entries of the line, and without effect on it:\n${keys}${hidden}`;
}

/** `leader`: what the first holder proclaims, if it does. */
export function describeLock(info: LockInfo, leader: Leader | null): string {
  const [first] = info.holders;
  const proclaims = leader !== null && leader.key === first?.key ? leader.value : "";
  return (
    headline(info) + describeLine(info, proclaims) + describePast(info) + describeIgnored(info)
  );
}

const HELP = `
Where NAME is a job of holdfast once, its runs are listed: each has a line of its own, whose
name can be given here. Times are the cluster's, which stand still while it has no leader.

Exit codes: 0 somebody holds it; 1 nobody does, whoever has a run of it.`;

export function who(): Command {
  const command = clusterCommand("who", "Who holds a lock or leads, who waits, who held it.")
    .argument("<name>")
    .addHelpText("after", HELP);
  return action<CommonOptions>(command, ([name = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const [info, leader] = await Promise.all([
        client.lock(name).inspect(),
        client.election(name).leader(),
      ]);
      const runs = await runsOf(client, info);
      const beside = {
        ...(leader?.value ? { proclaims: leader.bytes } : {}),
        ...(runs.length > 0 ? { runs } : {}),
      };
      if (json) printJson({ ...info, ...beside });
      else print(describeLock(info, leader) + describeRuns(runs));
      return info.holders.some(one => !isShut(one)) ? EXIT.done : EXIT.negative;
    }),
  );
}
