/** The runs of a job that somebody has: `who` shows them where the job's own line is free. */
import type { Client, LockInfo, LockSummary } from "holdfast-client";
import { formatDuration } from "../output/duration.js";
import { table } from "../output/table.js";
import { runOf, runPrefix, tickText } from "../output/ticks.js";

/** So many are shown to people. */
const SHOWN = 10;

interface Run extends LockSummary {
  readonly slot: number;
  /** When it began; null where the slot is no time. */
  readonly tick: string | null;
}

/** All of them, in order of their slots. */
export async function runsOf(
  client: Client,
  { name, holderCount, waiterCount }: LockInfo,
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  if (holderCount + waiterCount > 0) return runs;
  for await (const line of client.locks({ prefix: runPrefix(name) })) {
    const run = runOf(line.name);
    if (run?.job === name) runs.push({ ...line, slot: run.slot, tick: tickText(run.slot) });
  }
  return runs;
}

/** "" where there are none. */
export function describeRuns(runs: readonly Run[]): string {
  if (runs.length === 0) return "";
  const rows = runs.slice(0, SHOWN).map(({ name, slot, tick, holders: [one] }) => {
    const since = one === undefined ? "" : formatDuration(one.sinceMs);
    return [tick ?? String(slot), String(one?.token ?? ""), since, name, one?.owner ?? ""];
  });
  const hidden = runs.length > SHOWN ? `\n… and ${runs.length - SHOWN} more runs` : "";
  const head = ["TICK", "TOKEN", "SINCE", "NAME", "OWNER"];
  return `\n\nRuns of this job that somebody has:\n${table(head, rows)}${hidden}`;
}
