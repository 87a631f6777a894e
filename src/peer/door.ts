/**
 * The accepting side of becoming acquainted: strangers come in, say hello in time and within
 * bounds, are judged and admitted, and pass on to their link or become a bulk stream; or are
 * refused by name.
 */
import { DecodeError } from "../base/codec.js";
import type { Connection } from "../base/network.js";
import type { Cancel } from "../base/ports.js";
import { Channel, type ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { PeerIdentity, Refusal, Stranger } from "./contract.js";
import { FRAME } from "./frame.js";
import {
  decodeHello,
  encodeAccepted,
  encodeRefusal,
  judge,
  judgeToken,
  type Purpose,
  unknownVersion,
} from "./hello.js";
import { decodeJoin, encodeJoined } from "./join.js";

export interface DoorOwner {
  /** The last word after the host's: refuses who is none of the present peers. */
  placeFor(identity: PeerIdentity): Refusal | null;
  /** Admitted and told so. The channel is to be handed over at once. */
  admitted(channel: Channel, identity: PeerIdentity, purpose: Purpose): void;
}

export class Door {
  readonly #context: PeerContext;
  readonly #owner: DoorOwner;
  readonly #visitors = new Set<Visitor>();

  constructor(context: PeerContext, owner: DoorOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  open(connection: Connection): void {
    const { limits, host } = this.#context;
    if (this.#visitors.size >= limits.maxStrangerConnections) {
      const { remote } = connection;
      connection.destroy();
      const message = `${this.#visitors.size} connections wait at the door already`;
      host.strangerRefused({ remote, reason: "TOO_MANY_STRANGERS", message });
      return;
    }
    this.#visitors.add(new Visitor(this.#context, this.#owner, this.#visitors, connection));
  }

  close(): void {
    for (const visitor of this.#visitors) visitor.drop();
    this.#visitors.clear();
  }
}

class Visitor implements ChannelOwner {
  readonly #context: PeerContext;
  readonly #owner: DoorOwner;
  readonly #visitors: Set<Visitor>;
  readonly #channel: Channel;
  readonly #cancelTimeout: Cancel;
  #admitting = false;
  #over = false;

  constructor(
    context: PeerContext,
    owner: DoorOwner,
    visitors: Set<Visitor>,
    connection: Connection,
  ) {
    const { ports, limits } = context;
    this.#context = context;
    this.#owner = owner;
    this.#visitors = visitors;
    this.#channel = new Channel(connection, this.#context, this);
    this.#cancelTimeout = ports.clock.after(limits.helloTimeoutMs, () => {
      this.#channel.fail(this.#admitting ? "not admitted in time" : "no hello in time");
    });
  }

  drop(): void {
    if (this.#leave()) this.#channel.drop();
  }

  frame(type: number, payload: Uint8Array): void {
    try {
      if (type === FRAME.hello && !this.#admitting) this.#greeted(payload);
      else if (type === FRAME.join && !this.#admitting) this.#asked(payload);
      else throw new DecodeError("frame type", 0, `${type} is no hello`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#channel.fail(error.message);
    }
  }

  closed(_startedByUs: boolean, problem: string): void {
    if (!this.#leave()) return;
    this.#tell({ remote: this.#channel.remote, reason: "NO_HELLO", message: problem });
  }

  #greeted(payload: Uint8Array): void {
    const { host, ports } = this.#context;
    const hello = decodeHello(ports.bytes, payload);
    const refusal = judge(hello, host.identity());
    if (!hello.understood || refusal !== null) {
      if (refusal !== null) this.#refuse(refusal, hello.understood ? hello.identity : null);
      return;
    }
    const { identity, purpose } = hello;
    this.#admitting = true;
    host.admit(identity, decision => {
      const last = decision ?? this.#owner.placeFor(identity);
      if (last !== null) this.#refuse(last, identity);
      else this.#admit(identity, purpose);
    });
  }

  /** Who was added and does not know who it is gets its answer, and dials anew with it. */
  #asked(payload: Uint8Array): void {
    const { host, ports } = this.#context;
    const request = decodeJoin(ports.bytes, payload);
    const answer =
      typeof request === "number"
        ? unknownVersion(request)
        : (judgeToken(request, host.identity()) ?? host.joins(request));
    if ("reason" in answer) {
      this.#refuse(answer, null);
    } else if (this.#leave()) {
      this.#channel.send(FRAME.joined, [encodeJoined(ports.bytes, answer)]);
      this.#channel.close();
    }
  }

  #admit(identity: PeerIdentity, purpose: Purpose): void {
    if (!this.#leave()) return;
    const { host, ports } = this.#context;
    this.#channel.send(FRAME.accepted, [encodeAccepted(ports.bytes, host.identity())]);
    this.#owner.admitted(this.#channel, identity, purpose);
  }

  #refuse(refusal: Refusal, identity: PeerIdentity | null): void {
    if (!this.#leave()) return;
    this.#channel.send(FRAME.refused, [encodeRefusal(this.#context.ports.bytes, refusal)]);
    this.#channel.close();
    const { remote } = this.#channel;
    const { reason, message } = refusal;
    this.#tell(
      identity === null ? { remote, reason, message } : { remote, identity, reason, message },
    );
  }

  #tell(stranger: Stranger): void {
    this.#context.host.strangerRefused(stranger);
  }

  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#cancelTimeout();
    this.#visitors.delete(this);
    return true;
  }
}
