/**
 * `npm run docs:performance`: writes the figures of docs/PERFORMANCE.md, between its two markers,
 * from what the benches left in results/: the newest load-<date>.json, failover.json, and
 * lines.json. The benches call it when they have written there; a test holds page and results
 * equal. It measures nothing, and no figure of that page is typed by hand.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "./load/report.js";

interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly node?: string;
}

interface Load {
  readonly at: string;
  readonly command: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly measureMs: number;
  readonly lines: readonly {
    readonly shape: {
      readonly workload: string;
      readonly workers: number;
      readonly connections: number;
    };
    readonly reports: Readonly<Record<string, Report>>;
  }[];
}

interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

interface Failover {
  readonly at: string;
  readonly command: string;
  readonly machine: Machine;
  readonly kills: number;
  readonly withoutServiceMs: Spread;
  readonly everyClientMs: Spread;
  readonly gapAtReturnMs?: Spread;
}

interface Lines {
  readonly at: string;
  readonly command: string;
  readonly machine: Machine;
  readonly scale: {
    readonly lengths: readonly number[];
    readonly waiters: number;
    readonly rounds: number;
    readonly threads: readonly number[];
  };
  readonly most: number;
  readonly rows: readonly {
    readonly what: string;
    readonly us: readonly number[];
    readonly ratio: number;
  }[];
  readonly threadUs: readonly number[];
  readonly bytesPerWaiter: { readonly session: number; readonly privateLease: number };
}

export const LINES_COMMAND = "node --expose-gc dist/bench/micro/line.js";
export const BEGIN = "<!-- figures: npm run docs:performance writes them -->";
export const END = "<!-- end of the figures -->";

const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString("en-US");
const describe = ({ cpu, cores }: Machine): string => `${cpu.trim()}, ${cores} cores`;

function loadRow({ shape, reports }: Load["lines"][number]): string {
  const { workload, workers, connections } = shape;
  const { holdfast, etcd } = reports;
  const figures = (report: Report | undefined): string =>
    report === undefined
      ? "–"
      : `${rate(report.perSecond)}/s, ${report.p50Ms.toFixed(2)} / ${report.p99Ms.toFixed(2)} ms` +
        (report.errors === 0 ? "" : `, ${report.errors} errors`);
  const ratio =
    holdfast === undefined || etcd === undefined || etcd.perSecond === 0
      ? "–"
      : (holdfast.perSecond / etcd.perSecond).toFixed(1);
  const what = `\`${workload}\` | ${workers} | ${connections}`;
  return `| ${what} | ${figures(holdfast)} | ${figures(etcd)} | ${ratio} |`;
}

function loadSection(file: string, load: Load): readonly string[] {
  const { at, command, machine, rounds, measureMs } = load;
  return [
    "## Under load",
    "",
    `From \`bench/results/${file}\`, ${at.slice(0, 10)}, by \`${command}\`: ${describe(machine)}, ` +
      `Node ${machine.node ?? "unknown"}; medians of ${rounds} rounds of ${measureMs / 1000} s each.`,
    "",
    "| workload | workers | connections | Holdfast: rate, p50 / p99 | etcd: the same | times |",
    "|---|---|---|---|---|---|",
    ...load.lines.map(loadRow),
    "",
  ];
}

function failoverSection(failover: Failover): readonly string[] {
  const { at, command, machine, kills } = failover;
  const row = (what: string, { median, least, most }: Spread): string =>
    `| ${what} | ${Math.round(median)} ms | ${least} ms | ${most} ms |`;
  const { withoutServiceMs, everyClientMs, gapAtReturnMs } = failover;
  return [
    "## When the leader dies",
    "",
    `From \`bench/results/failover.json\`, ${at.slice(0, 10)}, by \`${command}\`: ` +
      `${describe(machine)}; the leader killed ${kills} times with SIGKILL under load.`,
    "",
    "| | median | least | most |",
    "|---|---|---|---|",
    row("longest time between two acknowledgements to anybody", withoutServiceMs),
    row("until every client had a new write acknowledged", everyClientMs),
    ...(gapAtReturnMs === undefined
      ? []
      : [row("longest time between two while the killed node came back", gapAtReturnMs)]),
    "",
  ];
}

function linesSection(lines: Lines): readonly string[] {
  const { at, command, machine, scale, most, rows, threadUs, bytesPerWaiter } = lines;
  const { lengths, waiters, rounds, threads } = scale;
  const us = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  const [few = 0, many = 0] = threads;
  const [fewUs = 0, manyUs = 0] = threadUs;
  const { session, privateLease } = bytesPerWaiter;
  return [
    "## Long lines",
    "",
    `From \`bench/results/lines.json\`, ${at.slice(0, 10)}, by \`${command}\`: ` +
      `${describe(machine)}, Node ${machine.node ?? "unknown"}; medians of ${rounds} rounds, ` +
      "microseconds in the state machine alone.",
    "",
    `| a step in a line of | ${lengths.map(rate).join(" | ")} | longest to shortest |`,
    `|---|${"---|".repeat(lengths.length + 1)}`,
    ...rows.map(row => `| ${row.what} | ${row.us.map(us).join(" | ")} | ${row.ratio.toFixed(1)} |`),
    "",
    `${rate(waiters)} wait in all, in lines of each of these lengths; a step that costs the longest ` +
      `more than ${most} times what it costs the shortest fails the bench. A search for a circle ` +
      `among ${rate(few)} threads that stand in two lines takes ${us(fewUs)} µs, among ` +
      `${rate(many)}, as many as the limit lets, ${us(manyUs)} µs. One who waits takes ` +
      `${rate(session)} bytes of the heap, on a lease of its own ${rate(privateLease)}.`,
    "",
  ];
}

/** What stands between the markers, from the files in the folder `results`. */
export function figures(results: string): string {
  const names = existsSync(results) ? readdirSync(results) : [];
  const newest = names
    .filter(name => /^load-\d{4}-\d{2}-\d{2}\.json$/.test(name))
    .sort()
    .at(-1);
  const json = (name: string): unknown => JSON.parse(readFileSync(join(results, name), "utf8"));
  const load =
    newest === undefined
      ? ["No load has been measured yet: `npm run bench` does it.", ""]
      : loadSection(newest, json(newest) as Load);
  const failover = names.includes("failover.json")
    ? failoverSection(json("failover.json") as Failover)
    : ["No fail-over has been measured yet: `npm run bench:failover` does it.", ""];
  const lines = names.includes("lines.json")
    ? linesSection(json("lines.json") as Lines)
    : [`No long lines have been measured yet: \`${LINES_COMMAND}\` does it.`, ""];
  return [...load, ...failover, ...lines].join("\n");
}

/** `page` with the figures of `results` between its markers. */
export function withFigures(page: string, results: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/PERFORMANCE.md has lost its markers");
  return `${page.slice(0, begin + BEGIN.length)}\n\n${figures(results)}\n${page.slice(end)}`;
}

/** Writes the page anew. `repository` is the path of the checkout. */
export function writePerformancePage(repository: string): void {
  const page = join(repository, "docs/PERFORMANCE.md");
  const results = join(repository, "bench/results");
  writeFileSync(page, withFigures(readFileSync(page, "utf8"), results));
}

const program = fileURLToPath(import.meta.url);
if (process.argv[1] === program) writePerformancePage(join(program, "../../.."));
