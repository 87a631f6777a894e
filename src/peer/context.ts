/** What every part of the room is given: ports, host, limits, and what is shared per PeerLinks. */
import type { Flusher } from "./channel.js";
import type { PeerHost, PeerLimits, PeerPorts, PeerTiming } from "./contract.js";

export interface PeerContext {
  readonly ports: PeerPorts;
  readonly host: PeerHost;
  readonly limits: PeerLimits;
  readonly timing: PeerTiming;
  readonly flusher: Flusher;
}
