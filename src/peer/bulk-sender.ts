/**
 * Sends one bulk stream over a connection of its own: hello, offer, chunks as fast as the
 * receiver takes them, end, result. Breaks at the first failure; resuming is a new stream, whose
 * receiver says where to begin. Each frame carries its checksum; of the whole, whoever made it
 * has one.
 */
import { assert } from "../base/assert.js";
import { DecodeError, Reader, Writer } from "../base/codec.js";
import type { Channel, ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { BulkStream, PeerNode, Refusal } from "./contract.js";
import { FRAME } from "./frame.js";
import { Greeting, type GreetingOwner } from "./greeting.js";
import { PURPOSE } from "./hello.js";

export type BulkOpened = (stream: BulkStream | null, resumeAt: number) => void;

export class BulkSender implements BulkStream, GreetingOwner, ChannelOwner {
  readonly #context: PeerContext;
  readonly #metadata: Uint8Array;
  readonly #ended: (sender: BulkSender) => void;
  #opened: BulkOpened | null;
  #greeting: Greeting | null = null;
  #channel: Channel | null = null;
  #sentBytes = 0;
  #takenBytes = 0;
  #next: ((standing: boolean) => void) | null = null;
  #done: ((taken: boolean) => void) | null = null;
  /** A turn's end will settle what waits. */
  #settling = false;
  #over = false;
  #isRefused = false;

  /** `ended` is called once, when it is over for whatever reason. */
  constructor(
    context: PeerContext,
    metadata: Uint8Array,
    opened: BulkOpened,
    ended: (sender: BulkSender) => void,
  ) {
    this.#context = context;
    this.#metadata = metadata;
    this.#opened = opened;
    this.#ended = ended;
  }

  /** The other side said no: another try would only be told the same. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  start(peer: PeerNode, attempt: number): void {
    const address = peer.addresses[attempt % peer.addresses.length];
    if (address === undefined) {
      this.#context.ports.endOfTurn.schedule(() => this.#break());
      return;
    }
    this.#greeting = new Greeting(this.#context, peer, address, PURPOSE.bulk, this);
  }

  write(slice: Uint8Array, next: (standing: boolean) => void): void {
    const { maxPeerFrameBytes } = this.#context.limits;
    assert(
      slice.length > 0 && slice.length <= maxPeerFrameBytes / 2,
      "a bulk slice must fit a frame with room to spare",
    );
    assert(this.#next === null && this.#done === null, "one bulk write at a time");
    this.#next = next;
    if (this.#over) {
      this.#later();
      return;
    }
    const { bytes } = this.#context.ports;
    this.#channel?.send(FRAME.bulkChunk, [encodeOffset(bytes, this.#sentBytes), slice]);
    this.#sentBytes += slice.length;
    if (this.#hasRoom()) this.#later();
  }

  finish(done: (taken: boolean) => void): void {
    assert(this.#next === null && this.#done === null, "finish comes after the last next");
    this.#done = done;
    if (this.#over) this.#later();
    else {
      const { bytes } = this.#context.ports;
      this.#channel?.send(FRAME.bulkEnd, [encodeOffset(bytes, this.#sentBytes)]);
    }
  }

  abort(): void {
    this.#opened = null;
    this.#next = null;
    this.#done = null;
    this.#end();
  }

  tick(): void {
    this.#channel?.tick(this.#context.timing.silentTicks, true);
  }

  greeted(channel: Channel): void {
    this.#channel = channel;
    channel.handOver(this);
    channel.send(FRAME.bulkBegin, [this.#metadata]);
  }

  greetingFailed(): void {
    this.#break();
  }

  greetingRefused(_by: "them" | "us", _refusal: Refusal): void {
    this.#isRefused = true; // the link to the same node tells the host
    this.#break();
  }

  frame(type: number, payload: Uint8Array): void {
    try {
      const reader = new Reader(this.#context.ports.bytes, payload);
      if (type === FRAME.bulkProceed) this.#proceed(reader);
      else if (type === FRAME.bulkResult) this.#result(reader);
      else throw new DecodeError("frame type", 0, `${type} has no place in a bulk stream`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#channel?.fail(error.message);
    }
  }

  closed(): void {
    this.#break();
  }

  #proceed(reader: Reader): void {
    const taken = reader.u53("bulk.taken");
    reader.end("bulk proceed");
    const opened = this.#opened;
    if (opened !== null) {
      this.#opened = null;
      this.#sentBytes = taken;
      this.#takenBytes = taken;
      opened(this, taken);
      return;
    }
    if (taken < this.#takenBytes || taken > this.#sentBytes) {
      throw reader.error("bulk.taken", `${taken} was never sent`);
    }
    this.#takenBytes = taken;
    if (this.#next !== null && !this.#settling && this.#hasRoom()) this.#settle(true);
  }

  #result(reader: Reader): void {
    const taken = reader.boolean("bulk.result");
    reader.end("bulk result");
    if (!taken || this.#done === null) {
      this.#isRefused = !taken;
      this.#break();
      return;
    }
    const done = this.#done;
    this.#done = null;
    this.#end();
    done(true);
  }

  #hasRoom(): boolean {
    return this.#sentBytes - this.#takenBytes < this.#context.limits.bulkWindowBytes;
  }

  /** Settles what waits, in a turn of its own. */
  #later(): void {
    this.#settling = true;
    this.#context.ports.endOfTurn.schedule(() => {
      this.#settling = false;
      this.#settle(!this.#over);
    });
  }

  #settle(standing: boolean): void {
    const next = this.#next;
    const done = standing ? null : this.#done;
    this.#next = null;
    if (!standing) this.#done = null;
    next?.(standing);
    done?.(false);
  }

  #break(): void {
    if (!this.#end()) return;
    const opened = this.#opened;
    this.#opened = null;
    opened?.(null, 0);
    this.#settle(false);
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#greeting?.cancel();
    this.#channel?.drop();
    this.#ended(this);
    return true;
  }
}

function encodeOffset(bytes: PeerContext["ports"]["bytes"], offset: number): Uint8Array {
  const writer = new Writer(bytes, 8);
  writer.u53(offset);
  return writer.finish();
}
