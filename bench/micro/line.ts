/**
 * Whether a step costs the same however long the line: the same number of waiters stands in lines
 * of three lengths, the steps are measured in one of each in turn, and the longest is compared with
 * the shortest, round by round. With every length the state is as large in all, so that what
 * differs is the line and not the processor's caches. A tree of a hundred times as many is 1.7
 * times as deep; a ratio past `MOST` is a step that walks the line, and the program fails. What
 * garbage collection adds is not looked at. Run after a build:
 * node --expose-gc dist/bench/micro/line.js            writes bench/results/lines.json
 * node --expose-gc dist/bench/micro/line.js --quick    small, prints only
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "#src/state/index.js";
import { median } from "../load/report.js";
import { LINES_COMMAND, writePerformancePage } from "../performance-page.js";
import { Threads } from "./line-threads.js";
import { heapBytes, type Kind, keyOf, micros, StandingLines, session } from "./standing-lines.js";

/** O(log n) is 1.7; √n would be 10. What is between is noise. */
const MOST = 4;

export interface Scale {
  readonly lengths: readonly number[];
  readonly waiters: number;
  readonly rounds: number;
  /** Operations of one kind in a round. */
  readonly operations: number;
  /** How many are passed when one is let go before others. */
  readonly passed: number;
  /** Threads of one line that stand elsewhere too: few, and as many as the limit lets. */
  readonly threads: readonly [number, number];
}

export const FULL: Scale = {
  lengths: [1_000, 10_000, 100_000],
  waiters: 100_000,
  rounds: 41,
  operations: 256,
  passed: 400,
  threads: [400, 4_900],
};

export const QUICK: Scale = {
  lengths: [20, 100, 1_000],
  waiters: 1_000,
  rounds: 1,
  operations: 64,
  passed: 8,
  threads: [8, 40],
};

export interface Row {
  readonly what: string;
  /** Microseconds, by length. */
  readonly us: readonly number[];
  /** The median over the rounds of the longest line's cost by the shortest's. */
  readonly ratio: number;
}

export interface Lines {
  readonly scale: Scale;
  readonly most: number;
  readonly rows: readonly Row[];
  /** Microseconds to ask in the longest line, by how many threads of it stand elsewhere too. */
  readonly threadUs: readonly number[];
  readonly bytesPerWaiter: Readonly<Record<"session" | "privateLease", number>>;
}

const PIECE = 1_000;
const SEARCHES = 16;
const HAND_OVERS = 4;

/** One round's microseconds, by what was done. */
type Round = (lines: StandingLines) => Readonly<Record<string, number>>;

/** A row for each thing that `round` does, from rounds in which all lengths take turns. */
function compare(scale: Scale, kind: Kind, round: Round): Row[] {
  const all = scale.lengths.map(length => new StandingLines(kind, length, scale.waiters).fill());
  for (const lines of all) round(lines);
  const rounds = Array.from({ length: scale.rounds }, (_, at) => {
    const taken = all.map(() => ({}) as Readonly<Record<string, number>>);
    const turn = [...all.keys()];
    for (const i of at % 2 === 0 ? turn : turn.reverse()) taken[i] = round(all[i] as StandingLines);
    return taken;
  });
  const [first] = rounds[0] ?? [];
  return Object.keys(first ?? {}).map(what => {
    const times = rounds.map(lengths => lengths.map(took => took[what] ?? 0));
    const us = all.map((_, i) => median(times.map(time => time[i] ?? 0)));
    const ratio = median(times.map(time => (time.at(-1) ?? 0) / Math.max(time[0] ?? 0, 1e-3)));
    return { what, us, ratio };
  });
}

/** The steps that every kind of line has; the lines are as long after them as before. */
function steps(prefix: string, { operations }: Scale): Round {
  return lines => {
    const join = lines.enter(operations);
    const leave = lines.cancel(operations);
    const release = lines.release(operations);
    lines.enter(operations);
    return {
      [`${prefix}: join at the end`]: join,
      [`${prefix}: give up in the middle`]: leave,
      [`${prefix}: release, the next is granted`]: release,
    };
  };
}

/** Microseconds for each of the reads. */
function times(operations: number, read: (i: number) => void): number {
  return median(Array.from({ length: operations }, (_, i) => micros(() => read(i))));
}

function looks(lines: StandingLines, operations: number): Readonly<Record<string, number>> {
  const { machine } = lines;
  const { name, keys } = lines.line;
  const middle = (i: number): string => keys[(keys.length >> 2) + (i % (keys.length >> 1))] ?? "";
  return {
    "inspect, 16 waiters shown": times(operations, () => machine.inspect(name, 16)),
    "position of one who waits": times(operations, i => machine.position(middle(i))),
  };
}

/** A request for a long line and for a free one: it waits in the one and blocks the other. */
function several(lines: StandingLines, operations: number): Readonly<Record<string, number>> {
  const { revision } = lines.machine;
  const { name } = lines.line;
  const each = Array.from({ length: operations }, (_, i) => i);
  const join = lines.run(
    each.map(i => ({
      kind: "lock.acquire",
      name,
      names: [name, `bench/free-${i}`],
      lease: session(i % lines.sessions),
      wait: true,
    })),
    "waiting",
  );
  const leave = lines.run(
    each.map(i => ({ kind: "lock.cancel", key: keyOf(name, revision + 1 + i) })),
    "cancelled",
  );
  return { "two names at once: join": join, "two names at once: give up": leave };
}

/** Asks; and then lets one go before others, by what that costs for each whom it passes. */
function ladder(lines: StandingLines, scale: Scale): Readonly<Record<string, number>> {
  const { operations, passed } = scale;
  const ask = { kind: "lock.yield", grant: { name: lines.line.name }, graceMs: 1_000 } as const;
  const asked = lines.run(Array<Command>(operations).fill(ask), "yieldAsked");
  const moved = lines.handOver(HAND_OVERS, passed);
  lines.enter(HAND_OVERS);
  return { "yield, the holder is asked": asked, "hand-over, for each one passed": moved };
}

/** One thread asks, where others of the line stand elsewhere too: as many in every length. */
function searches({ threads: [few] }: Scale): Round {
  const known = new WeakMap<StandingLines, Threads>();
  return lines => {
    const threads = known.get(lines) ?? new Threads(lines, few);
    known.set(lines, threads);
    return {
      [`a thread asks, ${few} others stand in two lines`]: threads.askAlone(SEARCHES),
      "a thread asks and is told of a circle": threads.askInCircle(SEARCHES),
    };
  };
}

/** Microseconds for the longest line, with so many threads in it. */
function searchUs({ lengths, waiters, rounds }: Scale, count: number): number {
  const lines = new StandingLines("exclusive", lengths.at(-1) ?? waiters, waiters).fill();
  const threads = new Threads(lines, count);
  threads.askInCircle(SEARCHES);
  return median(Array.from({ length: rounds }, () => threads.askInCircle(SEARCHES)));
}

/** Bytes of the heap for one who waits in the longest line. */
function bytesPerWaiter(waiters: number, isPrivate: boolean): number {
  const lines = new StandingLines("exclusive", waiters, waiters);
  lines.enter(1, "granted");
  const before = heapBytes();
  for (let done = 0; done < waiters; done += PIECE) {
    const piece = Array.from({ length: Math.min(PIECE, waiters - done) }, (_, i) => ({
      kind: "lock.acquire" as const,
      name: "bench/line-0",
      lease: isPrivate
        ? { id: session(1_000_000 + done + i), ttlMs: 15_000 }
        : session(done / PIECE),
      wait: true,
    }));
    lines.run(piece, "waiting");
  }
  return (heapBytes() - before) / waiters;
}

export function measureLines(scale: Scale): Lines {
  const { operations, waiters } = scale;
  const lock: Round = lines => ({
    ...steps("a lock", scale)(lines),
    ...looks(lines, operations),
    ...several(lines, operations),
    ...ladder(lines, scale),
  });
  const rows = [
    ...compare(scale, "exclusive", lock),
    ...compare(scale, "mixed", steps("readers and writers", scale)),
    ...compare(scale, "semaphore", steps("a semaphore of 8", scale)),
    ...compare(scale, "exclusive", searches(scale)),
  ];
  return {
    scale,
    most: MOST,
    rows,
    threadUs: scale.threads.map(threads => searchUs(scale, threads)),
    bytesPerWaiter: {
      session: bytesPerWaiter(waiters, false),
      privateLease: bytesPerWaiter(waiters, true),
    },
  };
}

const figure = (us: number): string => us.toFixed(us < 100 ? 2 : 0).padStart(9);

function print({ scale, rows, threadUs, bytesPerWaiter }: Lines): void {
  const heads = scale.lengths.map(length => length.toLocaleString("en-US").padStart(9));
  console.log(`${"microseconds; waiters in a line".padEnd(48)}${heads.join("")}    ratio`);
  for (const { what, us, ratio } of rows)
    console.log(`${what.padEnd(48)}${us.map(figure).join("")}${figure(ratio)}`);
  const [few, most] = scale.threads;
  const [fewUs = 0, mostUs = 0] = threadUs;
  console.log(`a circle among ${few} threads: ${figure(fewUs)}, among ${most}: ${figure(mostUs)}`);
  const { session: shared, privateLease } = bytesPerWaiter;
  const bytes = `${Math.round(shared)} on a session, ${Math.round(privateLease)} on a lease of its own`;
  console.log(`bytes of heap for one who waits: ${bytes}`);
}

function main(): void {
  const isQuick = process.argv.includes("--quick");
  if (globalThis.gc === undefined) throw new Error("start it with node --expose-gc");
  const lines = measureLines(isQuick ? QUICK : FULL);
  print(lines);
  if (isQuick) return;
  const repository = fileURLToPath(new URL("../../..", import.meta.url));
  const [cpu] = cpus();
  const machine = { cpu: cpu?.model ?? "", cores: cpus().length, node: process.version };
  const at = new Date().toISOString();
  const folder = join(repository, "bench/results");
  mkdirSync(folder, { recursive: true });
  const report = `${JSON.stringify({ at, command: LINES_COMMAND, machine, ...lines }, null, 2)}\n`;
  writeFileSync(join(folder, "lines.json"), report);
  const slow = lines.rows.filter(({ ratio }) => ratio > MOST);
  for (const { what } of slow) console.error(`${what}: grows with the line`);
  if (slow.length > 0) process.exitCode = 1;
  writePerformancePage(repository);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
