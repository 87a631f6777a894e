/**
 * What the replica says of itself: the log's status with the state's, and counters for /metrics.
 */
import type { CoordinatorStatus } from "./coordinator/index.js";
import type { Core } from "./core.js";

/** Counters that only the composition knows. */
export interface Life {
  phase: "starting" | "running" | "stopping";
  readonly counters: () => Readonly<Record<string, number>>;
}

export function statusOf(core: Core): CoordinatorStatus {
  const { log, life } = core.parts;
  const status = log.status();
  const { revision, clusterTimeMs } = core.machine;
  const leader = log.members().find(({ id }) => id === status.leader);
  return {
    ...status,
    ...(leader === undefined ? {} : { leaderUrls: leader.clientUrls }),
    revision,
    clusterTimeMs,
    state: stateOf(core),
    counters: life.counters(),
  };
}

function stateOf(core: Core): CoordinatorStatus["state"] {
  const { log, life } = core.parts;
  if (life.phase !== "running") return life.phase;
  return log.leadership().leader === null ? "no-quorum" : "ready";
}
