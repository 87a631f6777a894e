/** What the command prints of a report: a line a key, and what contradicts itself. Pure text. */
import { type KeyReport, type Report, spanText, wordsOf } from "./core/index.js";

const count = (number: number, what: string): string =>
  `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

export function reportLines(report: Report): string[] {
  const { keys } = report;
  const width = Math.max(0, ...keys.map(({ key }) => JSON.stringify(key).length));
  const lines = keys.flatMap(key => [keyLine(key, width), ...conflictLines(key)]);
  const tally = (["linearizable", "violation", "unknown"] as const)
    .map(verdict => [verdict, keys.filter(key => key.verdict === verdict).length] as const)
    .filter(([, number]) => number > 0)
    .map(([verdict, number]) => `${number} ${verdict}`);
  return [...lines, `${count(keys.length, "key")}: ${tally.join(", ") || "nothing to check"}`];
}

function keyLine({ key, model, verdict, operations, limit, steps }: KeyReport, width: number) {
  const shown = verdict === "violation" ? "VIOLATION" : verdict;
  const columns = [shown.padEnd(12), model.name.padEnd(8), JSON.stringify(key).padEnd(width)];
  const reached = limit === null ? "" : `, limit of ${limit} reached after ${count(steps, "step")}`;
  return `${columns.join("  ")}  ${count(operations.length, "operation")}${reached}`;
}

function conflictLines({ conflict }: KeyReport): string[] {
  if (conflict === null) return [];
  const { operations, breaking, smallest } = conflict;
  const head = smallest
    ? "these contradict each other, whatever became of the rest:"
    : "these contradict each other, and maybe fewer of them do:";
  const shown = operations.slice(-MOST_SHOWN);
  const left = operations.length - shown.length;
  const more = left === 0 ? [] : [`    (${count(left, "earlier operation")} not shown)`];
  const width = Math.max(...shown.map(({ process }) => process.length));
  return [
    `  ${head}`,
    ...more,
    ...shown.map(one => {
      const mark = one === breaking ? ">" : " ";
      return `  ${mark} ${one.process.padEnd(width)}  ${wordsOf(one)}   (${spanText(one)})`;
    }),
  ];
}

const MOST_SHOWN = 30;
