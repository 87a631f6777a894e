/**
 * The long run: targets in turn, inputs that grow, seeds that nobody chose, until the time is over.
 * Each finding is shrunk and saved into the corpus, and its target is left alone from then on.
 * `.ci/fuzz.js` loads this and gives it the command line.
 */
import { parseArgs } from "node:util";
import { type CorpusFile, readCorpus, readCorpusFile, writeCorpusFile } from "./corpus.js";
import { type Finding, messageOf, replay, search } from "./runner.js";
import type { FuzzTarget } from "./target.js";
import { TARGETS } from "./targets/index.js";

const USAGE = `npm run fuzz -- [TARGET …] [--minutes M] [--seed S]
npm run fuzz -- TARGET --replay FILE     one file of the corpus, with all it says
npm run fuzz -- --list                   the targets and what they hold`;

/** Long enough to count, short enough that all targets come round soon. */
const ROUND_MS = 5_000;
const LARGEST_SIZE = 8;

interface Progress {
  readonly target: FuzzTarget;
  readonly corpus: readonly CorpusFile[];
  readonly outcomes: Map<string, number>;
  runs: number;
  tookMs: number;
  findings: number;
}

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      minutes: { type: "string", default: "5" },
      seed: { type: "string" },
      replay: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  if (values.list) {
    for (const { name, promise } of TARGETS) console.log(`${name.padEnd(16)} ${promise}`);
    return 0;
  }
  const targets = TARGETS.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  const unknown = positionals.filter(name => !TARGETS.some(target => target.name === name));
  const minutes = Number(values.minutes);
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  const fits = minutes > 0 && Number.isSafeInteger(seed);
  if (unknown.length > 0 || !fits) {
    console.error(`${USAGE}\ntargets: ${TARGETS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const [first] = targets;
  if (values.replay !== undefined && first !== undefined) return replayOne(first, values.replay);
  return campaign(targets, minutes, seed);
}

async function replayOne(target: FuzzTarget, path: string): Promise<number> {
  const file = readCorpusFile(path);
  const complaint = await replay(target, file);
  await target.close?.();
  console.log(complaint ?? `as it should: ${file.outcome}`);
  return complaint === null ? 0 : 1;
}

async function campaign(
  targets: readonly FuzzTarget[],
  minutes: number,
  seed: number,
): Promise<number> {
  console.log(
    `seed ${seed}, ${minutes} minutes over ${targets.map(({ name }) => name).join(", ")}`,
  );
  const all: Progress[] = [];
  for (const target of targets) all.push(await begin(target));
  const endMs = performance.now() + minutes * 60_000;
  for (let round = 0; ; round += 1) {
    const healthy = all.filter(({ findings }) => findings === 0);
    if (healthy.length === 0) break;
    for (const progress of healthy) {
      const leftMs = endMs - performance.now();
      if (leftMs > 0) await oneRound(progress, seed + round, 1 + (round % LARGEST_SIZE), leftMs);
    }
    if (performance.now() >= endMs) break;
  }
  for (const progress of all) report(progress);
  for (const target of targets) await target.close?.();
  return all.some(({ findings }) => findings > 0) ? 1 : 0;
}

/** What the corpus holds comes first: what was mended once must stay mended. */
async function begin(target: FuzzTarget): Promise<Progress> {
  const corpus = readCorpus(target.name);
  let findings = 0;
  for (const file of corpus) {
    const complaint = await replay(target, file);
    if (complaint === null) continue;
    console.error(`${target.name}: corpus file ${file.name}: ${complaint}`);
    findings += 1;
  }
  return { target, corpus, outcomes: new Map(), runs: 0, tookMs: 0, findings };
}

async function oneRound(
  progress: Progress,
  seed: number,
  size: number,
  leftMs: number,
): Promise<void> {
  const { target, corpus, outcomes } = progress;
  const beganMs = performance.now();
  const withinMs = Math.min(ROUND_MS, leftMs);
  const found = await search(target, corpus, { seed, size, runs: 1_000_000_000, withinMs });
  progress.runs += found.runs;
  progress.tookMs += performance.now() - beganMs;
  for (const [outcome, times] of found.outcomes)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + times);
  if (found.finding === null) return;
  progress.findings += 1;
  save(target, found.finding, seed);
}

function save(target: FuzzTarget, { input, error }: Finding, seed: number): void {
  const message = messageOf(error);
  const short = error instanceof Error ? error.message : message;
  const why = [`found with seed ${seed}: ${short.split("\n")[0] ?? ""}`];
  const name = `found-${seed}`;
  const path = writeCorpusFile(target.name, { name, why, outcome: null, input });
  console.error(`${target.name}: BROKEN (${path})\n${message}`);
}

function report({ target, runs, tookMs, outcomes, findings }: Progress): void {
  const perSecond = tookMs === 0 ? 0 : Math.round((runs / tookMs) * 1000);
  const counted = [...outcomes].sort((a, b) => b[1] - a[1]).slice(0, 12);
  const what = counted.map(([outcome, times]) => `${outcome} ${times}`).join(", ");
  console.log(`${target.name}: ${runs} runs, ${perSecond}/s, ${findings} findings (${what})`);
}
