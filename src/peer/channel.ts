/**
 * A connection that speaks frames: one side of one TCP connection, from the first hello on. It
 * checks frames and silence, gathers what is sent in a turn, and passes everything on to its
 * present owner (a greeting, then a link or a bulk stream). It knows no frame's meaning but ping
 * and pong.
 */
import { DecodeError } from "../base/codec.js";
import type { CloseReason, Connection, ConnectionEvents } from "../base/network.js";
import type { EndOfTurn } from "../base/ports.js";
import type { PeerContext } from "./context.js";
import { FRAME, FrameReader, readU32 } from "./frame.js";
import { FrameBatch, NO_NUMBER } from "./frame-batch.js";

export interface ChannelOwner {
  /** A frame that is not ping or pong. `payload` is memory of its own. */
  frame(type: number, payload: Uint8Array): void;
  /** It is over; not called after `drop` or `close`. `startedByUs`: garbage or silence. */
  closed(startedByUs: boolean, problem: string): void;
}

/** Lets the channels that have something to send send it once, at the end of the turn. */
export class Flusher {
  readonly #endOfTurn: EndOfTurn;
  #waiting: Channel[] = [];
  #scheduled = false;

  constructor(endOfTurn: EndOfTurn) {
    this.#endOfTurn = endOfTurn;
  }

  add(channel: Channel): void {
    this.#waiting.push(channel);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#endOfTurn.schedule(this.#endTurn);
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const channels = this.#waiting;
    this.#waiting = [];
    for (const channel of channels) channel.flush();
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}

const NO_PARTS: readonly Uint8Array[] = [];

export class Channel implements ConnectionEvents {
  readonly #connection: Connection;
  readonly #flusher: Flusher;
  readonly #reader: FrameReader;
  readonly #batch: FrameBatch;
  readonly #maxFrameBytes: number;
  #owner: ChannelOwner;
  #over = false;
  #silentTicks = 0;
  #pings = 0;

  constructor(connection: Connection, context: PeerContext, owner: ChannelOwner) {
    const { ports, flusher, limits } = context;
    this.#connection = connection;
    this.#flusher = flusher;
    this.#reader = new FrameReader(ports.bytes, ports.checksum, limits.maxHelloBytes);
    this.#batch = new FrameBatch(ports.bytes, ports.checksum, limits.maxPeerFrameBytes);
    this.#maxFrameBytes = limits.maxPeerFrameBytes;
    this.#owner = owner;
    connection.start(this);
  }

  get remote(): Connection["remote"] {
    return this.#connection.remote;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Bytes that were sent and have not left this process yet. */
  get backlogBytes(): number {
    return this.#connection.bufferedBytes + this.#batch.length;
  }

  /** The other side was admitted: another owner is told from now on, and frames may be longer. */
  handOver(owner: ChannelOwner): void {
    this.#owner = owner;
    this.#reader.maxBodyBytes = this.#maxFrameBytes;
    this.#silentTicks = 0;
  }

  /** Sends a frame at the end of this turn. The parts must not be changed any more. */
  send(type: number, parts: readonly Uint8Array[]): void {
    this.sendNumbered(type, NO_NUMBER, parts);
  }

  /** The same, with a number before the payload. */
  sendNumbered(type: number, number: number, parts: readonly Uint8Array[]): void {
    if (this.#over) return;
    if (this.#batch.length === 0) this.#flusher.add(this);
    this.#batch.add(type, number, parts);
  }

  flush(): void {
    if (this.#over || this.#batch.length === 0) return;
    this.#connection.write(this.#batch.take());
  }

  /** One tick has passed: fails when the other side has been silent for too many, else may ping. */
  tick(silentTicks: number, ping: boolean): void {
    if (this.#over) return;
    this.#silentTicks++;
    if (this.#silentTicks > silentTicks) this.fail("nothing was heard for too long");
    else if (ping) this.sendNumbered(FRAME.ping, this.#pings++ >>> 0, NO_PARTS);
  }

  /** Closes at once and tells the owner. */
  fail(problem: string): void {
    if (this.#over) return;
    this.drop();
    this.#owner.closed(true, problem);
  }

  /** Closes at once, without a word to the owner. */
  drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.destroy();
  }

  /** Sends what there is to send, then closes, without a word to the owner. */
  close(): void {
    this.flush();
    if (this.#over) return;
    this.#over = true;
    this.#connection.close();
  }

  received(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#silentTicks = 0;
    this.#reader.feed(chunk);
    while (!this.#over) {
      const body = this.#next();
      if (body === null) return;
      this.#dispatch(body);
    }
  }

  drained(): void {
    // Backlogs are bounded by those who send, and bulk streams are paced by their receiver.
  }

  closed(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.closed(false, reason === "reset" ? "the connection broke" : "the peer closed");
  }

  #next(): Uint8Array | null {
    try {
      return this.#reader.next();
    } catch (error) {
      this.#failOn(error);
      return null;
    }
  }

  #dispatch(body: Uint8Array): void {
    const type = body[0] ?? 0;
    if (type === FRAME.ping) {
      this.sendNumbered(FRAME.pong, readU32(body, 1), NO_PARTS);
    } else if (type !== FRAME.pong) {
      this.#owner.frame(type, body.subarray(1));
    }
  }

  #failOn(error: unknown): void {
    if (!(error instanceof DecodeError)) throw error;
    this.fail(error.message);
  }
}
