/**
 * Makes a failing run smaller while it shows the same kind of violation: fewer clients, fewer
 * strikes, a shorter time, plain limits. What is left is written as a script.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Drawn, PLAIN } from "../plain.js";
import { formatScript, type Overrides, type Script } from "../script.js";
import { Pool } from "./pool.js";

/** Clients, strikes and kinds of faults that a draw can have at most, roughly. */
const MOST_CLIENTS = 24;
const MOST_STRIKES = 128;
const TIMES_MS = [400, 800, 1_500, 3_000, 5_000, 8_000];

export async function shrinkTo(
  folder: string,
  script: Script,
  kind: string,
  jobs: number,
): Promise<void> {
  const pool = new Pool({ jobs, hangMs: 60_000 });
  const shrunk = await shrink(script, async overrides => {
    const { violation } = await pool.runOne({ seed: script.seed, overrides });
    return violation?.kind === kind;
  });
  pool.close();
  const name = `${kind.replace(/[^a-z]+/gi, "-").slice(0, 60)}-${script.seed}.json`.toLowerCase();
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, formatScript({ ...script, overrides: shrunk, shows: kind }));
  console.log(`shrunk to ${path}: ${JSON.stringify(shrunk)}`);
}

/** `shows` says whether the run still shows it. What does not is not tried twice. */
export async function shrink(
  { overrides: from }: Pick<Script, "overrides">,
  shows: (overrides: Overrides) => Promise<boolean>,
): Promise<Overrides> {
  let best = from;
  const accept = async (change: Partial<Overrides>): Promise<boolean> => {
    const tried = { ...best, ...change };
    if (!(await shows(tried))) return false;
    best = tried;
    return true;
  };
  const needsFaults = !(await accept({ calm: true }));
  if (needsFaults) await accept({ plan: "none" });
  await accept({ operator: false });
  await accept({ turns: false });
  for (const workMs of TIMES_MS) if (await accept({ workMs })) break;
  const clients = await fewest(upTo(0, MOST_CLIENTS), kept => accept({ clients: kept }));
  if (clients !== null) await accept({ clients });
  const strikes = upTo(1, MOST_STRIKES);
  const without = (kept: readonly number[]): Partial<Overrides> => ({
    skip: strikes.filter(one => !kept.includes(one)),
  });
  if (needsFaults) await fewest(strikes, kept => accept(without(kept)));
  for (const name of Object.keys(PLAIN) as (keyof Drawn)[])
    await accept({ settings: { ...best.settings, [name]: PLAIN[name] } });
  return best;
}

/** Takes away halves, then quarters, and so on down to single ones, as long as it is accepted. */
async function fewest(
  all: readonly number[],
  accept: (kept: readonly number[]) => Promise<boolean>,
): Promise<readonly number[] | null> {
  let kept = all;
  let accepted = false;
  for (let size = Math.ceil(all.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < kept.length; ) {
      const tried = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await accept(tried)) {
        kept = tried;
        accepted = true;
      } else at += size;
    }
  return accepted ? kept : null;
}

const upTo = (first: number, many: number): readonly number[] =>
  Array.from({ length: many }, (_, at) => first + at);
