/**
 * The dialler's side of becoming acquainted: connect, say hello, hear the answer, have the host
 * admit who answered. Ends exactly once, with a channel to speak on or with why not. Used for
 * links and for bulk streams; tries once and knows no retries (dialler.ts does).
 */
import { DecodeError } from "../base/codec.js";
import type { Address, Connection } from "../base/network.js";
import type { Cancel } from "../base/ports.js";
import { Channel, type ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import { type PeerIdentity, type PeerNode, REFUSAL, type Refusal } from "./contract.js";
import { FRAME } from "./frame.js";
import { decodeAccepted, decodeRefusal, encodeHello, judgeCluster, type Purpose } from "./hello.js";

export interface GreetingOwner {
  /** The channel is to be handed over at once. */
  greeted(channel: Channel): void;
  greetingFailed(problem: string): void;
  /** One of the two does not want the other. */
  greetingRefused(by: "them" | "us", refusal: Refusal): void;
}

export class Greeting implements ChannelOwner {
  readonly #context: PeerContext;
  readonly #peer: PeerNode;
  readonly #purpose: Purpose;
  readonly #owner: GreetingOwner;
  readonly #cancelConnect: Cancel;
  #cancelTimeout: Cancel | null = null;
  #channel: Channel | null = null;
  #admitting = false;
  #over = false;

  constructor(
    context: PeerContext,
    peer: PeerNode,
    address: Address,
    purpose: Purpose,
    owner: GreetingOwner,
  ) {
    this.#context = context;
    this.#peer = peer;
    this.#purpose = purpose;
    this.#owner = owner;
    const { network } = context.ports;
    this.#cancelConnect = network.connect(address, context.timing.connectTimeoutMs, (error, c) => {
      if (c !== null) this.#connected(c);
      else this.#fail(`${address.host}:${address.port}: ${error?.message ?? "cannot connect"}`);
    });
  }

  /** Gives it up; the owner hears nothing more. */
  cancel(): void {
    if (this.#finish()) this.#channel?.drop();
  }

  frame(type: number, payload: Uint8Array): void {
    try {
      this.#answered(type, payload);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#channel?.fail(error.message);
    }
  }

  closed(_startedByUs: boolean, problem: string): void {
    this.#fail(`${problem} before it had answered our hello`);
  }

  #connected(connection: Connection): void {
    const { ports, limits, host } = this.#context;
    if (this.#over) {
      connection.destroy();
      return;
    }
    const channel = new Channel(connection, this.#context, this);
    this.#channel = channel;
    this.#cancelTimeout = ports.clock.after(limits.helloTimeoutMs, () => {
      channel.fail("no answer in time");
    });
    const { id } = this.#peer;
    channel.send(FRAME.hello, [encodeHello(ports.bytes, this.#purpose, id, host.identity())]);
  }

  #answered(type: number, payload: Uint8Array): void {
    const { bytes } = this.#context.ports;
    if (this.#admitting) throw new DecodeError("frame type", 0, `${type} came too early`);
    if (type === FRAME.refused) this.#refused("them", decodeRefusal(bytes, payload));
    else if (type === FRAME.accepted) this.#accepted(decodeAccepted(bytes, payload));
    else throw new DecodeError("frame type", 0, `${type} is no answer to a hello`);
  }

  #accepted(identity: PeerIdentity): void {
    const { host } = this.#context;
    const refusal = judgeCluster(identity, host.identity()) ?? this.#judgeNode(identity);
    if (refusal !== null) {
      this.#refused("us", refusal);
      return;
    }
    this.#admitting = true;
    host.admit(identity, decision => {
      if (decision !== null) this.#refused("us", decision);
      else this.#admitted();
    });
  }

  #judgeNode(identity: PeerIdentity): Refusal | null {
    if (identity.nodeId === this.#peer.id) return null;
    const message = `${identity.name} answered at the address of ${this.#peer.name}`;
    return { reason: REFUSAL.wrongNode, message };
  }

  #admitted(): void {
    if (this.#finish() && this.#channel !== null) this.#owner.greeted(this.#channel);
  }

  #refused(by: "them" | "us", refusal: Refusal): void {
    if (!this.#finish()) return;
    this.#channel?.drop();
    this.#owner.greetingRefused(by, refusal);
  }

  #fail(problem: string): void {
    if (!this.#finish()) return;
    this.#channel?.drop();
    this.#owner.greetingFailed(problem);
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#cancelConnect();
    this.#cancelTimeout?.();
    return true;
  }
}
