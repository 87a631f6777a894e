/** Leases by hand, for tools: one call each, and nobody keeps them alive. */
import type { Answer } from "./call.js";
import type { Engine } from "./engine.js";
import { textsOf } from "./holders.js";
import type { CallOptions, LeaseInfo, Leases } from "./surface.js";

export class LeasesOf implements Leases {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  grant(options: Parameters<Leases["grant"]>[0]): Promise<LeaseInfo> {
    const { ttlMs, lease, owner, labels } = options;
    const params = { ttlMs, lease, owner, labels };
    return this.#engine.ask("lease.grant", params, options, infoOf);
  }

  keepalive(lease: string, options?: CallOptions): Promise<LeaseInfo> {
    return this.#engine.ask("lease.keepalive", { lease }, options, infoOf);
  }

  revoke(lease: string, options?: CallOptions): Promise<boolean> {
    return this.#engine.ask("lease.revoke", { lease }, options, ok => ok.revoked === true);
  }

  get(lease: string, options?: CallOptions): Promise<LeaseInfo> {
    return this.#engine.ask("lease.get", { lease }, options, infoOf);
  }

  async *list(options?: CallOptions): AsyncGenerator<LeaseInfo, void, undefined> {
    let place: { readonly after?: string } = {};
    for (;;) {
      const ok: Answer = await this.#engine.ask("lease.list", place, options, page => page);
      const leases = Array.isArray(ok.leases) ? (ok.leases as readonly Answer[]) : [];
      for (const lease of leases) yield infoOf(lease);
      const last = leases.at(-1)?.lease;
      if (ok.more !== true || typeof last !== "string") return;
      place = { after: last };
    }
  }
}

function infoOf(ok: Answer): LeaseInfo {
  const info = ok as unknown as LeaseInfo;
  return info.keys === undefined ? info : { ...info, keys: textsOf(info.keys) };
}
