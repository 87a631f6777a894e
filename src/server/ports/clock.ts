/**
 * The Clock port over the process's monotonic clock, the machine's wall clock and Node's timers.
 */
import type { Cancel, Clock } from "../../base/ports.js";

/** Node may fire a timer a fraction of a millisecond early; the port promises never to. */
const RETRY_MS = 1;

export const nodeClock: Clock = {
  monotonicMs(): number {
    return performance.now();
  },
  wallMs(): number {
    return Date.now();
  },
  after(delayMs: number, callback: () => void): Cancel {
    const due = performance.now() + delayMs;
    let timer = setTimeout(fire, delayMs);
    function fire(): void {
      if (performance.now() >= due) callback();
      else timer = setTimeout(fire, RETRY_MS);
    }
    return () => clearTimeout(timer);
  },
};
