/**
 * What campaigns have run so far, by product: a small file that each flush reads, adds to and
 * writes anew, so that stopping a campaign at any moment loses a minute at most.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Summary } from "./summary.js";

export interface Record {
  /** Hash of the product's sources. */
  readonly product: string;
  /** A commit that had them. */
  readonly commit: string;
  /** Seeds, from and to, both run. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly cpuMs: number;
  /** Seeds by kind. */
  readonly violations: Readonly<{ [kind: string]: readonly number[] }>;
  readonly sometimes: Readonly<{ [what: string]: number }>;
}

export interface Ledger {
  readonly format: 1;
  readonly products: readonly Record[];
}

export function readLedger(path: string): Ledger {
  if (!existsSync(path)) return { format: 1, products: [] };
  const ledger = JSON.parse(readFileSync(path, "utf8")) as Ledger;
  if (ledger.format !== 1) throw new Error(`${path} has format ${String(ledger.format)}, not 1`);
  return ledger;
}

/** No seed is run twice, whatever product it was run with. */
export const nextSeed = ({ products }: Ledger): number =>
  1 + Math.max(0, ...products.flatMap(({ ranges }) => ranges.map(([, to]) => to)));

/** Adds what `summary` counted over the seeds `from` to `to`. */
export function addToLedger(
  path: string,
  { product, commit }: Pick<Record, "product" | "commit">,
  range: readonly [number, number],
  summary: Summary,
): Record {
  const ledger = readLedger(path);
  const known = ledger.products.find(one => one.product === product);
  const record = added(known ?? empty(product, commit), range, summary);
  const products = ledger.products.filter(one => one !== known);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    `${path}.part`,
    `${JSON.stringify({ format: 1, products: [...products, record] }, null, 1)}\n`,
  );
  renameSync(`${path}.part`, path);
  return record;
}

const empty = (product: string, commit: string): Record => ({
  product,
  commit,
  ranges: [],
  seeds: 0,
  events: 0,
  simulatedMs: 0,
  cpuMs: 0,
  violations: {},
  sometimes: {},
});

function added(to: Record, range: readonly [number, number], summary: Summary): Record {
  const violations: { [kind: string]: readonly number[] } = { ...to.violations };
  for (const [kind, seeds] of summary.broken)
    violations[kind] = [...(violations[kind] ?? []), ...seeds];
  const sometimes: { [what: string]: number } = { ...to.sometimes };
  for (const [what, times] of summary.sometimes) sometimes[what] = (sometimes[what] ?? 0) + times;
  return {
    product: to.product,
    commit: to.commit,
    ranges: joined(to.ranges, range),
    seeds: to.seeds + summary.seeds,
    events: to.events + summary.events,
    simulatedMs: Math.round(to.simulatedMs + summary.simulatedMs),
    cpuMs: Math.round(to.cpuMs + summary.cpuMs),
    violations,
    sometimes,
  };
}

/** A range that follows the last one makes it longer. */
function joined(ranges: Record["ranges"], [from, to]: readonly [number, number]): Record["ranges"] {
  const last = ranges.at(-1);
  if (last === undefined || last[1] + 1 !== from) return [...ranges, [from, to]];
  return [...ranges.slice(0, -1), [last[0], to]];
}
