/** Leases by hand, for tools: one call each, and nobody keeps them alive. */
import type { Answer } from "./call.js";
import type { Engine } from "./engine.js";
import { textsOf } from "./holders.js";
import { type Page, pageOf } from "./incoming.js";
import type {
  CallOptions,
  LeaseDetails,
  LeaseGrantOptions,
  LeaseRevoked,
  Leases,
  LeaseTime,
  ListedLease,
} from "./surface.js";

export class LeasesOf implements Leases {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  grant(options: LeaseGrantOptions): Promise<LeaseTime> {
    const { ttlMs, lease, owner, labels } = options;
    const params = { ttlMs, lease, owner, labels };
    return this.#engine.ask("lease.grant", params, options, timeOf);
  }

  keepalive(lease: string, options?: CallOptions): Promise<LeaseTime> {
    return this.#engine.ask("lease.keepalive", { lease }, options, timeOf);
  }

  revoke(lease: string, options?: CallOptions): Promise<LeaseRevoked> {
    return this.#engine.ask("lease.revoke", { lease }, options, revokedOf);
  }

  get(lease: string, options?: CallOptions): Promise<LeaseDetails> {
    return this.#engine.ask("lease.get", { lease }, options, detailsOf);
  }

  async *list(options?: CallOptions): AsyncGenerator<ListedLease, void, undefined> {
    let place: { readonly after?: string } = {};
    for (;;) {
      const { items, ok }: Page<ListedLease> = await this.#engine.ask(
        "lease.list",
        place,
        options,
        leasesOf,
      );
      yield* items;
      const last = items.at(-1)?.lease;
      if (ok.more !== true || typeof last !== "string") return;
      place = { after: last };
    }
  }
}

function timeOf(ok: Answer): LeaseTime {
  const { stamp: _stamp, ...time } = ok as unknown as LeaseTime & { readonly stamp?: number };
  return time;
}

const leasesOf = pageOf("leases", one => one as unknown as ListedLease);

const revokedOf = (ok: Answer): LeaseRevoked => ok as unknown as LeaseRevoked;

function detailsOf(ok: Answer): LeaseDetails {
  const details = ok as unknown as LeaseDetails;
  return details.keys === undefined ? details : { ...details, keys: textsOf(details.keys) };
}
