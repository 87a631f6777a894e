/**
 * How much of an answer is kept. The tables have a share of the state's bytes; past it they keep
 * less and less, but never nothing: that a request was seen is what holds it to once. Whoever asks
 * again for an answer that was not kept is told that its fate is unknown (`REQUEST_EXPIRED`).
 */
import { type CommandResult, entryKeyOf } from "../command/result.js";
import type { StateLimits } from "../limits.js";

/** The tables' share is one part of so many. */
const SHARE = 4;
/** One client's window is pressed when it holds so many of the largest answers. */
const LARGEST_A_WINDOW = 16;
/** What is kept under pressure: the answers of most writes. */
const SMALL_ANSWER_BYTES = 1_024;
/** Under pressure, a window has one place of so many, but some. */
const PRESSED_WINDOW = 16;
const LEAST_WINDOW = 8;

/** The tables hold more than their share: what a window may keep shrinks. */
function pressed(tableBytes: number, limits: StateLimits): boolean {
  return tableBytes * SHARE >= limits.maxStateBytes;
}

/** How many answers a window may hold. */
export function windowCapacity(tableBytes: number, limits: StateLimits): number {
  const { requestWindowPerClient } = limits;
  if (!pressed(tableBytes, limits)) return requestWindowPerClient;
  const few = Math.max(Math.floor(requestWindowPerClient / PRESSED_WINDOW), LEAST_WINDOW);
  return Math.min(few, requestWindowPerClient);
}

/**
 * How large this answer may be to be kept; `windowBytes`: of its client, 0 if it has none. An
 * acquire's is always kept, or one asked again would be told nothing of the entry it made: it is
 * of bounded size, and only comes when the state had room for the entry.
 */
export function mostKeptBytes(
  result: CommandResult,
  tableBytes: number,
  windowBytes: number,
  limits: StateLimits,
): number {
  if (entryKeyOf(result) !== "") return Number.POSITIVE_INFINITY;
  if (tableBytes * SHARE >= 2 * limits.maxStateBytes) return 0;
  const full = windowBytes >= LARGEST_A_WINDOW * limits.maxKeptAnswerBytes;
  if (!full && !pressed(tableBytes, limits)) return limits.maxKeptAnswerBytes;
  return Math.min(SMALL_ANSWER_BYTES, limits.maxKeptAnswerBytes);
}
