/**
 * What the parts of this room share: the machine, the ways in and out, the clocks. Put together by
 * replica.ts; operations and calls get it and nothing else. The machine is replaced by a restore,
 * so it is always read from here.
 */
import type { Writer } from "../base/codec.js";
import type { Term } from "../base/ids.js";
import type { Bytes, Random } from "../base/ports.js";
import type { ReplicatedLog } from "../log/port/index.js";
import {
  type Command,
  encodeCommand,
  type RequestIdentity,
  type StateMachine,
} from "../state/index.js";
import type { Failure } from "./coordinator/index.js";
import type { Attachments } from "./leases/attachments.js";
import type { LeaderQuery } from "./leases/leader-query.js";
import type { ReplicaLimits } from "./limits.js";
import { Endings } from "./lines/endings.js";
import type { Places } from "./lines/places.js";
import { Tallies } from "./lines/tallies.js";
import type { MemberOffice } from "./members/office.js";
import type { Outbox } from "./outbox.js";
import type { Proposer } from "./proposals/proposal.js";
import type { Proposals } from "./proposals/proposals.js";
import type { Reads } from "./reads.js";
import type { Life } from "./status.js";
import type { ClusterTime, NodeTime } from "./time.js";
import type { WatchHub } from "./watch/hub.js";

export interface Parts {
  readonly boot: number;
  readonly version: string;
  readonly log: ReplicatedLog;
  readonly limits: ReplicaLimits;
  readonly random: Random;
  readonly bytes: Bytes;
  readonly scratch: Writer;
  readonly time: NodeTime;
  readonly clusterTime: ClusterTime;
  readonly outbox: Outbox;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly keepAlives: LeaderQuery;
  readonly remaining: LeaderQuery;
  readonly attachments: Attachments;
  readonly members: MemberOffice;
  readonly life: Life;
}

export class Core {
  readonly parts: Parts;
  readonly places: Places;
  readonly endings: Endings;
  readonly tallies: Tallies;
  readonly watches: WatchHub;
  machine: StateMachine;
  /**
   * The lease that the command being applied has given, or has given a grant; "" between commands.
   * An answer of before, found in the request table, comes without: its lease has run since then.
   */
  justGranted = "";

  constructor(
    parts: Parts,
    machine: StateMachine,
    places: (core: Core) => Places,
    watches: (core: Core) => WatchHub,
  ) {
    this.parts = parts;
    this.machine = machine;
    this.places = places(this);
    this.endings = new Endings(this);
    this.tallies = new Tallies(() => parts.log.leadership().serving);
    this.watches = watches(this);
  }

  /** The log has not started: nothing can be read or proposed here, perhaps for hours. */
  get starting(): boolean {
    return this.parts.life.phase === "starting";
  }

  /** The cluster's time now, as this node guesses it: for display. */
  clusterNowMs(): number {
    return this.parts.clusterTime.estimateMs();
  }

  /**
   * Proposes a command on behalf of `proposer`. Returns the failure when it is not even taken; then
   * the proposer is not called. `repeatable` without an identity: doing it twice does no harm.
   */
  propose(
    command: Command,
    identity: RequestIdentity | null,
    proposer: Proposer,
    repeatable: boolean = identity !== null,
    onlyInTerm: Term | null = null,
  ): Failure | null {
    const { proposals, boot, scratch, time } = this.parts;
    const origin = { boot, number: proposals.nextNumber };
    const encoded = encodeCommand(scratch, command, origin, identity);
    const refusal = proposals.refusal(encoded.length);
    if (refusal !== null) return refusal;
    proposals.propose(encoded, proposer, repeatable, onlyInTerm, time.nowMs());
    return null;
  }

  /**
   * A lease's id: 63 random bits. Beside a million leases, the most there are, one draw in 10^13
   * meets another. It is not drawn anew for the same request, whose first answer is kept: the
   * caller is refused (`LEASE_EXISTS`) and asks again.
   */
  drawLease(): string {
    const { random } = this.parts;
    for (;;) {
      const high = random.below(2 ** 31).toString(16);
      const low = random
        .below(2 ** 32)
        .toString(16)
        .padStart(8, "0");
      const id = (high + low).replace(/^0+/, "");
      if (id !== "") return id;
    }
  }
}
