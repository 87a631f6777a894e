/** The cluster itself: what the connected node tells of it, and changes of its members. */
import type { OperationName } from "holdfast-protocol";
import { Call } from "./call.js";
import { asIs, type Engine } from "./engine.js";
import type {
  CallOptions,
  Cluster,
  ClusterMembers,
  ClusterStatus,
  MembersChanged,
} from "./surface.js";

/** A change waits for majorities, and on its way for the leader's node: longer than a write may. */
const CHANGE_WITHIN_MS = 10_000;

type Params = Readonly<Record<string, unknown>>;

/** Names of nodes are text. */
export class ClusterOf implements Cluster {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  status(options?: CallOptions): Promise<ClusterStatus> {
    return this.#engine.ask("cluster.status", {}, options, ok => ok as unknown as ClusterStatus);
  }

  members(options?: CallOptions): Promise<ClusterMembers> {
    return this.#engine.ask("cluster.members", {}, options, ok => ok as unknown as ClusterMembers);
  }

  add(
    { name, peerUrls }: { readonly name: string; readonly peerUrls: readonly string[] },
    options?: CallOptions,
  ): Promise<MembersChanged> {
    return this.#change("cluster.add", { name, peerUrls }, options);
  }

  promote(
    member: string,
    options: CallOptions & { readonly replacing?: string } = {},
  ): Promise<MembersChanged> {
    const { replacing } = options;
    const params = replacing === undefined ? { member } : { member, replacing };
    return this.#change("cluster.promote", params, options);
  }

  remove(member: string, options?: CallOptions): Promise<MembersChanged> {
    return this.#change("cluster.remove", { member }, options);
  }

  transfer(
    options: CallOptions & { readonly to?: string } = {},
  ): Promise<{ readonly leader: string }> {
    const { to } = options;
    return this.#change("cluster.transfer", to === undefined ? {} : { to }, options);
  }

  #change<T>(op: OperationName, params: Params, options: CallOptions | undefined): Promise<T> {
    const call = new Call(op, params, asIs);
    call.answerWithinMs = CHANGE_WITHIN_MS;
    return this.#engine.run(call, options) as Promise<T>;
  }
}
