/** The answer to a hello: who this node is, what it takes, and how the client's leases stand. */
import { LIMITS, PROTOCOL_VERSION, type WelcomeMessage } from "holdfast-protocol";
import { formatNodeId } from "../../base/ids.js";
import type { Clock } from "../../base/ports.js";
import type { Connection, Coordinator, Outcome } from "../../replica/coordinator/index.js";
import type { Hello } from "./messages.js";

type Welcome = WelcomeMessage["welcome"];
type LeaseState = Welcome["leases"][number];

/** A lease that nobody could tell of within this time is welcomed without. */
const LEASES_WITHIN_MS = 1000;

interface House {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
}

/** `done` is called once: at once when there are no leases to ask for. */
export function greet(
  { coordinator, clock }: House,
  connection: Connection,
  hello: Hello,
  done: (welcome: Welcome) => void,
): void {
  const leases: LeaseState[] = hello.leases.map(lease => ({ lease }));
  let missing = leases.length;
  const finish = (): void => {
    missing = -1;
    stopWaiting();
    done(welcomeOf(coordinator, leases));
  };
  const stopWaiting = missing === 0 ? () => {} : clock.after(LEASES_WITHIN_MS, finish);
  if (missing === 0) {
    finish();
    return;
  }
  hello.leases.forEach((lease, at) => {
    connection.call("lease.get", { lease }, {}, outcome => {
      if (missing < 0) return;
      leases[at] = stateOf(lease, outcome);
      missing -= 1;
      if (missing === 0) finish();
    });
  });
}

function stateOf(lease: string, outcome: Outcome<"lease.get">): LeaseState {
  if (!outcome.ok)
    return outcome.failure.code === "NO_SUCH_LEASE"
      ? { lease, ended: { reason: "forgotten" } }
      : { lease };
  const { remainingMs, ended } = outcome.result;
  if (ended !== undefined) return { lease, ended: { reason: ended.reason } };
  return remainingMs === undefined ? { lease } : { lease, remainingMs };
}

function welcomeOf(coordinator: Coordinator, leases: readonly LeaseState[]): Welcome {
  const { clusterId, nodeId, leader, leaderUrls } = coordinator.status();
  return {
    v: PROTOCOL_VERSION,
    clusterId,
    nodeId: formatNodeId(nodeId),
    ...(leader === null ? {} : { leader: formatNodeId(leader) }),
    ...(leaderUrls === undefined ? {} : { leaderUrls }),
    limits: LIMITS,
    leases,
  };
}
