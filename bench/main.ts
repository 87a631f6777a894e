/** `npm run bench`: the same work for Holdfast and its peers in one run; see README.md. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startHoldfast } from "./load/cluster.js";
import { medianReport, type Report } from "./load/report.js";
import { buildEtcdDriver, hasEtcd, howToGetEtcd, startEtcd } from "./peers/etcd/cluster.js";
import { writePerformancePage } from "./performance-page.js";
import { runToEnd } from "./processes.js";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    alone: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    "measure-ms": { type: "string" },
    output: { type: "string" },
  },
});

interface Shape {
  readonly workload: string;
  readonly workers: number;
  readonly connections: number;
  /** Only Holdfast can be measured at this. */
  readonly alone?: boolean;
}

interface System {
  readonly name: string;
  measure(shape: Shape): Promise<Report>;
  stop(): Promise<void>;
}

const SHAPES: readonly Shape[] = [
  { workload: "put", workers: 256, connections: 8 },
  { workload: "put", workers: 256, connections: 256 },
  { workload: "get", workers: 256, connections: 8 },
  { workload: "get", workers: 256, connections: 256 },
  { workload: "lock-cycle", workers: 256, connections: 8 },
  { workload: "lock-cycle", workers: 256, connections: 256 },
  { workload: "lock-cycle", workers: 1, connections: 1 },
  { workload: "hand-over", workers: 64, connections: 8 },
  { workload: "hand-over", workers: 64, connections: 64 },
  { workload: "http-put", workers: 64, connections: 64, alone: true },
];

const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3));
const measureMs = Number(flags["measure-ms"] ?? (flags.quick ? 1_000 : 3_000));
const repository = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));

function driverArguments(endpoints: readonly string[], shape: Shape): string[] {
  return [
    `--endpoints=${endpoints.join(",")}`,
    `--workload=${shape.workload}`,
    `--workers=${shape.workers}`,
    `--connections=${shape.connections}`,
    `--warm-up-ms=${Math.min(1_000, measureMs)}`,
    `--measure-ms=${measureMs}`,
  ];
}

async function holdfast(): Promise<System> {
  const cluster = await startHoldfast(join(directory, "holdfast"));
  const driver = fileURLToPath(new URL("./load/driver.js", import.meta.url));
  return {
    name: "holdfast",
    stop: cluster.stop,
    async measure(shape) {
      const args = [driver, ...driverArguments(cluster.endpoints, shape)];
      return JSON.parse(await runToEnd(process.execPath, args)) as Report;
    },
  };
}

async function etcd(): Promise<System> {
  const source = join(repository, "bench/peers/etcd/driver.go");
  const driver = await buildEtcdDriver(source, directory);
  const cluster = await startEtcd(join(directory, "etcd"));
  return {
    name: "etcd",
    stop: cluster.stop,
    async measure(shape) {
      return JSON.parse(
        await runToEnd(driver, driverArguments(cluster.endpoints, shape)),
      ) as Report;
    },
  };
}

interface Line {
  readonly shape: Shape;
  readonly reports: Readonly<Record<string, Report>>;
}

async function measureShape(shape: Shape, systems: readonly System[]): Promise<Line> {
  const taking = systems.filter(system => shape.alone !== true || system.name === "holdfast");
  const all = new Map<string, Report[]>(taking.map(system => [system.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const system of taking) all.get(system.name)?.push(await system.measure(shape));
  }
  const reports: Record<string, Report> = {};
  for (const [name, list] of all) reports[name] = medianReport(list);
  return { shape, reports };
}

function describe(line: Line): string {
  const { workload, workers, connections } = line.shape;
  const what = `${workload}, ${workers} workers, ${connections} connections`.padEnd(46);
  const figures = Object.entries(line.reports).map(([name, report]) => {
    const rate = report.perSecond.toFixed(0).padStart(8);
    const wrong = report.errors === 0 ? "" : ` (${report.errors} errors)`;
    return `${name} ${rate}/s p50 ${report.p50Ms.toFixed(2)} p99 ${report.p99Ms.toFixed(2)} ms${wrong}`;
  });
  const ours = line.reports.holdfast;
  const theirs = line.reports.etcd;
  const ratio =
    ours === undefined || theirs === undefined || theirs.perSecond === 0
      ? ""
      : `   ${(ours.perSecond / theirs.perSecond).toFixed(1)} times`;
  return `${what}${figures.join("   ")}${ratio}`;
}

function save(lines: readonly Line[]): void {
  const at = new Date().toISOString();
  // The docs quote what lies in results/: only whole runs go there by themselves.
  const isWhole = !flags.quick && !flags.alone && flags.only === undefined;
  const folder = isWhole ? join(repository, "bench/results") : tmpdir();
  const file = flags.output ?? join(folder, `load-${at.slice(0, 10)}.json`);
  mkdirSync(join(file, ".."), { recursive: true });
  const machine = { cores: cpus().length, cpu: cpus()[0]?.model ?? "", node: process.version };
  const command = `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`;
  writeFileSync(
    file,
    `${JSON.stringify({ at, command, machine, rounds, measureMs, lines }, null, 2)}\n`,
  );
  console.log(`\nwritten to ${file}`);
  if (isWhole && flags.output === undefined) writePerformancePage(repository);
}

async function main(): Promise<void> {
  const wanted = flags.only?.split(",");
  const shapes = SHAPES.filter(shape => wanted === undefined || wanted.includes(shape.workload));
  const systems: System[] = [];
  try {
    systems.push(await holdfast());
    if (!flags.alone && hasEtcd()) systems.push(await etcd());
    else if (!flags.alone) console.log(`${howToGetEtcd}\n`);
    const lines: Line[] = [];
    for (const shape of shapes) {
      const line = await measureShape(shape, systems);
      console.log(describe(line));
      lines.push(line);
    }
    save(lines);
  } finally {
    await Promise.all(systems.map(system => system.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
