/**
 * What `holdfast` tells its watchdog: one JSON object a line, on the watchdog's standard input.
 * The watchdog's only word is one line on its standard output, once it listens.
 *
 * A client's proof of a hold runs until `newest echoed stamp + ttl × 0.99 − margin`; before the
 * margin is over as well nobody else can be granted. So the margin is ours to end CMD in: its
 * first half is CMD's, to end in peace; the second is the kernel's and the scheduler's, to carry
 * the kill out.
 */

export interface WatchdogOrder {
  /** Whom to end; absent while CMD is not started yet. */
  readonly pid?: number;
  readonly ownGroup?: boolean;
  /**
   * CMD gets SIGTERM then. Monotonic nanoseconds (`process.hrtime.bigint()`), as a decimal
   * string.
   */
  readonly softNs?: string;
  /** All that is left of it gets SIGKILL then. */
  readonly hardNs?: string;
  /** CMD has ended while it was held: nothing is left to be done. */
  readonly finished?: true;
}

/** The client's margin, which it and the watchdog must agree on. */
export const marginMsOf = (ttlMs: number): number => ttlMs / 5;

const graceNs = (marginMs: number): bigint => BigInt(Math.floor(marginMs * 1e6)) / 2n;

/** At `nowNs` or later the hold was proven for `remainingMs` more. */
export function provenDeadlines(nowNs: bigint, remainingMs: number, marginMs: number) {
  const soft = nowNs + BigInt(Math.floor(Math.max(0, remainingMs) * 1e6));
  return { softNs: String(soft), hardNs: String(soft + graceNs(marginMs)) };
}

/** The hold is lost at `nowNs`: CMD goes now, and never later than it had to by the last proof. */
export function lostDeadlines(nowNs: bigint, hardNs: string | undefined, marginMs: number) {
  const hard = nowNs + graceNs(marginMs);
  const last = hardNs === undefined ? hard : BigInt(hardNs);
  return { softNs: String(nowNs), hardNs: String(last < hard ? last : hard) };
}
