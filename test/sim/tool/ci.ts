/** What continuous integration runs: seeds, some of them twice, and every planted bug. */
import { BUGS } from "../plant/index.js";
import type { Options } from "./options.js";
import { controlled, huntAll, lineOf } from "./plant.js";
import { Pool } from "./pool.js";
import { range } from "./seeds.js";
import { Summary } from "./summary.js";

const TWICE = 20;
const ONCE = 300;

export async function ci({ jobs }: Options): Promise<boolean> {
  const startedMs = Date.now();
  const summary = new Summary();
  const pool = new Pool({ jobs });
  const told = (verdict: Parameters<Summary["add"]>[0]): boolean => {
    summary.add(verdict);
    return true;
  };
  await pool.run(range(1, TWICE, { twice: true }), told);
  await pool.run(range(1 + TWICE, ONCE - TWICE), told);
  pool.close();
  summary.print();
  const idle = idleOf(summary.counts);
  for (const what of idle) console.log(`IDLE: ${what}`);
  const hunts = await huntAll(BUGS, jobs, hunt => console.log(lineOf(hunt)));
  const missed = hunts.filter(({ found }) => found === null);
  for (const { bug } of missed) console.log(`NOT FOUND: ${bug.name}`);
  const { isQuiet, events } = await controlled(hunts, jobs);
  summary.printBroken();
  const hunted = hunts.reduce((sum, one) => sum + one.events, events);
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  console.log(
    `${summary.seeds} seeds, ${hunts.length - missed.length} of ${hunts.length} planted bugs found, ` +
      `${(summary.events / 1e6).toFixed(1)} + ${(hunted / 1e6).toFixed(1)} million events, ${seconds} s`,
  );
  const flaws = [summary.violations, summary.neverHit.length, missed.length, idle.length];
  return isQuiet && flaws.every(count => count === 0);
}

/** Of the histories, the checker may give up so few. */
const MOST_UNKNOWN = 0.01;

/** What was there to find something and cannot have: who counted it never looked. */
export function idleOf(counts: ReadonlyMap<string, number>): readonly string[] {
  const never = [...counts].filter(([what, times]) => /^(fault|plan) /.test(what) && times === 0);
  const judged = counts.get("histories judged") ?? 0;
  const unknown = counts.get("histories unknown") ?? 0;
  const idle = never.map(([what]) => `${what} never struck`);
  if (unknown > judged * MOST_UNKNOWN)
    idle.push(`of ${judged} histories the checker gave ${unknown} up`);
  return idle;
}
