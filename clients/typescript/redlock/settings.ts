/** Settings and arguments, checked and read in Holdfast's terms. Nothing is clamped in silence. */
import { invalid } from "./errors.js";
import type { Settings } from "./surface.js";

const LEAST_MS = 1000;
const MOST_MS = 86_400_000;
const LONGEST_WAIT_MS = 2_147_483_647;
/** As redlock: how much longer than the threshold a duration must be. */
const ABOVE_THRESHOLD_MS = 100;

export const DEFAULTS: Settings = Object.freeze({
  driftFactor: 0.01,
  retryCount: 10,
  retryDelay: 200,
  retryJitter: 100,
  automaticExtensionThreshold: 500,
});

/** `base` with what `over` says; fields that are absent or undefined are the base's. */
export function settingsFrom(base: Settings, over: Partial<Settings> | undefined): Settings {
  if (over === undefined) return base;
  const settings = {
    driftFactor: over.driftFactor ?? base.driftFactor,
    retryCount: over.retryCount ?? base.retryCount,
    retryDelay: over.retryDelay ?? base.retryDelay,
    retryJitter: over.retryJitter ?? base.retryJitter,
    automaticExtensionThreshold:
      over.automaticExtensionThreshold ?? base.automaticExtensionThreshold,
  };
  const { driftFactor, retryCount, ...timesMs } = settings;
  if (!(driftFactor >= 0 && driftFactor < 0.5)) throw invalid("driftFactor", "from 0 to below 0.5");
  if (!(retryCount >= 0 || retryCount === -1)) throw invalid("retryCount", "0 or more, or -1");
  for (const [name, value] of Object.entries(timesMs))
    if (!(value >= 0)) throw invalid(name, "a number of milliseconds, 0 or more");
  return settings;
}

/** How long to stand in line; null: without bound. */
export function waitMsOf(settings: Settings): number | null {
  const { retryCount, retryDelay, retryJitter } = settings;
  if (retryCount === -1) return null;
  const waitMs = retryCount * (retryDelay + retryJitter);
  // No retries at all may meet a delay without end.
  if (retryCount === 0) return 0;
  return waitMs <= LONGEST_WAIT_MS ? waitMs : null;
}

/** What is left of the retries when `spentMs` of their time are over. */
export function withoutSpent(settings: Settings, spentMs: number): Settings {
  const { retryCount, retryDelay, retryJitter } = settings;
  const oneMs = retryDelay + retryJitter;
  if (retryCount === -1 || oneMs === 0) return settings;
  return { ...settings, retryCount: Math.max(retryCount - Math.floor(spentMs / oneMs), 0) };
}

/** A duration is a lease's time to live: a cluster grants none outside these bounds. */
export function checkDuration(durationMs: number): void {
  if (Number.isInteger(durationMs) && durationMs >= LEAST_MS && durationMs <= MOST_MS) return;
  throw invalid("duration", "an integer of milliseconds from 1,000 to 86,400,000");
}

/** For `using`. */
export function checkThreshold(durationMs: number, settings: Settings): void {
  if (settings.automaticExtensionThreshold <= durationMs - ABOVE_THRESHOLD_MS) return;
  throw invalid("duration", "at least 100 more than automaticExtensionThreshold");
}

/** The names to be locked, each once. How many there may be is the cluster's to say. */
export function namesOf(resources: readonly string[]): readonly string[] {
  if (!Array.isArray(resources) || resources.length === 0)
    throw invalid("resources", "an array of one or more names");
  return [...new Set(resources)];
}

/** How long before the end of its lease a lock that was acquired counts as lost. */
export function driftMsOf(durationMs: number, settings: Settings): number {
  return Math.min(Math.round(settings.driftFactor * durationMs) + 2, durationMs / 2);
}

/**
 * The same for `using`: what its routine has to stop in. Not so much that a keep-alive, which goes
 * at a third of the duration, could hardly be answered in time.
 */
export function thresholdMsOf(durationMs: number, settings: Settings): number {
  return Math.min(settings.automaticExtensionThreshold, durationMs / 5);
}
