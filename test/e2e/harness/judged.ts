/** Holds recorded calls against plain rules and the checker; a history that fails is kept. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { History as Checked, checkAll } from "../../checker/index.js";
import { contradictions, type History, toJsonl } from "./history.js";

/** A history of some thousand calls takes a second. */
const CHECK_WITHIN_MS = 60_000;

/** What there is to hold against the cluster, in words. `run` names the file of what is kept. */
export function judged({ calls, notes }: History, run: string): string[] {
  const found = [...contradictions(calls), ...impossible(toJsonl(calls))];
  if (found.length === 0) return found;
  const kept = join(tmpdir(), `holdfast-history-${run}-${process.pid}.jsonl`);
  writeFileSync(kept, toJsonl(calls));
  const command = `npm run check-history -- ${kept} --picture page.html`;
  return [...found, `the history is in ${kept}; ${command}`, ...notes.slice(0, 20)];
}

/** As linearizable as the checker can tell within its limit; "unknown" is not good enough here. */
function impossible(jsonl: string): string[] {
  const limits = { limitMs: CHECK_WITHIN_MS, now: () => performance.now() };
  return checkAll(Checked.fromJsonl(jsonl), limits).keys.flatMap(one =>
    one.verdict === "linearizable" ? [] : [`${one.model.name} ${one.key}: ${one.verdict}`],
  );
}
