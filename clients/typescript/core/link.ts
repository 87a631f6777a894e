/**
 * The one connection of a client: dials, says hello, and when it is gone dials the next endpoint.
 * Any node will do, but a leader saves a hop: when the node that welcomes names one of the
 * endpoints as the leader's, the client goes there, before anything else is said. Only frames pass
 * here; what they mean is others' matter. It dials when somebody needs it and rests when nobody
 * does.
 */
import {
  type HelloMessage,
  LIMITS,
  PROTOCOL_VERSION,
  type WelcomeMessage,
} from "holdfast-protocol";
import { decodeFrame, encodeFrame, FrameError } from "./codec.js";
import { leaderAmong } from "./endpoints.js";
import { errorFrom } from "./errors.js";
import { fieldsOf, isFields, MessageError } from "./incoming.js";
import type { Cancel, Platform, Wire } from "./platform.js";

export type Welcome = WelcomeMessage["welcome"];

export interface LinkOwner {
  /** Whether anything needs a connection. */
  isNeeded(): boolean;
  /** The leases to name in the hello. */
  leases(): readonly string[];
  onOpen(welcome: Welcome): void;
  onMessages(messages: readonly unknown[]): void;
  /** An open connection is gone. */
  onDown(): void;
}

export interface LinkOptions {
  readonly urls: readonly string[];
  readonly client: string;
  readonly token?: string | (() => Promise<string>);
}

/**
 * From dialling to the welcome. Nodes hold a welcome back for up to 1 s to tell how leases stand.
 */
const WELCOME_WITHIN_MS = 3000;
/** The leader was named by a node that serves as well: it is not worth waiting for longer. */
const LEADER_WELCOME_WITHIN_MS = 500;
/** A connection that breaks sooner has failed, as one that never stood. */
const LASTING_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

const NOTHING: Readonly<Record<string, unknown>> = {};

type State = "idle" | "dialling" | "open" | "pausing" | "closed";

export class Link {
  readonly #platform: Platform;
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  #state: State = "idle";
  #next: number;
  #failures = 0;
  #openedAtMs = 0;
  #heardAtMs = 0;
  #wire: Wire | null = null;
  #cancel: Cancel | null = null;
  /** Tells callbacks of connections that are gone from those of the present one. */
  #generation = 0;
  #lastFailure = "";
  /** On the way to the leader. Whoever welcomes now is stayed with, so that it comes to an end. */
  #seeksLeader = false;

  constructor(platform: Platform, options: LinkOptions, owner: LinkOwner) {
    this.#platform = platform;
    this.#options = options;
    this.#owner = owner;
    // A fleet with one list of endpoints spreads over the nodes.
    this.#next = platform.below(options.urls.length);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** When the last frame came in. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** Why there is no connection, for people; "" if nothing went wrong yet. */
  get lastFailure(): string {
    return this.#lastFailure;
  }

  /** Somebody needs a connection. */
  want(): void {
    if (this.#state === "idle") this.#dial();
  }

  /** Sends one frame, if the connection is open. Throws what cannot be encoded. */
  send(frame: Uint8Array): void {
    if (this.#state === "open") this.#wire?.send(frame);
  }

  /** The present connection is of no use: on to the next endpoint. */
  rotate(reason: string): void {
    if (this.#state === "open") this.#down(reason);
  }

  close(): void {
    this.#state = "closed";
    this.#drop();
  }

  #drop(): void {
    this.#generation += 1;
    this.#cancel?.();
    this.#cancel = null;
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
  }

  #dial(): void {
    this.#state = "dialling";
    const generation = ++this.#generation;
    const withinMs = this.#seeksLeader ? LEADER_WELCOME_WITHIN_MS : WELCOME_WITHIN_MS;
    this.#cancel = this.#platform.after(withinMs, () => {
      this.#cancel = null;
      this.#down(`${this.#url()} did not welcome within ${withinMs} ms`);
    });
    const { token } = this.#options;
    if (typeof token !== "function") {
      this.#dialWith(generation, token);
      return;
    }
    // The user's own code: that it throws is a failed attempt like any other.
    Promise.resolve()
      .then(token)
      .then(
        text => {
          if (generation === this.#generation) this.#dialWith(generation, text);
        },
        error => {
          if (generation === this.#generation) this.#down(`no token: ${String(error)}`);
        },
      );
  }

  #url(): string {
    return this.#options.urls[this.#next] ?? "";
  }

  #dialWith(generation: number, token: string | undefined): void {
    const isPresent = (): boolean => generation === this.#generation;
    this.#wire = this.#platform.dial(this.#url(), {
      onOpen: () => {
        if (isPresent()) this.#wire?.send(encodeFrame([this.#hello(token)]));
      },
      onFrame: frame => {
        if (isPresent()) this.#receive(frame);
      },
      onClose: reason => {
        if (isPresent()) this.#down(`${this.#url()}: ${reason}`);
      },
    });
  }

  #hello(token: string | undefined): HelloMessage {
    const leases = this.#owner.leases().slice(0, LIMITS.leasesPerMessage);
    return {
      hello: {
        v: PROTOCOL_VERSION,
        ...(token === undefined ? {} : { token }),
        client: this.#options.client,
        ...(leases.length === 0 ? {} : { leases }),
      },
    };
  }

  #receive(frame: Uint8Array): void {
    this.#heardAtMs = this.#platform.monotonicMs();
    const url = this.#url();
    try {
      const messages = decodeFrame(frame);
      const rest = this.#state === "open" ? messages : this.#welcomed(messages);
      if (rest.length > 0) this.#owner.onMessages(rest);
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof MessageError)) throw error;
      this.#down(`${url} sent a frame that cannot be read: ${error.message}`);
    }
  }

  /** Takes the welcome, and returns what came with it. */
  #welcomed(messages: readonly unknown[]): readonly unknown[] {
    const [first] = messages;
    const { welcome: told, error } = isFields(first) ? first : NOTHING;
    if (told === undefined) {
      const why = isFields(error) ? errorFrom(error).message : "is no Holdfast node";
      this.#down(`${this.#url()}: ${why}`);
      return [];
    }
    // Whoever needs a field of it looks at that field.
    const welcome = fieldsOf(told, "a welcome") as unknown as Welcome;
    const leader = this.#seeksLeader ? -1 : leaderAmong(this.#options.urls, welcome);
    this.#seeksLeader = leader >= 0 && leader !== this.#next;
    if (this.#seeksLeader) {
      this.#drop();
      this.#next = leader;
      this.#dial();
      return [];
    }
    this.#cancel?.();
    this.#cancel = null;
    this.#state = "open";
    this.#openedAtMs = this.#heardAtMs;
    this.#lastFailure = "";
    this.#owner.onOpen(welcome);
    return this.isOpen ? messages.slice(1) : [];
  }

  #down(reason: string): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#drop();
    this.#lastFailure = reason;
    this.#next = (this.#next + 1) % this.#options.urls.length;
    // Until it is decided how to go on, nobody dials.
    this.#state = "pausing";
    const lasted = wasOpen && this.#platform.monotonicMs() - this.#openedAtMs >= LASTING_MS;
    this.#failures = lasted ? 0 : this.#failures + 1;
    if (wasOpen) this.#owner.onDown();
    if (this.#isClosed()) return;
    if (this.#owner.isNeeded()) this.#pause();
    else this.#state = "idle";
  }

  /** The owner may have closed it meanwhile. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** One round over all endpoints goes without a pause; then rounds come ever slower. */
  #pause(): void {
    const { urls } = this.#options;
    const rounds = Math.floor(this.#failures / urls.length);
    if (rounds === 0 || this.#failures % urls.length !== 0) {
      this.#dial();
      return;
    }
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(rounds - 1, 10), LONGEST_PAUSE_MS);
    this.#state = "pausing";
    this.#cancel = this.#platform.after(longest / 2 + this.#platform.below(longest / 2), () => {
      this.#cancel = null;
      this.#state = "idle";
      if (this.#owner.isNeeded()) this.#dial();
    });
  }
}
