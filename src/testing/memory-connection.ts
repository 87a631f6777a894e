/**
 * One side of a connection in memory. What it sends lies in its own queue until the other side gets
 * it; so the queue is wire and system buffers in one. Made by MemoryNetwork, for either side.
 */
import { assert } from "../base/assert.js";
import type { Address, CloseReason, Connection, ConnectionEvents } from "../base/network.js";
import type { MemoryNetwork } from "./memory-network.js";

/** So much is taken off the process's hands before `bufferedBytes` begins to count. */
const SYSTEM_BUFFER_BYTES = 128 * 1024;

interface Packet {
  bytes: Uint8Array;
  /** Set on the last packet of a connection. */
  readonly end: CloseReason | null;
  readonly dueMs: number;
}

const NO_BYTES = new Uint8Array(0);

export class MemoryConnection implements Connection {
  readonly local: string;
  readonly remote: Address;
  readonly #network: MemoryNetwork;
  #other: MemoryConnection | null = null;
  #events: ConnectionEvents | null = null;
  readonly #queue: Packet[] = [];
  #queuedBytes = 0;
  #cutAfterBytes = Number.POSITIVE_INFINITY;
  #lastDueMs = 0;
  #pumping = false;
  #paused = false;
  #over = false;
  #wantsDrain = false;

  constructor(network: MemoryNetwork, local: string, remote: Address) {
    this.#network = network;
    this.local = local;
    this.remote = remote;
  }

  /** Joins two sides into one connection. */
  joinTo(other: MemoryConnection): void {
    this.#other = other;
    other.#other = this;
  }

  get isOver(): boolean {
    return this.#over;
  }

  joins(a: string, b: string): boolean {
    const { local } = this;
    const remote = this.remote.host;
    return (local === a && remote === b) || (local === b && remote === a);
  }

  start(events: ConnectionEvents): void {
    assert(this.#events === null, "a connection is started once");
    this.#events = events;
    if (this.#over) this.#network.clock.after(0, () => events.closed("reset"));
    else this.#other?.pump();
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (this.#over) return true;
    let length = 0;
    for (const part of parts) length += part.length;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    if (length > 0) this.#enqueue(bytes, null);
    this.#wantsDrain ||= this.bufferedBytes > 0;
    return this.bufferedBytes === 0;
  }

  get bufferedBytes(): number {
    return this.#over ? 0 : Math.max(0, this.#queuedBytes - SYSTEM_BUFFER_BYTES);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#other?.pump();
  }

  close(): void {
    if (this.#over) return;
    this.#enqueue(NO_BYTES, "ended");
    this.#finish("local");
  }

  destroy(): void {
    if (this.#over) return;
    this.#loseBuffered();
    this.#enqueue(NO_BYTES, "ended");
    this.#finish("local");
  }

  /** Both sides see a reset, whatever is under way. */
  broken(): void {
    this.#queue.length = 0;
    this.#finish("reset");
    this.#drop();
    const other = this.#other;
    if (other !== null && (!other.#over || other.#queue.length > 0)) other.broken();
  }

  /** The process on this side is no more. */
  die(): void {
    this.#events = null;
    this.destroy();
  }

  /** The host on this side is no more: not even the end of the connection gets out. */
  vanish(): void {
    this.#events = null;
    this.#over = true;
    this.#drop();
  }

  cutAfter(bytes: number): void {
    this.#cutAfterBytes = bytes;
    this.pump();
  }

  /** Arranges for what is due to arrive. */
  pump(): void {
    const head = this.#queue[0];
    if (this.#pumping || head === undefined) return;
    this.#pumping = true;
    const { clock } = this.#network;
    clock.after(Math.max(this.#paceMs(), head.dueMs - clock.monotonicMs()), () => {
      this.#pumping = false;
      if (this.#deliver()) this.pump();
    });
  }

  /** Between two pieces, where only so many bytes get through in a millisecond. */
  #paceMs(): number {
    return this.#network.bytesEachMs(this.local, this.remote.host) === null ? 0 : 1;
  }

  /** Delivers a piece; true when it makes sense to go on. */
  #deliver(): boolean {
    const head = this.#queue[0];
    const other = this.#other;
    if (head === undefined || other === null) return false;
    if (this.#network.isSilent(this.local, this.remote.host)) return false;
    if (other.#over) {
      this.#drop();
      return false;
    }
    if (other.#events === null || other.#paused) return false;
    if (head.end !== null) {
      this.#drop();
      other.#finish(head.end);
      return false;
    }
    this.#deliverBytes(head, other);
    return true;
  }

  #deliverBytes(head: Packet, other: MemoryConnection): void {
    const whole = head.bytes;
    const most = this.#network.bytesEachMs(this.local, this.remote.host) ?? whole.length;
    const length = Math.min(this.#network.piece(whole.length), most, this.#cutAfterBytes);
    if (length === whole.length) this.#queue.shift();
    else head.bytes = whole.subarray(length);
    this.#queuedBytes -= length;
    this.#cutAfterBytes -= length;
    if (length > 0) other.#events?.received(whole.subarray(0, length));
    if (this.#cutAfterBytes === 0) {
      this.broken();
    } else if (this.#wantsDrain && this.bufferedBytes === 0) {
      this.#wantsDrain = false;
      this.#events?.drained();
    }
  }

  #enqueue(bytes: Uint8Array, end: CloseReason | null): void {
    const { clock } = this.#network;
    const delayMs = this.#network.delayBetween(this.local, this.remote.host);
    this.#lastDueMs = Math.max(this.#lastDueMs, clock.monotonicMs() + delayMs);
    this.#queue.push({ bytes, end, dueMs: this.#lastDueMs });
    this.#queuedBytes += bytes.length;
    this.pump();
  }

  /** What was not with the system yet is lost, maybe in the middle of a write. */
  #loseBuffered(): void {
    let kept = Math.min(this.#queuedBytes, SYSTEM_BUFFER_BYTES);
    if (kept > 0) kept = this.#network.piece(kept);
    const packets = this.#queue.splice(0);
    for (const packet of packets) {
      const bytes = packet.bytes.subarray(0, kept);
      kept -= bytes.length;
      if (bytes.length > 0) this.#queue.push({ bytes, end: null, dueMs: packet.dueMs });
    }
  }

  /** Forgets what is under way; a side that is over is then forgotten itself. */
  #drop(): void {
    this.#queue.length = 0;
    if (this.#over) this.#network.gone(this);
  }

  #finish(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#queue.length === 0) this.#network.gone(this);
    const events = this.#events;
    this.#network.clock.after(0, () => events?.closed(reason));
  }
}
