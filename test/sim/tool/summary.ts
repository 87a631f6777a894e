/** Sums verdicts up, and prints what came of them. */
import { neverHit, RARE, type Rare, SEEDS_FOR_ALL } from "../sometimes.js";
import type { Verdict } from "../verdict.js";

export class Summary {
  seeds = 0;
  events = 0;
  simulatedMs = 0;
  /** Processor time of all workers together. */
  cpuMs = 0;
  readonly counts = new Map<string, number>();
  readonly sometimes = new Map<string, number>();
  /** Seeds by kind of violation. */
  readonly broken = new Map<string, number[]>();

  add(verdict: Verdict): void {
    this.seeds += 1;
    this.events += verdict.events;
    this.simulatedMs += verdict.simulatedMs;
    this.cpuMs += verdict.cpuMs;
    addAll(this.counts, verdict.counts);
    addAll(this.sometimes, verdict.sometimes);
    const { violation } = verdict;
    if (violation === null) return;
    const known = this.broken.get(violation.kind);
    if (known === undefined) this.broken.set(violation.kind, [verdict.seed]);
    else known.push(verdict.seed);
  }

  get violations(): number {
    return [...this.broken.values()].reduce((sum, seeds) => sum + seeds.length, 0);
  }

  /** Events a second that one core does. */
  get eventsPerSecond(): number {
    return Math.round((this.events / Math.max(1, this.cpuMs)) * 1000);
  }

  get neverHit(): readonly Rare[] {
    return neverHit(this.seeds, Object.fromEntries(this.sometimes));
  }

  print(): void {
    const ratio = this.simulatedMs / Math.max(1, this.cpuMs);
    console.log(table(this.counts));
    console.log(`\nrare paths (all of them are asked for from ${SEEDS_FOR_ALL} seeds on)`);
    for (const [what, why] of Object.entries(RARE)) {
      const times = String(this.sometimes.get(what) ?? 0);
      console.log(`${times.padStart(9)}  ${what.padEnd(40)} ${why}`);
    }
    console.log(
      `\n${this.seeds} seeds, ${this.events} events, ${this.eventsPerSecond} events/s a core, ` +
        `${ratio.toFixed(1)} times real time a core`,
    );
    this.printBroken();
  }

  printBroken(): void {
    for (const what of this.neverHit) console.log(`NEVER: ${what}`);
    for (const [kind, seeds] of this.broken) {
      const shown = seeds.sort((a, b) => a - b).slice(0, 12);
      console.log(`BROKEN ${seeds.length}: ${kind}\n  seeds ${shown.join(" ")}`);
    }
    console.log(`${this.violations} violations`);
  }
}

function addAll(to: Map<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [what, times] of Object.entries(from)) to.set(what, (to.get(what) ?? 0) + times);
}

/** Three columns, by name. */
function table(counts: ReadonlyMap<string, number>): string {
  const cells = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, times]) => `${String(times).padStart(9)}  ${what.padEnd(24)}`);
  const rows: string[] = [];
  for (let at = 0; at < cells.length; at += 3)
    rows.push(
      cells
        .slice(at, at + 3)
        .join("")
        .trimEnd(),
    );
  return rows.join("\n");
}
