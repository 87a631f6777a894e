/** What `holdfast` tells its watchdog: one JSON object a line, on the watchdog's standard input. */

export interface WatchdogOrder {
  /** Whom to end; absent while CMD is not started yet. */
  readonly pid?: number;
  readonly ownGroup?: boolean;
  /** CMD gets SIGTERM then. Monotonic nanoseconds (`process.hrtime.bigint()`), as a decimal string. */
  readonly softNs?: string;
  /** CMD gets SIGKILL then. */
  readonly hardNs?: string;
  /** CMD has ended: nothing is left to be done. */
  readonly finished?: true;
}

/** The hold is proven for `remainingMs` more, and cannot go to another for `marginMs` after that. */
export function deadlines(nowNs: bigint, remainingMs: number, marginMs: number) {
  const soft = nowNs + BigInt(Math.max(0, Math.floor(remainingMs * 1e6)));
  // The last fifth of the margin is for the kernel to carry the kill out.
  const hard = soft + BigInt(Math.floor(marginMs * 0.8 * 1e6));
  return { softNs: String(soft), hardNs: String(hard) };
}
