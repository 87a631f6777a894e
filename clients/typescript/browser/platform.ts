/** The world as a browser has it, in pages and in workers. */
import type { Cancel, Platform } from "../core/index.js";
import { dial } from "./socket.js";
import { schedule } from "./turn.js";

function below(bound: number): number {
  const drawn = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  return Math.floor((drawn / 2 ** 32) * bound);
}

/**
 * Browsers slow hidden pages' timers down: Chromium to whole seconds, and those that were set from
 * within other timers to one a minute, which ends any lease. What is called back here runs in a
 * turn of its own, so that the timers it sets are nobody's successors.
 */
function after(delayMs: number, callback: () => void): Cancel {
  let isCancelled = false;
  const timer = setTimeout(() => {
    schedule(() => {
      if (!isCancelled) callback();
    });
  }, delayMs);
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}

export const browserPlatform: Platform = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after,
  schedule,
  below,
  dial,
};
