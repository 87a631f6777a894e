/**
 * Plants each bug in turn and runs seeds until it is found; and runs as many seeds without one,
 * which must find nothing.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bug } from "../plant/bug.js";
import { BUGS } from "../plant/index.js";
import { changed } from "./hooks.js";
import type { Options } from "./options.js";
import { Pool } from "./pool.js";
import { ROOT } from "./product.js";
import { range } from "./seeds.js";
import type { Task } from "./worker.js";

interface Hunt {
  readonly bug: Bug;
  /** The first seed that shows it, and what it shows; null: none of those allowed. */
  readonly found: { readonly seed: number; readonly kind: string } | null;
  readonly events: number;
}

/** A seed that takes so long of real time stands still: that is a way to be found, too. */
const HANG_MS = 60_000;

export async function plant(options: Options): Promise<boolean> {
  const { names, jobs, seeds } = options;
  const named = BUGS.filter(bug => names.length === 0 || names.some(one => bug.name.includes(one)));
  const most = seeds ?? Number.POSITIVE_INFINITY;
  const bugs = named.map(bug => ({ ...bug, withinSeeds: Math.min(most, bug.withinSeeds) }));
  if (bugs.length === 0) throw new Error("no planted bug has such a name");
  const hunts = await huntAll(bugs, jobs, hunt => console.log(lineOf(hunt)));
  const { isQuiet } = await controlled(hunts, jobs);
  return isQuiet && hunts.every(({ found }) => found !== null);
}

/** Bugs share the workers: one bug a worker, since each needs a process of its own. */
export async function huntAll(
  bugs: readonly Bug[],
  jobs: number,
  told: (hunt: Hunt) => void,
): Promise<readonly Hunt[]> {
  // Before the first hunt, which may take long: each bug has its place.
  for (const bug of bugs) changed(readFileSync(join(ROOT, bug.file), "utf8"), bug);
  const hunts: Hunt[] = [];
  const left = [...bugs];
  const one = async (): Promise<void> => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const done = await hunt(bug);
      hunts.push(done);
      told(done);
    }
  };
  await Promise.all(Array.from({ length: jobs }, one));
  return hunts;
}

async function hunt(bug: Bug): Promise<Hunt> {
  const { file, find, replace, withinSeeds, overrides = {} } = bug;
  const pool = new Pool({ jobs: 1, change: { file, find, replace }, hangMs: HANG_MS });
  let found: Hunt["found"] = null;
  let events = 0;
  await pool.run(
    range(1, withinSeeds, { overrides: { turns: false, ...overrides } }),
    ({ seed, violation, events: ran }) => {
      events += ran;
      if (violation === null || bug.by?.test(violation.what) === false) return true;
      found = { seed, kind: violation.kind };
      return false;
    },
  );
  pool.close();
  return { bug, found, events };
}

/** The seeds that found the bugs, under the same restrictions, with nothing planted. */
export async function controlled(
  hunts: readonly Hunt[],
  jobs: number,
): Promise<{ readonly isQuiet: boolean; readonly events: number }> {
  const tasks = new Map<string, Task>();
  for (const { bug, found } of hunts) {
    if (found === null) continue;
    const task = { seed: found.seed, overrides: { turns: false, ...bug.overrides } };
    tasks.set(JSON.stringify(task), task);
  }
  const pool = new Pool({ jobs });
  const broken: string[] = [];
  let events = 0;
  await pool.run(tasks.values(), ({ seed, violation, events: ran }) => {
    events += ran;
    if (violation !== null) broken.push(`${seed} (${violation.kind})`);
    return true;
  });
  pool.close();
  const what = broken.length === 0 ? "nothing is found" : `broken: seeds ${broken.join(", ")}`;
  console.log(`control, the same ${tasks.size} runs with nothing planted: ${what}`);
  return { isQuiet: broken.length === 0, events };
}

export function lineOf({ bug, found, events }: Hunt): string {
  const where = found === null ? "NOT FOUND" : `seed ${found.seed}`;
  const how = found === null ? bug.why : wayOf(found.kind);
  const seeds = `${where.padStart(9)} of ${String(bug.withinSeeds).padEnd(3)}`;
  return `${bug.name.padEnd(61)} ${seeds} ${String(events).padStart(8)} events  ${how}`;
}

function wayOf(kind: string): string {
  const isAssertion = kind.startsWith("AssertionError") || kind.startsWith("Assertion");
  return isAssertion ? `by the product's own ${kind}` : kind;
}
