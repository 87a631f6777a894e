/** The command line of the simulator, and its help. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { PLANS, type Plan } from "../plain.js";
import type { Overrides } from "../script.js";

export const HELP = `The simulator: a whole cluster in one thread, under faults drawn from a seed.

  npm run sim -- --seeds N [--from S]   runs N seeds, and sums up
  npm run sim -- --seed S               replays one, and tells what happens
  npm run sim -- --script FILE          replays one that was shrunk
  npm run sim:plant [-- NAME ...]       plants bugs; each must be found
  npm run sim:campaign -- --events 1e9  goes on where the ledger stands
  npm run sim:ci                        what continuous integration runs

  --seeds N      how many seeds                                   (100)
                 plant: at most so many for a bug                 (as it says)
  --from S       the first of them                                (1)
  --jobs J       worker processes                                 (one a core)
  --plan P       the adversary's plan: none or one of these       (as drawn)
                 ${PLANS.join(" ")}
  --operator     somebody changes the members in every seed       (as drawn)
  --twice        run each seed twice, and compare the digests
  --out DIR      shrink what fails and write it there as a script
  --log FILE     with --seed or --script: write what happens there
  --picture FILE with the same: draw what clients saw, as the checker judged it
  --events N     campaign: stop after so many events              (1e9)
  --minutes M    campaign: stop after so long

Ends with status 1 when a promise was broken, a bug was not found or a rare path never taken.`;

export interface Options {
  readonly command: string;
  readonly names: readonly string[];
  readonly seed: number | null;
  readonly script: string | null;
  readonly seeds: number | null;
  readonly from: number;
  readonly jobs: number;
  readonly plan: Plan | "none" | null;
  readonly operator: boolean;
  readonly twice: boolean;
  readonly out: string | null;
  readonly log: string | null;
  readonly picture: string | null;
  readonly events: number;
  readonly minutes: number;
  readonly help: boolean;
}

const COMMANDS = ["run", "plant", "campaign", "ci"];

/** Throws with what is wrong with the command line. */
export function parseOptions(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: text,
      script: text,
      seeds: text,
      from: text,
      jobs: text,
      plan: text,
      operator: flag,
      twice: flag,
      out: text,
      log: text,
      picture: text,
      events: text,
      minutes: text,
      help: { ...flag, short: "h" },
    },
  });
  const [command = "run", ...names] = positionals;
  if (!COMMANDS.includes(command)) throw new Error(`there is no command ${command}`);
  if (command !== "plant" && names.length > 0) throw new Error(`what is ${names.join(" ")}?`);
  return {
    command,
    names,
    seed: values.seed === undefined ? null : count("seed", values.seed),
    script: values.script ?? null,
    seeds: values.seeds === undefined ? null : count("seeds", values.seeds),
    from: count("from", values.from ?? "1"),
    jobs: Math.max(1, count("jobs", values.jobs ?? String(availableParallelism()))),
    plan: values.plan === undefined ? null : planOf(values.plan),
    operator: values.operator === true,
    twice: values.twice === true,
    out: values.out ?? null,
    log: values.log ?? null,
    picture: values.picture ?? null,
    events: count("events", values.events ?? "1e9"),
    minutes: values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes),
    help: values.help === true,
  };
}

/** What the command line says of the draw of every seed. */
export const drawOf = ({ plan, operator }: Options): Overrides => ({
  ...(plan === null ? {} : { plan }),
  ...(operator ? { operator } : {}),
});

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} takes a whole number, not ${text}`);
  return value;
}

function planOf(text: string): Plan | "none" {
  const plan = [...PLANS, "none" as const].find(one => one === text);
  if (plan === undefined) throw new Error(`--plan takes ${PLANS.join(", ")} or none`);
  return plan;
}
