/**
 * What the client thinks of the cluster: connecting, ready, without a quorum, closed. While
 * somebody waits for a quorum it asks the node now and then, and leaves one that stays without for
 * another.
 */
import { Call } from "./call.js";
import { tell } from "./callbacks.js";
import type { Link } from "./link.js";
import type { Cancel, Platform } from "./platform.js";
import type { Requests } from "./requests.js";
import type { ClientState } from "./surface.js";

const ASK_EVERY_MS = 250;
/** An election takes less. */
const LEAVE_AFTER_MS = 1500;
/** Who has a lease that runs out before that leaves sooner, but not at once. */
const STAY_AT_LEAST_MS = 400;

export class Service {
  readonly #platform: Platform;
  readonly #listeners = new Set<(state: ClientState) => void>();
  #state: ClientState = "connecting";
  #asking: Cancel | null = null;
  #withoutSinceMs = 0;
  #link: Link | null = null;
  #requests: Requests | null = null;
  #shortestTtlMs: () => number = () => Number.POSITIVE_INFINITY;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** `shortestTtlMs`: of the leases there are now; Infinity: none. */
  attach(link: Link, requests: Requests, shortestTtlMs: () => number): void {
    this.#link = link;
    this.#requests = requests;
    this.#shortestTtlMs = shortestTtlMs;
  }

  get state(): ClientState {
    return this.#state;
  }

  onState(listener: (state: ClientState) => void): () => void {
    const own = (state: ClientState): void => tell(listener, state);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  connected(leader: string | undefined): void {
    this.#withoutSinceMs = this.#platform.monotonicMs();
    this.#become(leader === undefined ? "no-quorum" : "ready");
  }

  disconnected(): void {
    this.#become("connecting");
  }

  onService(isServing: boolean): void {
    if (isServing) {
      if (this.#state === "no-quorum") this.#become("ready");
    } else if (this.#state === "ready") {
      this.#withoutSinceMs = this.#platform.monotonicMs();
      this.#become("no-quorum");
    }
  }

  close(): void {
    this.#become("closed");
    this.#listeners.clear();
  }

  #become(state: ClientState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    this.#asking?.();
    this.#asking = null;
    if (state === "no-quorum") this.#askLater();
    for (const listener of [...this.#listeners]) listener(state);
  }

  get #leaveAfterMs(): number {
    return Math.min(LEAVE_AFTER_MS, Math.max(STAY_AT_LEAST_MS, this.#shortestTtlMs() / 3));
  }

  #askLater(): void {
    this.#asking = this.#platform.after(ASK_EVERY_MS, () => {
      this.#asking = null;
      this.#ask();
    });
  }

  #ask(): void {
    if (this.#state !== "no-quorum" || this.#requests === null) return;
    const leaveAfterMs = this.#leaveAfterMs;
    if (this.#platform.monotonicMs() - this.#withoutSinceMs >= leaveAfterMs) {
      this.#link?.rotate("the node has no quorum");
      return;
    }
    const call = new Call("cluster.status", {}, ok => {
      if (ok.state === "ready") this.onService(true);
    });
    call.urgent = true;
    call.perishable = true;
    const again = (): void => {
      if (this.#state === "no-quorum" && this.#asking === null) this.#askLater();
    };
    this.#requests.run(call, leaveAfterMs, undefined).then(again, again);
  }
}
