/**
 * Notices that a quiet connection is dead: where only streams and waits are under way nobody
 * expects an answer, so the node is asked something now and then. A request without an answer is
 * the rest.
 */
import { Call } from "./call.js";
import type { Link } from "./link.js";
import type { Cancel, Platform } from "./platform.js";
import type { Requests } from "./requests.js";

const QUIET_MS = 10_000;

export class Pulse {
  readonly #platform: Platform;
  readonly #link: Link;
  readonly #requests: Requests;
  #cancel: Cancel | null = null;

  constructor(platform: Platform, link: Link, requests: Requests) {
    this.#platform = platform;
    this.#link = link;
    this.#requests = requests;
  }

  connected(): void {
    this.stop();
    this.#cancel = this.#platform.after(QUIET_MS, () => this.#beat());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #beat(): void {
    this.connected();
    const quietMs = this.#platform.monotonicMs() - this.#link.heardAtMs;
    if (quietMs < QUIET_MS || !this.#requests.isBusy) return;
    const call = new Call("cluster.status", {}, () => undefined);
    call.urgent = true;
    call.perishable = true;
    this.#requests.run(call, QUIET_MS, undefined).catch(() => {});
  }
}
