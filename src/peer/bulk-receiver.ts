/**
 * Receives one bulk stream: offers it to the host, feeds its sink one slice at a time, and tells
 * the sender how far it has come, so that no more than a window is ever on the way.
 */
import { DecodeError, Reader, Writer } from "../base/codec.js";
import type { NodeId } from "../base/ids.js";
import { Ring } from "../base/ring.js";
import type { Channel, ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { BulkSink } from "./contract.js";
import { FRAME } from "./frame.js";

const OFFSET_BYTES = 8;

export class BulkReceiver implements ChannelOwner {
  readonly #context: PeerContext;
  readonly #from: NodeId;
  readonly #channel: Channel;
  readonly #ended: (receiver: BulkReceiver) => void;
  readonly #waiting = new Ring<Uint8Array>();
  #begun = false;
  #sink: BulkSink | null = null;
  #writing = false;
  #receivedBytes = 0;
  #takenBytes = 0;
  #atEnd = false;
  #over = false;

  /** `ended` is called once, when it is over for whatever reason but `stop`. */
  constructor(
    context: PeerContext,
    from: NodeId,
    channel: Channel,
    ended: (receiver: BulkReceiver) => void,
  ) {
    this.#context = context;
    this.#from = from;
    this.#channel = channel;
    this.#ended = ended;
    channel.handOver(this);
  }

  get from(): NodeId {
    return this.#from;
  }

  tick(): void {
    this.#channel.tick(this.#context.timing.silentTicks, false);
  }

  /** Breaks it off; its sink is told. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#channel.drop();
    this.#giveUp();
  }

  frame(type: number, payload: Uint8Array): void {
    try {
      if (type === FRAME.bulkBegin) this.#begin(payload);
      else if (type === FRAME.bulkChunk) this.#chunk(payload);
      else if (type === FRAME.bulkEnd) this.#end(payload);
      else throw new DecodeError("frame type", 0, `${type} has no place in a bulk stream`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#channel.fail(error.message);
    }
  }

  closed(): void {
    this.#finish();
    this.#giveUp();
  }

  #begin(metadata: Uint8Array): void {
    if (this.#begun) throw new DecodeError("bulk begin", 0, "came twice");
    this.#begun = true;
    let decided = false;
    this.#context.host.bulkOffered(this.#from, metadata, (sink, resumeAt) => {
      if (decided) return;
      decided = true;
      this.#decided(sink, resumeAt);
    });
  }

  #decided(sink: BulkSink | null, resumeAt: number): void {
    if (this.#over) {
      sink?.abort();
      return;
    }
    if (sink === null) {
      this.#result(false);
      return;
    }
    this.#sink = sink;
    this.#receivedBytes = resumeAt;
    this.#takenBytes = resumeAt;
    this.#proceed();
  }

  #chunk(payload: Uint8Array): void {
    const reader = new Reader(this.#context.ports.bytes, payload);
    const offset = reader.u53("bulk.offset");
    if (this.#sink === null || this.#atEnd || offset !== this.#receivedBytes) {
      throw new DecodeError("bulk.offset", 0, `${offset} was not expected`);
    }
    if (reader.remaining === 0) throw new DecodeError("bulk chunk", OFFSET_BYTES, "is empty");
    if (this.#receivedBytes - this.#takenBytes >= this.#context.limits.bulkWindowBytes) {
      throw new DecodeError("bulk.offset", 0, "is past the window");
    }
    this.#waiting.push(reader.raw("bulk chunk", reader.remaining));
    this.#receivedBytes += payload.length - OFFSET_BYTES;
    this.#feed();
  }

  #end(payload: Uint8Array): void {
    const reader = new Reader(this.#context.ports.bytes, payload);
    const total = reader.u53("bulk.total");
    reader.end("bulk end");
    if (this.#sink === null || this.#atEnd || total !== this.#receivedBytes) {
      throw new DecodeError("bulk.total", 0, `is ${total}, but ${this.#receivedBytes} came`);
    }
    this.#atEnd = true;
    this.#feed();
  }

  /** Gives the sink its next slice, or the end, unless it is busy. */
  #feed(): void {
    const sink = this.#sink;
    if (this.#writing || this.#over || sink === null) return;
    const slice = this.#waiting.shift();
    if (slice !== undefined) {
      this.#writing = true;
      sink.write(slice, () => this.#taken(slice.length));
    } else if (this.#atEnd) {
      this.#writing = true;
      this.#sink = null;
      sink.finish(taken => this.#result(taken));
    }
  }

  #taken(bytes: number): void {
    this.#writing = false;
    if (this.#over) return;
    this.#takenBytes += bytes;
    this.#proceed();
    this.#feed();
  }

  #proceed(): void {
    const writer = new Writer(this.#context.ports.bytes, OFFSET_BYTES);
    writer.u53(this.#takenBytes);
    this.#channel.send(FRAME.bulkProceed, [writer.finish()]);
  }

  #result(taken: boolean): void {
    if (this.#over) return;
    this.#channel.send(FRAME.bulkResult, [Uint8Array.of(taken ? 1 : 0)]);
    this.#channel.close();
    this.#finish();
  }

  #giveUp(): void {
    const sink = this.#sink;
    this.#sink = null;
    this.#waiting.clear();
    sink?.abort();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(this);
  }
}
