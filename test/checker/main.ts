/** `npm run check-history`: holds a history's file against the models; see README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkAll, History, HistoryError, type Verdict } from "./core/index.js";
import { drawPage } from "./picture/page.js";
import { reportLines } from "./report.js";

const USAGE = `usage: npm run check-history -- FILE [options]

Says for every key of the history in FILE whether it is linearizable.
  --picture out.html   write a picture of what was found
  --limit 60s          give up after this time (ms, s, m); the verdict is then "unknown"
  --limit-steps N      give up on a key after so many steps
Ends with 0: linearizable; 1: a violation; 2: unknown, or the command or the file was wrong.`;

const EXIT: Readonly<Record<Verdict, number>> = { linearizable: 0, violation: 1, unknown: 2 };
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

class UsageError extends Error {
  override readonly name = "UsageError";
}

interface Order {
  readonly file: string;
  readonly picture: string | null;
  readonly limitMs: number;
  readonly limitSteps: number | null;
}

function readOrder(args: string[]): Order {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      picture: { type: "string" },
      limit: { type: "string", default: "60s" },
      "limit-steps": { type: "string" },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError("one FILE is wanted");
  const limit = /^(\d+)(ms|s|m)$/.exec(values.limit);
  if (limit === null) throw new UsageError(`--limit is a time such as 60s, not "${values.limit}"`);
  const steps = values["limit-steps"];
  if (steps !== undefined && !/^[1-9]\d*$/.test(steps)) {
    throw new UsageError(`--limit-steps is a number of steps, not "${steps}"`);
  }
  return {
    file,
    picture: values.picture ?? null,
    limitMs: Number(limit[1]) * (UNITS[limit[2] ?? ""] ?? 1),
    limitSteps: steps === undefined ? null : Number(steps),
  };
}

/** npm runs commands in the checkout; paths are meant from where it was called. */
const fromCaller = (path: string): string => resolve(process.env.INIT_CWD ?? ".", path);

function run(args: string[]): number {
  const { file, picture, limitMs, limitSteps } = readOrder(args);
  const history = History.fromJsonl(readFileSync(fromCaller(file), "utf8"));
  const steps = limitSteps === null ? {} : { limitSteps };
  const report = checkAll(history, { limitMs, now: () => performance.now(), ...steps });
  console.log(reportLines(report).join("\n"));
  if (picture !== null) {
    writeFileSync(fromCaller(picture), drawPage(report, file));
    console.log(`picture: ${fromCaller(picture)}`);
  }
  return EXIT[report.verdict];
}

function isOurs(error: unknown): error is Error {
  if (error instanceof UsageError || error instanceof HistoryError) return true;
  return error instanceof Error && "code" in error;
}

try {
  process.exitCode = run(process.argv.slice(2));
} catch (error) {
  if (!isOurs(error)) throw error;
  const isUsage = !(error instanceof HistoryError) && !("syscall" in error);
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error.message);
  process.exitCode = 2;
}
