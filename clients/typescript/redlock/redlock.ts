/** `Redlock` over one Holdfast cluster. */
import { invalid } from "./errors.js";
import { GrantTaker } from "./grant.js";
import type { Taker } from "./hold.js";
import { Locker } from "./locker.js";
import type { HoldfastClient, Settings } from "./surface.js";

/**
 * npm's `redlock` 5 over a Holdfast client: `new Redlock([connect()])`. One client is one cluster,
 * which has its quorum within; more than one is refused, since nothing would tie them together.
 */
export class Redlock extends Locker {
  readonly clients: ReadonlySet<HoldfastClient>;
  readonly taker: Taker;

  /** Throws `INVALID_PARAMETER` unless there is exactly one client. */
  constructor(clients: Iterable<HoldfastClient>, settings?: Partial<Settings>) {
    super(settings);
    this.clients = new Set(clients);
    const [client] = this.clients;
    if (client === undefined || this.clients.size > 1)
      throw invalid("clients", "one Holdfast client; its cluster has its quorum within");
    this.taker = new GrantTaker(client, error => void this.emit("error", error));
  }
}
