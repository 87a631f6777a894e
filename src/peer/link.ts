/**
 * The link to one peer: the connection we dialled and the one it dialled, which live and die
 * together. Sends messages and questions on the first, takes the peer's from the second. Made and
 * ticked by PeerLinks.
 */
import { DecodeError } from "../base/codec.js";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  DecodeError as MessageDecodeError,
} from "../raft/message/index.js";
import { Asks } from "./asks.js";
import type { Channel, ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { PeerNode, PeerStatus } from "./contract.js";
import { Dialler, type DiallerOwner } from "./dialler.js";
import { FRAME, readU32 } from "./frame.js";

const NUMBER_BYTES = 4;

export class Link implements DiallerOwner {
  readonly #context: PeerContext;
  #peer: PeerNode;
  readonly #dialler: Dialler;
  readonly #asks: Asks;
  #ours: Channel | null = null;
  #theirs: Channel | null = null;
  #up = false;
  #over = false;

  constructor(context: PeerContext, peer: PeerNode) {
    this.#context = context;
    this.#peer = peer;
    this.#dialler = new Dialler(context, peer, this);
    this.#asks = new Asks(Math.ceil(context.limits.askTimeoutMs / context.timing.tickMs));
  }

  get peer(): PeerNode {
    return this.#peer;
  }

  get up(): boolean {
    return this.#up;
  }

  get status(): PeerStatus {
    const waits = "it has not dialled us: check our advertised peer URLs";
    const problem = this.#up ? "" : this.#ours === null ? this.#dialler.problem : waits;
    return { id: this.#peer.id, up: this.#up, problem };
  }

  start(): void {
    this.#dialler.dialNow();
  }

  redirect(peer: PeerNode): void {
    this.#peer = peer;
    this.#dialler.redirect(peer);
  }

  /** False: dropped, since there is no connection or its backlog is full. */
  send(message: Message): boolean {
    const channel = this.#ours;
    if (channel === null || this.#isFull(channel)) return false;
    channel.send(FRAME.message, encodeMessage(message));
    return true;
  }

  /** False: not sent, and `done` will not be called. */
  ask(question: Uint8Array, done: (answer: Uint8Array | null) => void): boolean {
    const channel = this.#ours;
    if (channel === null || this.#isFull(channel)) return false;
    if (this.#asks.size >= this.#context.limits.maxAsksPerPeer) return false;
    channel.sendNumbered(FRAME.ask, this.#asks.add(done), [question]);
    return true;
  }

  dialled(channel: Channel): void {
    this.#ours = channel;
    const owner: ChannelOwner = {
      frame: (type, payload) => this.#answered(channel, type, payload),
      closed: (startedByUs, problem) => this.#lost(startedByUs, problem),
    };
    channel.handOver(owner);
    this.#comeUp();
  }

  /** The peer has dialled us and was admitted. */
  accepted(channel: Channel): void {
    if (this.#theirs !== null) this.#lost(false, "the peer dialled anew");
    this.#theirs = channel;
    const owner: ChannelOwner = {
      frame: (type, payload) => this.#spokenTo(channel, type, payload),
      closed: (startedByUs, problem) => this.#lost(startedByUs, problem),
    };
    channel.handOver(owner);
    if (this.#ours === null) this.#dialler.dialNow();
    this.#comeUp();
  }

  tick(): void {
    const { silentTicks } = this.#context.timing;
    this.#ours?.tick(silentTicks, true);
    this.#theirs?.tick(silentTicks, false);
    this.#asks.tick();
  }

  /** Ends the link without a word to the host; questions still get their null, in a later turn. */
  stop(): void {
    this.#over = true;
    this.#up = false;
    this.#dialler.stop();
    this.#dropBoth();
  }

  #isFull(channel: Channel): boolean {
    return channel.backlogBytes >= this.#context.limits.maxPeerBacklogBytes;
  }

  #comeUp(): void {
    if (this.#up || this.#ours === null || this.#theirs === null) return;
    this.#up = true;
    this.#context.host.linkUp(this.#peer.id);
  }

  /** Either connection is gone, so both go, and we dial again. */
  #lost(startedByUs: boolean, problem: string): void {
    if (this.#over) return;
    const wasUp = this.#up;
    const hadOurs = this.#ours !== null;
    this.#up = false;
    this.#dropBoth();
    // While the first dial is still under way, the loss of theirs is no reason to dial differently.
    if (hadOurs) this.#dialler.dialSoon(problem);
    if (wasUp) this.#context.host.linkDown(this.#peer.id, startedByUs);
  }

  #dropBoth(): void {
    this.#ours?.drop();
    this.#theirs?.drop();
    this.#ours = null;
    this.#theirs = null;
    const unanswered = this.#asks.takeAll();
    if (unanswered.length === 0) return;
    this.#context.ports.endOfTurn.schedule(() => {
      for (const done of unanswered) done(null);
    });
  }

  /** On the connection we dialled: answers. */
  #answered(channel: Channel, type: number, payload: Uint8Array): void {
    if (type === FRAME.answer && payload.length >= NUMBER_BYTES) {
      this.#asks.answered(readU32(payload, 0), payload.subarray(NUMBER_BYTES));
    } else {
      channel.fail(`frame type ${type} has no place here`);
    }
  }

  /** On the connection the peer dialled: messages and questions. */
  #spokenTo(channel: Channel, type: number, payload: Uint8Array): void {
    if (type === FRAME.message) {
      const message = this.#decode(channel, payload);
      if (message !== null) this.#context.host.received(this.#peer.id, message);
    } else if (type === FRAME.ask && payload.length >= NUMBER_BYTES) {
      const number = readU32(payload, 0);
      const answer = (bytes: Uint8Array): void => {
        const fits = bytes.length <= this.#context.limits.maxAskBytes;
        if (fits && !this.#isFull(channel)) channel.sendNumbered(FRAME.answer, number, [bytes]);
      };
      this.#context.host.asked(this.#peer.id, payload.subarray(NUMBER_BYTES), answer);
    } else {
      channel.fail(`frame type ${type} has no place here`);
    }
  }

  #decode(channel: Channel, payload: Uint8Array): Message | null {
    try {
      const message = decodeMessage(payload);
      const { from, to } = message;
      if (from === this.#peer.id && to === this.#context.host.identity().nodeId) return message;
      channel.fail(`a message from ${from} to ${to} has no place here`);
    } catch (error) {
      if (!(error instanceof MessageDecodeError || error instanceof DecodeError)) throw error;
      channel.fail(error.message);
    }
    return null;
  }
}
