/** What the coordinator counted of locks, in Prometheus' text format. */
import type { LineTally } from "../../replica/coordinator/index.js";
import type { Border } from "../calls/text.js";
import { histogramLines, labelValue, totalOf } from "../histogram.js";

const WAIT = "holdfast_lock_wait_seconds";
const HOLD = "holdfast_lock_hold_seconds";
const ENDS = "holdfast_lock_ends_total";

/** What all groups beyond the first hundred are called. No name has an empty first segment. */
const REST = "";

export function lineMetrics(tallies: readonly LineTally[], border: Border): string {
  const waits = head(
    WAIT,
    "histogram",
    "How long those who were granted a lock had waited for it.",
  );
  const holds = head(HOLD, "histogram", "How long grants lasted that have ended.");
  const ends = head(ENDS, "counter", "How often a grant ended, and why.");
  for (const tally of tallies) {
    const { group, waited, held } = tally;
    const label = `prefix="${labelValue(group === null ? REST : border.message(group))}"`;
    if (totalOf(waited) > 0) waits.push(...histogramLines(WAIT, label, waited));
    if (totalOf(held) > 0) holds.push(...histogramLines(HOLD, label, held));
    for (const [reason, count] of tally.ends)
      ends.push(`${ENDS}{${label},reason="${reason}"} ${count}`);
  }
  return `${[...waits, ...holds, ...ends].join("\n")}\n`;
}

const head = (metric: string, type: "histogram" | "counter", help: string): string[] => [
  `# HELP ${metric} ${help} By the first segment of its name; by the node that leads.`,
  `# TYPE ${metric} ${type}`,
];
