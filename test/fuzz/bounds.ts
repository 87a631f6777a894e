/**
 * Runs one input within bounds of time and memory. What runs at once may be stuck in a loop that
 * no timer can end, so it runs under V8's own watchdog; what goes on later is waited for. Errors
 * that nobody caught, and rejections that nobody heard, are the input's fault.
 */
import { createContext, Script } from "node:vm";
import type { Bytes } from "../../src/base/ports.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { Broken, hold } from "./target.js";

/** Far above what any input takes on a loaded machine, and far below what a stuck one would. */
const MOST_MS = 20_000;
/** Garbage included: it is the sum of what was set aside while nothing was collected. */
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

const box: { run: () => unknown } = { run: () => null };
const context = createContext(box);
const script = new Script("run()");

const heldBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** What `run` answers. Throws what it throws, or `Broken` when it passes a bound. */
export async function withinBounds(run: () => string | Promise<string>): Promise<string> {
  const before = heldBytes();
  const stray: unknown[] = [];
  const onStray = (error: unknown): void => void stray.push(error);
  process.on("uncaughtException", onStray);
  process.on("unhandledRejection", onStray);
  try {
    const begun = started(run);
    if (typeof begun === "string") {
      checkGrowth(before);
      return begun;
    }
    const outcome = await inTime(begun);
    // Rejections are told at the end of a turn.
    await new Promise(resolve => setImmediate(resolve));
    checkGrowth(before);
    if (stray.length > 0) throw stray[0];
    return outcome;
  } finally {
    process.off("uncaughtException", onStray);
    process.off("unhandledRejection", onStray);
  }
}

function started(run: () => string | Promise<string>): string | Promise<string> {
  box.run = run;
  try {
    return script.runInContext(context, { timeout: MOST_MS }) as string | Promise<string>;
  } catch (error) {
    const isStuck = (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
    throw isStuck ? new Broken(`it was still at it after ${MOST_MS} ms`) : error;
  }
}

async function inTime(outcome: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Broken(`no end came in ${MOST_MS} ms`)), MOST_MS);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

function checkGrowth(before: number): void {
  const grown = heldBytes() - before;
  hold(grown < MOST_GROWTH_BYTES, `it set aside ${Math.round(grown / 1024)} KiB`);
}

/**
 * The Bytes port, which gives no more than `mostBytes` at a time; save pieces of the sizes `own`,
 * which the code sets aside for itself and not because somebody said so.
 */
export function boundedBytes(mostBytes: () => number, own: readonly number[] = []): Bytes {
  return {
    ...nodeBytes,
    allocate: length => {
      const fits = length <= mostBytes() || own.includes(length);
      hold(fits, `${length} bytes are set aside at once, past ${mostBytes()}`);
      return nodeBytes.allocate(length);
    },
  };
}
