/**
 * What can be told from times alone, before any search. What only one entry gives is seen in one
 * stretch of the order: it is there at least from the first return to the last call of those that
 * give or need it. That is its zone (Gibbons and Korach), and no two zones overlap, nor does
 * anything else happen within one. And of two ranks, the higher one never returns before the call
 * of the lower one.
 *
 * Finds most violations there are, at the cost of a sort. Finding none proves nothing.
 */
import { type Entry, isRequired } from "./entries.js";
import type { Model, Sight } from "./model.js";

interface Zone {
  readonly what: string;
  fromMs: number;
  toMs: number;
}

/** What gives one thing: how many entries, and what is known of the first of them. */
interface Givers {
  count: number;
  readonly callMs: number;
  readonly dueMs: number;
}

/** Is there certainly no order? */
export function isHopeless(entries: readonly Entry[], model: Model): boolean {
  if (ranksFall(entries, model)) return true;
  const { sight } = model;
  if (sight === undefined) return false;
  const zones = zonesOf(entries, sight, sight.of(model.initial));
  return zones === null || overlap(zones) || entries.some(entry => intrudes(entry, zones, sight));
}

function ranksFall(entries: readonly Entry[], model: Model): boolean {
  const ranked = entries.flatMap(entry => {
    const rank = isRequired(entry) ? model.rank(entry.move) : null;
    return rank === null ? [] : [{ rank, callMs: entry.callMs, dueMs: entry.dueMs }];
  });
  const byDue = ranked.toSorted((a, b) => a.dueMs - b.dueMs);
  let highest = 0;
  let done = 0;
  for (const { rank, callMs } of ranked) {
    for (let next = byDue[done]; next !== undefined && next.dueMs < callMs; next = byDue[done]) {
      highest = Math.max(highest, next.rank);
      done += 1;
    }
    if (rank < highest) return true;
  }
  return false;
}

/** In order of their beginnings. null: something was seen before anything can have given it. */
function zonesOf(
  entries: readonly Entry[],
  sight: Sight,
  initial: string | null,
): readonly Zone[] | null {
  const givers = giversOf(entries, sight, initial);
  // Of what does not tell what it gives, it may be anything.
  const allTold = entries.every(one => isRequired(one) || sight.gives(one.move) !== null);
  const zones = new Map<string, Zone>();
  for (const [what, { count, callMs, dueMs }] of givers) {
    if (count === 1) zones.set(what, { what, fromMs: dueMs, toMs: callMs });
  }
  for (const { move, callMs, dueMs } of entries.filter(isRequired)) {
    const what = sight.needs(move);
    if (what === null) continue;
    const given = givers.get(what);
    if (given === undefined ? allTold : given.callMs > dueMs) return null;
    const zone = zones.get(what);
    if (zone !== undefined) {
      zone.fromMs = Math.min(zone.fromMs, dueMs);
      zone.toMs = Math.max(zone.toMs, callMs);
    } else if (given === undefined) zones.set(what, { what, fromMs: dueMs, toMs: callMs });
  }
  const lasting = [...zones.values()].filter(({ fromMs, toMs }) => fromMs < toMs);
  return lasting.sort((a, b) => a.fromMs - b.fromMs);
}

function giversOf(
  entries: readonly Entry[],
  sight: Sight,
  initial: string | null,
): Map<string, Givers> {
  const givers = new Map<string, Givers>();
  const start = Number.NEGATIVE_INFINITY;
  if (initial !== null) givers.set(initial, { count: 1, callMs: start, dueMs: start });
  for (const { move, callMs, dueMs } of entries) {
    const what = sight.gives(move);
    if (what === null) continue;
    const known = givers.get(what);
    if (known === undefined) givers.set(what, { count: 1, callMs, dueMs });
    else known.count += 1;
  }
  return givers;
}

/** Two things would have to be there at one time. */
function overlap(zones: readonly Zone[]): boolean {
  let latestMs = Number.NEGATIVE_INFINITY;
  for (const { fromMs, toMs } of zones) {
    if (fromMs < latestMs) return true;
    latestMs = Math.max(latestMs, toMs);
  }
  return false;
}

/** It took place within the zone of something else than it leaves or needs. */
function intrudes(entry: Entry, zones: readonly Zone[], sight: Sight): boolean {
  if (!isRequired(entry)) return false;
  const zone = zones[lastBefore(zones, entry.callMs)];
  if (zone === undefined || entry.dueMs >= zone.toMs) return false;
  const needs = sight.needs(entry.move);
  const gives = sight.gives(entry.move);
  if (needs !== null && needs !== zone.what) return true;
  return needs === null && gives !== null && gives !== zone.what;
}

/** The place of the last zone that begins before `atMs`, or -1. */
function lastBefore(zones: readonly Zone[], atMs: number): number {
  let before = -1;
  let from = zones.length;
  while (from - before > 1) {
    const middle = (before + from) >>> 1;
    if ((zones[middle]?.fromMs ?? atMs) < atMs) before = middle;
    else from = middle;
  }
  return before;
}
