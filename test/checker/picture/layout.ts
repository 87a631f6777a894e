/**
 * Where everything of a picture goes. Time runs from left to right, but not evenly: between two
 * moments at which something happened there is as much room as the words need.
 */
import type { KeyReport, Operation } from "../core/index.js";
import { wordsOf } from "../core/index.js";

export const LANE_PX = 34;
const MOMENT_PX = 16;
export const LETTER_PX = 7.3;
/** Room of a bar beside its words: a number of four digits, the margins. */
const BESIDE_PX = 52;
const LONGEST_WORDS_PX = 360;
const OPEN_END_PX = 120;

export interface Bar {
  readonly operation: Operation;
  readonly fromPx: number;
  readonly toPx: number;
  readonly lane: number;
  /** Its place in the order found, from 1; null: it has none. */
  readonly place: number | null;
  /** Where it took effect in that order. */
  readonly pointPx: number;
}

export interface Lane {
  readonly process: string;
  /** One process may do several things at once, and then has several lanes. */
  readonly isFirst: boolean;
}

export interface Layout {
  readonly bars: readonly Bar[];
  readonly lanes: readonly Lane[];
  readonly ticks: readonly { readonly atMs: number; readonly atPx: number }[];
  readonly widthPx: number;
}

const widthOfWords = (operation: Operation): number =>
  Math.ceil(Math.min(LONGEST_WORDS_PX, wordsOf(operation).length * LETTER_PX)) + BESIDE_PX;

export function layOut(report: KeyReport, shown: readonly Operation[]): Layout {
  const scale = scaleOf(shown);
  const points = pointsOf(report, shown, scale);
  const { lanes, laneOf } = lanesOf(shown);
  const widthPx = scale.endPx + OPEN_END_PX;
  const places = new Map(report.order.map((operation, at) => [operation, at + 1]));
  const bars = shown.map(operation => ({
    operation,
    fromPx: scale.at(operation.call),
    toPx: endOf(operation, scale),
    lane: laneOf.get(operation) ?? 0,
    place: places.get(operation) ?? null,
    pointPx: points.get(operation) ?? scale.at(operation.call),
  }));
  return { bars, lanes, ticks: ticksOf(scale), widthPx };
}

/** Of what was never answered, as much is drawn as its words need; the line after it goes on. */
function endOf(operation: Operation, scale: Scale): number {
  if (operation.return !== null) return scale.at(operation.return);
  return Math.min(scale.at(operation.call) + widthOfWords(operation), scale.endPx + OPEN_END_PX);
}

interface Scale {
  readonly momentsMs: readonly number[];
  readonly endPx: number;
  at(timeMs: number): number;
}

function scaleOf(shown: readonly Operation[]): Scale {
  const times = shown.flatMap(one => (one.return === null ? [one.call] : [one.call, one.return]));
  const momentsMs = [...new Set(times)].sort((a, b) => a - b);
  const index = new Map(momentsMs.map((timeMs, at) => [timeMs, at]));
  const px: number[] = [];
  const ending = new Map<number, Operation[]>();
  for (const one of shown) {
    if (one.return === null) continue;
    const end = one.return;
    ending.set(end, [...(ending.get(end) ?? []), one]);
  }
  momentsMs.forEach((timeMs, at) => {
    let here = at === 0 ? MOMENT_PX : (px[at - 1] ?? 0) + MOMENT_PX;
    for (const one of ending.get(timeMs) ?? []) {
      const from = px[index.get(one.call) ?? 0];
      if (from !== undefined) here = Math.max(here, from + widthOfWords(one));
    }
    px.push(here);
  });
  const endPx = px.at(-1) ?? 0;
  return { momentsMs, endPx, at: timeMs => px[index.get(timeMs) ?? 0] ?? endPx };
}

/** Each operation of the order at the earliest moment the order allows; close ones side by side. */
function pointsOf(
  { order }: KeyReport,
  shown: readonly Operation[],
  scale: Scale,
): Map<Operation, number> {
  const visible = new Set(shown);
  const points = new Map<Operation, number>();
  let earliestMs = Number.NEGATIVE_INFINITY;
  let lastPx = 0;
  for (const operation of order) {
    if (!visible.has(operation)) continue;
    earliestMs = Math.max(earliestMs, operation.call);
    const endPx = operation.return === null ? scale.endPx : scale.at(operation.return);
    lastPx = Math.min(Math.max(scale.at(earliestMs) + 4, lastPx + 5), endPx);
    points.set(operation, lastPx);
  }
  return points;
}

function lanesOf(shown: readonly Operation[]): {
  readonly lanes: readonly Lane[];
  readonly laneOf: ReadonlyMap<Operation, number>;
} {
  const lanes: Lane[] = [];
  const laneOf = new Map<Operation, number>();
  const collator = new Intl.Collator("en", { numeric: true });
  const processes = [...new Set(shown.map(({ process }) => process))].sort(collator.compare);
  for (const process of processes) {
    const first = lanes.length;
    const busyUntil: number[] = [];
    const own = shown.filter(one => one.process === process);
    for (const one of own.toSorted((a, b) => a.call - b.call)) {
      const free = busyUntil.findIndex(until => until <= one.call);
      const lane = free < 0 ? busyUntil.length : free;
      busyUntil[lane] = one.return ?? Number.POSITIVE_INFINITY;
      laneOf.set(one, first + lane);
    }
    busyUntil.forEach((_, at) => void lanes.push({ process, isFirst: at === 0 }));
  }
  return { lanes, laneOf };
}

const TICK_PX = 90;

function ticksOf({ momentsMs, at }: Scale): { readonly atMs: number; readonly atPx: number }[] {
  const ticks: { readonly atMs: number; readonly atPx: number }[] = [];
  for (const atMs of momentsMs) {
    const atPx = at(atMs);
    const last = ticks.at(-1);
    if (last === undefined || atPx - last.atPx >= TICK_PX) ticks.push({ atMs, atPx });
  }
  return ticks;
}
