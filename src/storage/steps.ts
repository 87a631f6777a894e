/**
 * Straight-line code over completions, without promises (a simulator that turns the world itself
 * has no microtasks to wait for). A generator yields what to start and is resumed with its value;
 * an error ends it as a StopError. For recovery and background work only, never for the hot path.
 */
import { assert } from "../base/assert.js";
import type { DiskDone, DiskError, DiskResult } from "../base/disk.js";
import type { StorageStop } from "./contract.js";
import { diskStop, StopError } from "./stop.js";

type Resume = (error: DiskError | null, value: unknown) => void;
export type Start = (resume: Resume) => void;
export type Steps<T> = Generator<Start, T, unknown>;

/** Waits for a completion that has a value. */
export function* value<T>(start: (done: DiskResult<T>) => void): Steps<T> {
  // The one place where the untyped way through the generator gets its type back.
  return (yield start as Start) as T;
}

/** Waits for a completion without a value. */
export function* done(start: (done: DiskDone) => void): Steps<void> {
  yield start as Start;
}

/** Runs `steps` to their end; `finished` is called once. Assertions pass through to the caller. */
export function run<T>(
  steps: Steps<T>,
  finished: (stop: StorageStop | null, value: T | null) => void,
): void {
  let completed: { error: DiskError | null; value: unknown } | null = null;
  let stepping = false;
  const resume: Resume = (error, result) => {
    assert(completed === null, "a step completes once");
    completed = { error, value: result };
    if (!stepping) advance();
  };
  // A loop and not a recursion, so that completions that come at once cannot grow the stack.
  const advance = (): void => {
    stepping = true;
    while (completed !== null) {
      const { error, value: sent }: { error: DiskError | null; value: unknown } = completed;
      completed = null;
      const next = proceed(steps, error, sent);
      if ("stop" in next) {
        finished(next.stop, null);
        return;
      }
      if (next.done === true) {
        finished(null, next.value);
        return;
      }
      next.value(resume);
    }
    stepping = false;
  };
  completed = { error: null, value: undefined };
  advance();
}

function proceed<T>(
  steps: Steps<T>,
  error: DiskError | null,
  sent: unknown,
): IteratorResult<Start, T> | { stop: StorageStop } {
  try {
    return error === null ? steps.next(sent) : steps.throw(new StopError(diskStop(error)));
  } catch (thrown) {
    if (thrown instanceof StopError) return { stop: thrown.stop };
    throw thrown;
  }
}
