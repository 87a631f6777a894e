/**
 * Runs of jobs, as `once` and `schedule()` name their lines: the job's name, a slash, and the slot
 * in twenty digits, which by custom is the tick's beginning in milliseconds since 1970.
 */

const RUN = /^(.+)\/(\d{20})$/s;
/** Earlier ones are numbers of some other custom, not times. */
const EARLIEST_MS = Date.UTC(2000, 0);
const LATEST_MS = Date.UTC(9999, 11, 31);

/** The line in which claims of a run stand. */
export const runName = (job: string, slot: number): string =>
  `${job}/${String(slot).padStart(20, "0")}`;

/** All runs have names that begin with this: no slot has more than sixteen digits. */
export const runPrefix = (job: string): string => `${job}/0000`;

/** null: it is no name of a run. */
export function runOf(name: string): { readonly job: string; readonly slot: number } | null {
  const [, job, digits] = RUN.exec(name) ?? [];
  const slot = Number(digits);
  return job !== undefined && Number.isSafeInteger(slot) ? { job, slot } : null;
}

/** "2026-03-01T12:05:00Z"; null where the slot is no time. */
export function tickText(slot: number): string | null {
  if (slot < EARLIEST_MS || slot > LATEST_MS) return null;
  return new Date(slot).toISOString().replace(".000Z", "Z");
}
