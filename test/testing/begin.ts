/** Test clusters that are closed when their test is over, whatever became of it. */
import { onTestFinished } from "vitest";
import {
  startTestCluster,
  type TestCluster,
  type TestClusterOptions,
} from "../../src/testing/index.js";

export async function begin(options?: TestClusterOptions): Promise<TestCluster> {
  const t = await startTestCluster(options);
  onTestFinished(() => t.close());
  return t;
}

/** What became of a promise so far. */
export interface Fate<T> {
  value?: T;
  error?: unknown;
}

/** Looks at a promise without waiting for it. */
export function fateOf<T>(promise: Promise<T>): Fate<T> {
  const fate: Fate<T> = {};
  promise.then(
    value => {
      fate.value = value;
    },
    error => {
      fate.error = error;
    },
  );
  return fate;
}

/** Real turns of the event loop: enough for whatever needs no turned time. */
export async function realTurns(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
}
