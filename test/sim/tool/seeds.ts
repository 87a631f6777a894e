/** Many seeds, shared out to workers, and a summary. */
import { drawOf, type Options } from "./options.js";
import { Pool } from "./pool.js";
import { shrinkTo } from "./shrink.js";
import { Summary } from "./summary.js";
import type { Task } from "./worker.js";

export async function seeds(options: Options): Promise<boolean> {
  const { from, jobs, out, twice } = options;
  const overrides = drawOf(options);
  const summary = new Summary();
  const pool = new Pool({ jobs });
  await pool.run(range(from, options.seeds ?? 100, { overrides, twice }), verdict => {
    summary.add(verdict);
    const { seed, violation } = verdict;
    if (violation !== null) console.log(`seed ${seed}: ${violation.what}`);
    return true;
  });
  pool.close();
  summary.print();
  if (out !== null)
    for (const [kind, [seed = from]] of summary.broken)
      await shrinkTo(out, { seed, overrides, shows: "" }, kind, jobs);
  return summary.violations === 0 && summary.neverHit.length === 0;
}

export function* range(from: number, many: number, how: Omit<Task, "seed"> = {}): Generator<Task> {
  for (let seed = from; seed < from + many; seed += 1) yield { ...how, seed };
}
