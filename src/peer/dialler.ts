/**
 * Keeps dialling one peer until there is a channel, with pauses that double up to a bound and are
 * random in their upper half, so that nodes do not dial in step. One a link.
 */
import type { Cancel } from "../base/ports.js";
import type { Channel } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { PeerNode, Refusal } from "./contract.js";
import { Greeting, type GreetingOwner } from "./greeting.js";
import { PURPOSE } from "./hello.js";

/** By then any first pause has long passed any longest one. */
const LAST_DOUBLING = 20;

export interface DiallerOwner {
  /** A channel on which the peer has accepted us. The dialler rests until `dialSoon`. */
  dialled(channel: Channel): void;
}

export class Dialler implements GreetingOwner {
  readonly #context: PeerContext;
  readonly #owner: DiallerOwner;
  #peer: PeerNode;
  /** Counts the pauses since a channel stood last. */
  #failures = 0;
  /** Counts the dials, to go round the addresses. */
  #dials = 0;
  #greeting: Greeting | null = null;
  #cancelPause: Cancel | null = null;
  #problem = "not dialled yet";
  #refusal: Refusal | null = null;

  constructor(context: PeerContext, peer: PeerNode, owner: DiallerOwner) {
    this.#context = context;
    this.#peer = peer;
    this.#owner = owner;
  }

  /** Why there is no channel, for people. */
  get problem(): string {
    return this.#problem;
  }

  /** From the next attempt on, where and who the peer is. */
  redirect(peer: PeerNode): void {
    this.#peer = peer;
  }

  /** Dials now, unless it is dialling already. The peer is known to be up, or this is the start. */
  dialNow(): void {
    if (this.#greeting !== null) return;
    this.#cancelPause?.();
    this.#cancelPause = null;
    const { addresses } = this.#peer;
    const address = addresses[this.#dials++ % addresses.length];
    if (address === undefined) {
      this.#problem = "no address is known";
      return;
    }
    this.#greeting = new Greeting(this.#context, this.#peer, address, PURPOSE.link, this);
  }

  /** Dials after a short pause: a channel that stood was lost. */
  dialSoon(problem: string): void {
    this.#problem = problem;
    this.#failures = 0;
    this.#pause();
  }

  stop(): void {
    this.#greeting?.cancel();
    this.#greeting = null;
    this.#cancelPause?.();
    this.#cancelPause = null;
  }

  greeted(channel: Channel): void {
    this.#greeting = null;
    this.#refusal = null;
    this.#problem = "";
    this.#owner.dialled(channel);
  }

  greetingFailed(problem: string): void {
    this.#greeting = null;
    this.#problem = problem;
    this.#pause();
  }

  greetingRefused(by: "them" | "us", refusal: Refusal): void {
    this.#greeting = null;
    this.#problem = `${refusal.reason}: ${refusal.message}`;
    const isNews = this.#refusal?.reason !== refusal.reason;
    this.#refusal = refusal;
    this.#failures = LAST_DOUBLING;
    this.#pause();
    if (isNews) this.#context.host.refused(this.#peer.id, by, refusal);
  }

  #pause(): void {
    const { timing, ports } = this.#context;
    const doubled = timing.firstRetryMs * 2 ** this.#failures;
    const longestMs = Math.max(2, Math.min(doubled, timing.lastRetryMs));
    const halfMs = Math.floor(longestMs / 2);
    this.#failures = Math.min(this.#failures + 1, LAST_DOUBLING);
    this.#cancelPause?.();
    this.#cancelPause = ports.clock.after(halfMs + ports.random.below(halfMs + 1), () => {
      this.#cancelPause = null;
      this.dialNow();
    });
  }
}
