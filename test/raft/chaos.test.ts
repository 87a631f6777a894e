/** Many short random schedules. `SEEDS=50000` runs more, `SEED=123` just that one. */
import { expect, test } from "vitest";
import { Chaos } from "./chaos.js";

const seeds = Number(process.env.SEEDS ?? 600);
const only = process.env.SEED;
const STEPS = 2000;
const REACHED = ["election", "tail cut", "snapshot installed", "read confirmed", "crash"];
const LAZY = "read confirmed in a lazy schedule";
const RARE = ["joint change", "simple change", "leader removes itself", "configuration applied"];

test("Raft's promises hold under loss, disorder, crashes and lost writes", () => {
  const seen = new Map<string, number>();
  const list = only === undefined ? Array.from({ length: seeds }, (_, i) => i + 1) : [Number(only)];
  for (const seed of list) {
    try {
      const chaos = new Chaos(seed);
      chaos.run(STEPS);
      chaos.heal();
      for (const [what, count] of chaos.seen) seen.set(what, (seen.get(what) ?? 0) + count);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (only !== undefined) return;
  // A schedule that never reaches the rare paths proves nothing.
  for (const what of REACHED) expect(seen.get(what) ?? 0, what).toBeGreaterThan(seeds / 8);
  for (const what of [...RARE, LAZY])
    expect(seen.get(what) ?? 0, what).toBeGreaterThan(seeds / 100);
}, 300_000);
