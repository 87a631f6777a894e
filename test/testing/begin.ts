/** Test clusters that are closed when their test is over, whatever became of it. */
import { onTestFinished } from "vitest";
import {
  startTestCluster,
  type TestCluster,
  type TestClusterOptions,
} from "../../src/testing/index.js";

export { watchFate as fateOf } from "../client/world.js";

export async function begin(options?: TestClusterOptions): Promise<TestCluster> {
  const t = await startTestCluster(options);
  onTestFinished(() => t.close());
  return t;
}

/** Real turns of the event loop: enough for whatever needs no turned time. */
export async function realTurns(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
}
