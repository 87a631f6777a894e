/** The answer to a hello: who this node is, what it takes, and how the client's leases stand. */
import { LIMITS, PROTOCOL_VERSION, type WelcomeMessage } from "holdfast-protocol";
import { formatNodeId } from "../../base/ids.js";
import type { Clock } from "../../base/ports.js";
import type { Connection, Coordinator } from "../../replica/coordinator/index.js";
import type { Hello } from "./messages.js";

type Welcome = WelcomeMessage["welcome"];

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
  const unknown = hello.leases.map(lease => ({ lease }));
  if (unknown.length === 0) {
    done(welcomeOf(coordinator, []));
    return;
  }
  let greeted = false;
  const greetWith = (leases: Welcome["leases"]): void => {
    if (greeted) return;
    greeted = true;
    stopWaiting();
    done(welcomeOf(coordinator, leases));
  };
  const stopWaiting = clock.after(LEASES_WITHIN_MS, () => greetWith(unknown));
  connection.leaseStandings(hello.leases, standings => greetWith(standings ?? unknown));
}

function welcomeOf(coordinator: Coordinator, leases: Welcome["leases"]): Welcome {
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
